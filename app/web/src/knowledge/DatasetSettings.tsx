import { Alert, Button, Group, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import { ApiError } from '@/api/http';
import type { RetrievalModel, SummarySetting } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { Copy } from '@/ui/Copy';
import { useErrorText } from '@/ui/errors';
import { done } from '@/ui/notify';
import { Page } from '@/ui/Page';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import { Embedding } from './Embedding';
import { ExportDataset } from './ExportDataset';
import { ExternalRetrievalForm, type ExternalRetrieval } from './External';
import { RetrievalForm, START } from './Retrieval';
import { ScannedPages } from './ScannedPages';
import { SummaryForm } from './Summaries';
import { TagsField } from './Tags';
import { useApps, UsedBy } from './UsedBy';

export default function DatasetSettings() {
  const { t } = useTranslation();
  const text = useErrorText();
  const dataset = useFrameDataset();
  const client = useQueryClient();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const [name, setName] = useState(dataset.name);
  const [description, setDescription] = useState(dataset.description);
  const [retrieval, setRetrieval] = useState<RetrievalModel>({ ...START, ...(dataset.retrieval_model_dict) });
  const [summaries, setSummaries] = useState<SummarySetting>(dataset.summary_index_setting ?? {});
  const external = dataset.provider === 'external';
  const [outside, setOutside] = useState<ExternalRetrieval>({ top_k: 4, score_threshold: 0.5, score_threshold_enabled: false, ...dataset.external_retrieval_model });
  const [outsideId, setOutsideId] = useState(dataset.external_knowledge_info?.external_knowledge_id ?? '');
  const [tags, setTags] = useState(dataset.tags.map((tag) => String(tag.name)));
  const [enabled, setEnabled] = useState(dataset.enable_api);
  const apps = useApps(dataset.id);
  const save = useAct(async () => {
    const saved = await knowledgeApi.update(dataset.id, {
      name: name.trim(), description: description.trim(), enable_api: enabled,
      ...(external ? { external_retrieval_model: { ...outside }, external_knowledge_id: outsideId.trim() } : { retrieval_model: retrieval, ...(summaries.enable || dataset.summary_index_setting ? { summary_index_setting: summaries } : {}) }),
    });
    await knowledgeApi.setTags(dataset.id, tags);
    return saved;
  }, {
    quiet: true,
    done: async () => {
      await client.invalidateQueries({ queryKey: ['datasets'] });
      done(t('state.saved'));
    },
  });
  const taken = save.error instanceof ApiError && save.error.code === 'dataset_name_duplicate';
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
                <TextInput label={t('knowledge:create.name')} required withAsterisk={false} maxLength={40} value={name} error={taken ? text(save.error) : undefined} onChange={(event) => setName(event.currentTarget.value)} />
                <Textarea label={t('knowledge:create.description')} autosize minRows={2} maxLength={400} value={description} onChange={(event) => setDescription(event.currentTarget.value)} />
                <TagsField value={tags} onChange={setTags} />
                <TextInput label={t('knowledge:settings.id')} description={t('knowledge:settings.idText')} readOnly value={dataset.id} rightSection={<Copy value={dataset.id} size="sm" />} />
                <Switch label={t('knowledge:settings.api')} description={t('knowledge:settings.apiText')} checked={enabled} onChange={(event) => setEnabled(event.currentTarget.checked)} />
              </Stack>
            </Section>
            {external ? (
              <Section title={t('knowledge:external.title')} description={dataset.external_knowledge_info?.external_knowledge_api_endpoint}>
                <Stack>
                  <TextInput label={t('knowledge:external.id')} description={t('knowledge:external.idText')} maxLength={255} value={outsideId} onChange={(event) => setOutsideId(event.currentTarget.value)} />
                  <ExternalRetrievalForm value={outside} onChange={setOutside} />
                </Stack>
              </Section>
            ) : (
              <Section title={t('knowledge:settings.retrieval')} description={t('knowledge:settings.retrievalText')}>
                <RetrievalForm value={retrieval} onChange={setRetrieval} economy={dataset.indexing_technique === 'economy'} />
              </Section>
            )}
            {external ? null : (
              <Section title={t('knowledge:summary.title')} description={t('knowledge:summary.text')}>
                <SummaryForm value={summaries} onChange={setSummaries} />
              </Section>
            )}
            {save.error && !taken ? <Alert color="brick" role="alert">{text(save.error)}</Alert> : null}
            <Group justify="flex-end"><Button type="submit" loading={save.isPending} disabled={!name.trim()}>{t('action.save')}</Button></Group>
          </Stack>
        </form>
        {external ? null : <Embedding dataset={dataset} />}
        {external ? null : <Section title={t('knowledge:ocr.title')} description={t('knowledge:ocr.text')}><ScannedPages /></Section>}
        {external ? null : <Section title={t('knowledge:export.title')} description={t('knowledge:export.text')}>
          <ExportDataset id={dataset.id} />
        </Section>}
        <Section title={t('knowledge:usage.title')} description={t('knowledge:usage.text')}>
          <UsedBy datasetId={dataset.id} />
        </Section>
        <Section title={t('knowledge:settings.danger')} description={t(external ? 'knowledge:settings.dangerExternal' : 'knowledge:settings.dangerText')}>
          {apps.data?.data.length ? <Text fz="sm" mb="sm">{t('knowledge:usage.block', { count: apps.data.data.length })}</Text> : null}
          <Button color="brick" variant="light" disabled={!apps.data || apps.data.data.length > 0} loading={remove.isPending} onClick={() => void askRemove()}>{t('knowledge:settings.delete')}</Button>
        </Section>
      </Stack>
    </Page>
  );
}
