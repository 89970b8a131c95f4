import { ActionIcon, Badge, Button, Drawer, Group, Menu, Modal, Stack, Table, Text, Textarea, TextInput } from '@mantine/core';
import { IconArrowsDiff, IconDots, IconDownload, IconPencil, IconRestore, IconTrash, IconUpload } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Version } from '@/api/types';
import { fileName, saveText } from '@/studio/api';
import { useFrameApp } from '@/studio/AppFrame';
import { useConfirm } from '@/ui/confirm';
import { ago, dateTime } from '@/ui/format';
import { done } from '@/ui/notify';
import { Pages } from '@/ui/Listing';
import { Page } from '@/ui/Page';
import { Empty, Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { versionApi } from './api';
import { DiffView } from './DiffView';

/** Name and notes of a version, for publishing the draft or for an existing one. */
function Describe({ version, busy, onSave, onClose }: { version: Version | null; busy: boolean; onSave: (name: string, notes: string) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(version?.marked_name ?? '');
  const [notes, setNotes] = useState(version?.marked_comment ?? '');
  const title = version ? t('versions:rename') : t('versions:publish');
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onSave(name.trim(), notes.trim());
        }}
      >
        <Stack>
          {version ? null : <Text fz="sm" c="dimmed">{t('versions:publishText')}</Text>}
          <TextInput data-autofocus label={t('versions:name')} description={t('versions:nameText')} maxLength={20} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Textarea label={t('versions:notes')} maxLength={100} autosize minRows={2} value={notes} onChange={(event) => setNotes(event.currentTarget.value)} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" loading={busy}>{version ? t('action.save') : t('versions:publish')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** What was published and when; publish, compare, go back, export. */
export default function VersionsPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [page, setPage] = useState(1);
  const [naming, setNaming] = useState<Version | 'new' | null>(null);
  const [comparing, setComparing] = useState<Version | null>(null);
  const list = useQuery({
    queryKey: ['apps', 'versions', app.id, page],
    queryFn: () => versionApi.list(app.id, page),
    placeholderData: keepPreviousData,
  });
  const refresh = () => client.invalidateQueries({ queryKey: ['apps'] });
  const label = (version: Version) => version.marked_name || t('versions:number', { n: version.number });

  const save = useAct(
    ({ name, notes }: { name: string; notes: string }) =>
      naming && naming !== 'new' ? versionApi.describe(app.id, naming.id, name, notes) : versionApi.publish(app.id, name, notes),
    {
      done: async () => {
        done(t(naming === 'new' ? 'versions:published' : 'state.saved'));
        setNaming(null);
        await refresh();
      },
    },
  );
  const restore = useAct((id: string) => versionApi.restore(app.id, id), {
    done: async () => {
      setComparing(null);
      done(t('versions:restored'));
      await refresh();
    },
  });
  const remove = useAct((id: string) => versionApi.remove(app.id, id), { done: refresh });
  const download = useAct((version: Version) => versionApi.export(app.id, version.id), {
    done: (file) => saveText(fileName(file.name.replace(/\.ya?ml$/, ''), 'yml'), file.data, 'application/yaml'),
  });
  const askRestore = async (version: Version) => {
    if (await confirm({ title: t('versions:restoreTitle', { name: label(version) }), text: t('versions:restoreText'), confirm: t('versions:restore') })) restore.mutate(version.id);
  };
  const askRemove = async (version: Version) => {
    if (await confirm({ title: t('versions:deleteTitle', { name: label(version) }), text: t('versions:deleteText'), confirm: t('action.delete') })) remove.mutate(version.id);
  };

  return (
    <Page
      title={t('versions:title')}
      description={t('versions:text')}
      actions={<Button leftSection={<IconUpload size={18} />} onClick={() => setNaming('new')}>{t('versions:publish')}</Button>}
    >
      {list.isPending ? (
        <RowSkeletons />
      ) : list.error ? (
        <Failed error={list.error} retry={() => list.refetch()} />
      ) : list.data.data.length === 0 ? (
        <Empty title={t('versions:none')}>{t('versions:noneText')}</Empty>
      ) : (
        <Stack>
          <Table verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('versions:version')}</Table.Th>
                <Table.Th visibleFrom="sm">{t('versions:time')}</Table.Th>
                <Table.Th aria-label={t('action.more')} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data.data.map((version) => (
                <Table.Tr key={version.id}>
                  <Table.Td>
                    <Group gap={8}>
                      <Text fw={550} fz="sm">{label(version)}</Text>
                      {version.marked_name ? <Text fz="xs" c="dimmed">{t('versions:number', { n: version.number })}</Text> : null}
                      {version.live ? <Badge size="sm" color="moss" variant="light" tt="none">{t('versions:live')}</Badge> : null}
                    </Group>
                    {version.marked_comment ? <Text fz="sm" c="dimmed" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{version.marked_comment}</Text> : null}
                    <Text fz="xs" c="dimmed" hiddenFrom="sm">{ago(version.created_at)}</Text>
                  </Table.Td>
                  <Table.Td visibleFrom="sm" title={dateTime(version.created_at)}>{ago(version.created_at)}</Table.Td>
                  <Table.Td>
                    <Group gap={4} justify="flex-end" wrap="nowrap">
                      <Button size="xs" variant="default" leftSection={<IconArrowsDiff size={16} />} aria-label={t('versions:compareWith', { name: label(version) })} onClick={() => setComparing(version)}>{t('versions:compare')}</Button>
                      <Menu>
                        <Menu.Target>
                          <ActionIcon aria-label={t('versions:more', { name: label(version) })}><IconDots size={18} /></ActionIcon>
                        </Menu.Target>
                        <Menu.Dropdown>
                          <Menu.Item leftSection={<IconPencil size={16} />} onClick={() => setNaming(version)}>{t('versions:rename')}</Menu.Item>
                          <Menu.Item leftSection={<IconRestore size={16} />} onClick={() => void askRestore(version)}>{t('versions:restore')}</Menu.Item>
                          <Menu.Item leftSection={<IconDownload size={16} />} onClick={() => download.mutate(version)}>{t('versions:export')}</Menu.Item>
                          <Menu.Item color="brick" leftSection={<IconTrash size={16} />} disabled={version.live} onClick={() => void askRemove(version)}>{t('action.delete')}</Menu.Item>
                        </Menu.Dropdown>
                      </Menu>
                    </Group>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          <Pages of={list.data} place={{ page, setPage }} />
        </Stack>
      )}
      {naming ? <Describe version={naming === 'new' ? null : naming} busy={save.isPending} onSave={(name, notes) => save.mutate({ name, notes })} onClose={() => setNaming(null)} /> : null}
      {comparing ? (
        <Drawer opened onClose={() => setComparing(null)} position="right" size="xl" title={t('versions:diff', { name: label(comparing) })} closeButtonProps={{ 'aria-label': t('action.close') }}>
          <Stack>
            <DiffView appId={app.id} from={comparing.id} to="draft" />
            <Group>
              <Button variant="default" leftSection={<IconRestore size={18} />} onClick={() => void askRestore(comparing)}>{t('versions:restore')}</Button>
            </Group>
          </Stack>
        </Drawer>
      ) : null}
    </Page>
  );
}
