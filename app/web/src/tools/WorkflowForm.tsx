import { Select, SegmentedControl, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { useTranslation } from '@/i18n';

import { type StoredWorkflow, toolApi } from './api';
import { ToolDialog, useSaveTool } from './ToolDialog';

/** Offers a published workflow of this box as a tool. */
export function WorkflowForm({ stored, onClose }: { stored?: StoredWorkflow; onClose: () => void }) {
  const { t } = useTranslation();
  const apps = useQuery({ queryKey: ['apps', 'workflows-for-tools'], queryFn: toolApi.workflows });
  const [app, setApp] = useState<string | null>(stored?.workflow_app_id ?? null);
  const [name, setName] = useState(stored?.name ?? '');
  const [description, setDescription] = useState(stored?.description ?? '');
  const [parameters, setParameters] = useState(stored?.parameters ?? []);
  const published = (apps.data?.data ?? []).filter((item) => item.published);
  const save = useSaveTool(
    () =>
      toolApi.save('workflow', stored?.id, {
        workflow_app_id: app ?? '', name: name.trim(), label: stored?.label || (published.find((item) => item.id === app)?.name ?? ''),
        description: description.trim(), parameters, labels: stored?.labels ?? [], icon: stored?.icon,
      }),
    onClose,
  );
  const change = (index: number, patch: Partial<(typeof parameters)[number]>) => setParameters(parameters.map((item, i) => (i === index ? { ...item, ...patch } : item)));
  return (
    <ToolDialog title={t('tools:workflow.title')} action={t(stored ? 'action.save' : 'tools:add')} save={save} ready={app !== null && name.trim() !== ''} onClose={onClose}>
      <Select
        label={t('tools:workflow.app')}
        description={apps.data && published.length === 0 ? t('tools:workflow.none') : t('tools:workflow.appText')}
        searchable
        disabled={Boolean(stored)}
        value={app}
        onChange={setApp}
        data={published.map((item) => ({ value: item.id, label: item.name }))}
      />
      <TextInput label={t('tools:workflow.name')} description={t('tools:workflow.nameText')} required withAsterisk={false} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <Textarea label={t('tools:workflow.description')} description={t('tools:workflow.descriptionText')} autosize minRows={2} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
      {parameters.length > 0 ? (
        <Stack gap="xs">
          <Text fz="sm" fw={600}>{t('tools:workflow.inputs')}</Text>
          {parameters.map((item, index) => (
            <Stack key={item.name} gap={4} p="sm" style={{ border: '1px solid var(--sp-line)', borderRadius: 10 }}>
              <Text ff="monospace" fz="sm">{item.name}</Text>
              <TextInput size="xs" aria-label={t('tools:workflow.inputText', { name: item.name })} placeholder={t('tools:workflow.inputText', { name: item.name })} value={item.description} onChange={(event) => change(index, { description: event.currentTarget.value })} />
              <SegmentedControl
                size="xs"
                aria-label={t('tools:workflow.who', { name: item.name })}
                value={item.form}
                onChange={(form) => change(index, { form })}
                data={[
                  { value: 'llm', label: t('tools:workflow.byModel') },
                  { value: 'form', label: t('tools:workflow.byAuthor') },
                ]}
              />
            </Stack>
          ))}
        </Stack>
      ) : null}
    </ToolDialog>
  );
}
