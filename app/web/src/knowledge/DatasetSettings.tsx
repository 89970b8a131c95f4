import { Button, Group, NumberInput, Select, Slider, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { IconFileExport } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import { url } from '@/api/http';
import type { RetrievalModel } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { useErrorText } from '@/ui/errors';
import { done } from '@/ui/notify';
import { Page } from '@/ui/Page';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import { METHODS } from './RetrievalTest';

export default function DatasetSettings() {
  const { t } = useTranslation();
  const text = useErrorText();
  const dataset = useFrameDataset();
  const client = useQueryClient();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const [name, setName] = useState(dataset.name);
  const [description, setDescription] = useState(dataset.description);
  const [retrieval, setRetrieval] = useState<RetrievalModel>({
    search_method: 'hybrid_search', top_k: 4, score_threshold_enabled: false, score_threshold: 0.5, reranking_enable: false,
    ...dataset.retrieval_model_dict,
  });
  const save = useAct(() => knowledgeApi.update(dataset.id, { name: name.trim(), description: description.trim(), retrieval_model: retrieval }), {
    quiet: true,
    done: async () => {
      await client.invalidateQueries({ queryKey: ['datasets'] });
      done(t('state.saved'));
    },
  });
  const remove = useAct(() => knowledgeApi.remove(dataset.id), {
    done: async () => {
      void navigate('/knowledge');
      await client.invalidateQueries({ queryKey: ['datasets', 'list'] });
    },
  });
  const askRemove = async () => {
    const yes = await confirm({
      title: t('knowledge:delete.base', { name: dataset.name }),
      text: t('knowledge:delete.baseText', { count: dataset.document_count }),
      confirm: t('action.delete'),
      type: dataset.document_count > 0 ? dataset.name : undefined,
    });
    if (yes) remove.mutate();
  };
  return (
    <Page title={t('knowledge:tab.settings')}>
      <Stack gap="lg" maw={760}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate();
          }}
        >
          <Stack gap="lg">
            <Section title={t('knowledge:settings.general')}>
              <Stack>
                <TextInput label={t('knowledge:create.name')} required withAsterisk={false} maxLength={40} value={name} error={save.error ? text(save.error) : undefined} onChange={(event) => setName(event.currentTarget.value)} />
                <Textarea label={t('knowledge:create.description')} autosize minRows={2} maxLength={400} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
                {dataset.embedding_model ? <Text fz="sm" c="dimmed">{t('knowledge:settings.embedding', { name: dataset.embedding_model })}</Text> : null}
              </Stack>
            </Section>
            <Section title={t('knowledge:settings.retrieval')} description={t('knowledge:settings.retrievalText')}>
              <Stack>
                <Select label={t('knowledge:test.method')} allowDeselect={false} value={retrieval.search_method} onChange={(value) => setRetrieval({ ...retrieval, search_method: (value ?? 'hybrid_search') })} data={METHODS.map((value) => ({ value, label: t(`knowledge:method.${value}`) }))} />
                <NumberInput label={t('prompt:retrieval.topK')} min={1} max={20} value={retrieval.top_k} onChange={(value) => setRetrieval({ ...retrieval, top_k: Number(value) || 4 })} />
                <Switch label={t('prompt:retrieval.threshold')} description={t('prompt:retrieval.thresholdText')} checked={retrieval.score_threshold_enabled} onChange={(event) => setRetrieval({ ...retrieval, score_threshold_enabled: event.currentTarget.checked })} />
                {retrieval.score_threshold_enabled ? <Slider min={0} max={1} step={0.05} thumbLabel={t('prompt:retrieval.threshold')} value={retrieval.score_threshold ?? 0.5} onChange={(score_threshold) => setRetrieval({ ...retrieval, score_threshold })} /> : null}
              </Stack>
            </Section>
            <Group justify="flex-end"><Button type="submit" loading={save.isPending} disabled={!name.trim()}>{t('action.save')}</Button></Group>
          </Stack>
        </form>
        <Section title={t('knowledge:export.title')} description={t('knowledge:export.text')}>
          <Button component="a" href={url(`/datasets/${dataset.id}/export`)} download variant="default" leftSection={<IconFileExport size={18} />}>{t('knowledge:export.action')}</Button>
        </Section>
        <Section title={t('knowledge:settings.danger')} description={t('knowledge:settings.dangerText')}>
          <Button color="brick" variant="light" loading={remove.isPending} onClick={() => void askRemove()}>{t('knowledge:settings.delete')}</Button>
        </Section>
      </Stack>
    </Page>
  );
}
