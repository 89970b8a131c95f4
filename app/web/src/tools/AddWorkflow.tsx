import { Button, Group, Modal, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { toolApi } from './api';

/** Offers a published workflow of this box as a tool. */
export function AddWorkflow({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const apps = useQuery({ queryKey: ['apps', 'workflows-for-tools'], queryFn: toolApi.workflows });
  const [app, setApp] = useState<string | null>(null);
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const published = (apps.data?.data ?? []).filter((item) => item.published);
  const add = useAct(
    () =>
      toolApi.addWorkflow({
        workflow_app_id: app ?? '',
        name: name.trim(),
        label: published.find((item) => item.id === app)?.name ?? '',
        description: description.trim(),
      }),
    {
      quiet: true,
      done: async () => {
        await client.invalidateQueries({ queryKey: ['tools'] });
        onClose();
      },
    },
  );
  return (
    <Modal opened onClose={onClose} title={t('tools:workflow.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Stack>
          <Select
            label={t('tools:workflow.app')}
            description={apps.data && published.length === 0 ? t('tools:workflow.none') : t('tools:workflow.appText')}
            searchable
            value={app}
            onChange={setApp}
            data={published.map((item) => ({ value: item.id, label: item.name }))}
          />
          <TextInput label={t('tools:workflow.name')} description={t('tools:workflow.nameText')} required withAsterisk={false} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Textarea label={t('tools:workflow.description')} description={t('tools:workflow.descriptionText')} autosize minRows={2} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
          {add.error ? (
            <Text role="alert" c="brick" fz="sm">
              {text(add.error)}
            </Text>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" loading={add.isPending} disabled={!app || !name.trim()}>
              {t('tools:add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
