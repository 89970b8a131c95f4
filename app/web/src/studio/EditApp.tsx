import { Button, ColorInput, Group, Modal, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from '@/i18n';

import type { App } from '@/api/types';
import { AppIcon } from '@/ui/AppIcon';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { appApi, refreshApps, useAppTags } from './api';

const TINTS = ['#FFEAD5', '#FEF7C3', '#E3F2D9', '#D5F5F6', '#DFE9FF', '#EBE9FE', '#FCE7F6', '#F2F4F7'];

/** Name, description and picture of an app. */
export function EditApp({ app, open, onClose }: { app: App; open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [name, setName] = useState(app.name);
  const [description, setDescription] = useState(app.description);
  const [tags, setTags] = useState(app.tags);
  const known = useAppTags();
  const [icon, setIcon] = useState(app.icon);
  const [background, setBackground] = useState(app.icon_background || '#FFEAD5');
  useEffect(() => {
    if (!open) return;
    setName(app.name);
    setDescription(app.description);
    setTags(app.tags);
    setIcon(app.icon);
    setBackground(app.icon_background || '#FFEAD5');
  }, [open, app]);
  const save = useAct(
    () =>
      appApi.update(app.id, {
        name: name.trim(), description: description.trim(), tags, icon: icon.trim(), icon_type: 'emoji', icon_background: background,
      }),
    {
      quiet: true,
      done: async () => {
        await refreshApps(client);
        onClose();
      },
    },
  );
  return (
    <Modal opened={open} onClose={onClose} title={t('studio:edit.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) save.mutate();
        }}
      >
        <Stack>
          <TextInput
            label={t('studio:create.name')} data-autofocus required withAsterisk={false} maxLength={100} value={name}
            error={save.error ? text(save.error) : undefined}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Textarea
            label={t('studio:create.description')} autosize minRows={2} maxRows={6} maxLength={400} value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <TagsInput label={t('studio:tags.label')} description={t('studio:tags.text')} maxLength={50} maxTags={10} value={tags} onChange={setTags} data={known.data ?? []} />
          <Group wrap="nowrap" align="flex-end">
            <AppIcon app={{ mode: app.mode, icon, icon_type: 'emoji', icon_background: background }} />
            <TextInput label={t('studio:edit.icon')} placeholder="🐦" maxLength={8} value={icon} onChange={(event) => setIcon(event.currentTarget.value)} w={110} />
            <ColorInput label={t('studio:edit.background')} value={background} onChange={setBackground} swatches={TINTS} flex={1} popoverProps={{ withinPortal: true }} />
          </Group>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
              {t('action.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
