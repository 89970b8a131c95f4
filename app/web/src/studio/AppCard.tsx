import { ActionIcon, Badge, Group, Menu, Text } from '@mantine/core';
import { IconCopyPlus, IconDots, IconDownload, IconPencil, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, useNavigate } from 'react-router';

import type { App } from '@/api/types';
import { AppIcon } from '@/ui/AppIcon';
import { useConfirm } from '@/ui/confirm';
import { ago } from '@/ui/format';
import { done } from '@/ui/notify';
import { useAct } from '@/ui/useAct';

import { appApi, refreshApps } from './api';
import { EditApp } from './EditApp';
import { ExportApp } from './ExportApp';
import css from './Studio.module.css';

/** What can be done with an app as a whole; shared by the card and the app's own page. */
export function AppMenu({ app, onDeleted }: { app: App; onDeleted?: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const [dialog, setDialog] = useState<'edit' | 'export' | null>(null);
  const copy = useAct(() => appApi.copy(app.id), {
    done: async (fresh) => {
      await refreshApps(client);
      done(t('studio:copied'));
      if (onDeleted) void navigate(`/apps/${fresh.id}`);
    },
  });
  const remove = useAct(() => appApi.remove(app.id), {
    done: async () => {
      onDeleted?.();
      client.removeQueries({ queryKey: ['apps', 'one', app.id] });
      await refreshApps(client);
      done(t('studio:deleted', { name: app.name }));
    },
  });
  const askRemove = async () => {
    const yes = await confirm({
      title: t('studio:delete.title', { name: app.name }),
      text: t('studio:delete.text'),
      confirm: t('action.delete'),
    });
    if (yes) remove.mutate();
  };
  return (
    <>
      <Menu>
        <Menu.Target>
          <ActionIcon aria-label={t('studio:menu', { name: app.name })}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setDialog('edit')}>
            {t('studio:edit.action')}
          </Menu.Item>
          <Menu.Item leftSection={<IconCopyPlus size={16} />} onClick={() => copy.mutate()}>
            {t('studio:duplicate')}
          </Menu.Item>
          <Menu.Item leftSection={<IconDownload size={16} />} onClick={() => setDialog('export')}>
            {t('studio:export.action')}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item color="brick" leftSection={<IconTrash size={16} />} onClick={() => void askRemove()}>
            {t('action.delete')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <EditApp app={app} open={dialog === 'edit'} onClose={() => setDialog(null)} />
      <ExportApp app={app} open={dialog === 'export'} onClose={() => setDialog(null)} />
    </>
  );
}

export function AppCard({ app }: { app: App }) {
  const { t } = useTranslation();
  return (
    <li className={css.card}>
      <div className={css.head}>
        <AppIcon app={app} />
        <Link to={`/apps/${app.id}`} className={css.name}>
          <span className="sp-clamp-2">{app.name}</span>
        </Link>
        <div className={css.menu}>
          <AppMenu app={app} />
        </div>
      </div>
      <Text c="dimmed" fz="sm" className="sp-clamp-2" style={{ overflowWrap: 'anywhere' }}>
        {app.description || t('studio:noDescription')}
      </Text>
      {app.tags.length ? <Group gap={4} mt={6}>{app.tags.map((tag) => <Badge key={tag} size="sm" variant="default" tt="none">{tag}</Badge>)}</Group> : null}
      <Group justify="space-between" mt="auto" gap="xs">
        <Badge variant="light" color="gray" tt="none" fw={550} radius="sm">
          {t(`studio:mode.${app.mode}.name`)}
        </Badge>
        <Text c="dimmed" fz="xs">
          {ago(app.updated_at)}
        </Text>
      </Group>
    </li>
  );
}
