import { ActionIcon, Button, Checkbox, Group, Modal, NumberInput, Select, Slider, Stack, Switch, Text, UnstyledButton } from '@mantine/core';
import { IconAdjustmentsHorizontal, IconBook2, IconPlus, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { http } from '@/api/http';
import type { AppMode, Conditions, Dataset, DatasetConfigs, Page } from '@/api/types';
import { entries } from '@/chat/inputs';
import { fieldsOf, Filter } from '@/knowledge/Filter';
import { RerankSelect } from '@/knowledge/Rerank';
import { Empty, RowSkeletons, Section } from '@/ui/states';

import type { SectionProps } from './InstructionSection';
import css from './Prompt.module.css';

/** Ids of the knowledge bases an app uses. */
export function attached(configs: DatasetConfigs | undefined): string[] {
  return (configs?.datasets?.datasets ?? []).filter((d) => d.dataset.enabled).map((d) => d.dataset.id);
}

export function attach(configs: DatasetConfigs | undefined, ids: string[]): DatasetConfigs {
  return {
    retrieval_model: 'multiple',
    top_k: 4,
    score_threshold_enabled: false,
    reranking_enable: false,
    ...configs,
    datasets: { ...configs?.datasets, datasets: ids.map((id) => ({ dataset: { enabled: true, id } })) },
  };
}

function Settings({ configs, bases, onChange, onClose }: { configs: DatasetConfigs; bases: Dataset[]; onChange: (c: DatasetConfigs) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const weight = configs.weights?.vector_setting.vector_weight ?? 0.7;
  const weighted = Boolean(configs.weights);
  return (
    <Modal opened onClose={onClose} title={t('prompt:retrieval.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <NumberInput label={t('prompt:retrieval.topK')} description={t('prompt:retrieval.topKText')} min={1} max={20} value={configs.top_k ?? 4} onChange={(value) => onChange({ ...configs, top_k: Number(value) || 4 })} />
        <Switch
          label={t('prompt:retrieval.threshold')}
          description={t('prompt:retrieval.thresholdText')}
          checked={configs.score_threshold_enabled ?? false}
          onChange={(event) => onChange({ ...configs, score_threshold_enabled: event.currentTarget.checked, score_threshold: configs.score_threshold ?? 0.5 })}
        />
        {configs.score_threshold_enabled ? (
          <Slider min={0} max={1} step={0.05} value={configs.score_threshold ?? 0.5} onChange={(score_threshold) => onChange({ ...configs, score_threshold })} marks={[{ value: 0.5, label: '0.5' }]} thumbLabel={t('prompt:retrieval.threshold')} mb="md" />
        ) : null}
        <Switch
          label={t('prompt:retrieval.weights')}
          description={t('prompt:retrieval.weightsText')}
          checked={weighted}
          onChange={(event) =>
            onChange({
              ...configs,
              reranking_enable: false,
              reranking_mode: event.currentTarget.checked ? 'weighted_score' : null,
              weights: event.currentTarget.checked ? { vector_setting: { vector_weight: 0.7 }, keyword_setting: { keyword_weight: 0.3 } } : null,
            })
          }
        />
        {weighted ? (
          <div>
            <Slider
              min={0}
              max={1}
              step={0.05}
              value={weight}
              thumbLabel={t('prompt:retrieval.weights')}
              onChange={(value) =>
                onChange({
                  ...configs,
                  weights: {
                    ...configs.weights,
                    vector_setting: { ...configs.weights?.vector_setting, vector_weight: value },
                    keyword_setting: { keyword_weight: Math.round((1 - value) * 100) / 100 },
                  },
                })
              }
            />
            <Group justify="space-between" mt={4}>
              <Text fz="xs" c="dimmed">{t('prompt:retrieval.byWords')}</Text>
              <Text fz="xs" c="dimmed">{t('prompt:retrieval.byMeaning')}</Text>
            </Group>
          </div>
        ) : null}
        <RerankSelect value={configs} onChange={(change) => onChange({ ...configs, ...change, ...(change.reranking_enable ? { weights: null } : {}) })} />
        <Select
          label={t('knowledge:filter.mode')} allowDeselect={false} value={typeof configs.metadata_filtering_mode === 'string' ? configs.metadata_filtering_mode : 'disabled'}
          onChange={(mode) => onChange({ ...configs, metadata_filtering_mode: mode ?? 'disabled' })}
          data={(['disabled', 'automatic', 'manual'] as const).map((mode) => ({ value: mode, label: t(`knowledge:filter.${mode}`) }))}
        />
        {configs.metadata_filtering_mode === 'manual' ? (
          <Filter fields={fieldsOf(bases)} value={(configs.metadata_filtering_conditions ?? null) as Conditions | null} onChange={(conditions) => onChange({ ...configs, metadata_filtering_conditions: conditions })} />
        ) : null}
        <Group justify="flex-end">
          <Button onClick={onClose}>{t('action.close')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

export function KnowledgeSection({ config, change, mode }: SectionProps & { mode: AppMode }) {
  const { t } = useTranslation();
  const [dialog, setDialog] = useState<'pick' | 'settings' | null>(null);
  const all = useQuery({
    queryKey: ['datasets', 'list', 'all'],
    queryFn: () => http.get<Page<Dataset>>('/datasets', { page: 1, limit: 100 }),
  });
  const ids = attached(config.dataset_configs);
  const sets = all.data?.data ?? [];
  const set = (next: string[]) => change({ dataset_configs: attach(config.dataset_configs, next) });
  const form = entries(config.user_input_form);
  const contents = (dataset: Dataset) =>
    dataset.provider === 'external' ? t('knowledge:external.of', { name: dataset.external_knowledge_info?.external_knowledge_api_name ?? '' }) : t('prompt:knowledge.documents', { count: dataset.document_count });
  return (
    <Section
      id="knowledge"
      title={t('prompt:knowledge.title')}
      description={ids.length ? undefined : t('prompt:knowledge.text')}
      action={
        <Group gap={6} style={{ flex: 'none' }}>
          {ids.length > 0 ? (
            <ActionIcon size="lg" aria-label={t('prompt:retrieval.title')} onClick={() => setDialog('settings')}>
              <IconAdjustmentsHorizontal size={20} />
            </ActionIcon>
          ) : null}
          <Button size="xs" variant="default" leftSection={<IconPlus size={16} />} onClick={() => setDialog('pick')}>
            {t('action.add')}
          </Button>
        </Group>
      }
    >
      {ids.length > 0 ? (
        <>
          {ids.map((id) => {
            const dataset = sets.find((s) => s.id === id);
            return (
              <div key={id} className={css.row}>
                <IconBook2 size={20} stroke={1.6} aria-hidden style={{ flex: 'none' }} />
                <Text fz="sm" truncate c={dataset || all.isPending ? undefined : 'var(--mantine-color-error)'}>
                  {dataset?.name ?? (all.isPending ? '…' : t('prompt:knowledge.gone'))}
                </Text>
                {dataset ? (
                  <Text fz="xs" c="dimmed" ml="auto" style={{ flex: 'none' }}>
                    {contents(dataset)}
                  </Text>
                ) : null}
                <ActionIcon ml={dataset ? 0 : 'auto'} aria-label={t('prompt:knowledge.remove', { name: dataset?.name ?? id })} onClick={() => set(ids.filter((other) => other !== id))}>
                  <IconX size={16} />
                </ActionIcon>
              </div>
            );
          })}
          {mode === 'completion' ? (
            <Select
              mt="md"
              label={t('prompt:knowledge.query')}
              description={t('prompt:knowledge.queryText')}
              data={form.map((e) => e.field.variable)}
              value={typeof config.dataset_query_variable === 'string' ? config.dataset_query_variable || null : null}
              onChange={(value) => change({ dataset_query_variable: value ?? '' })}
            />
          ) : null}
          <Switch
            mt="md"
            label={t('prompt:knowledge.cite')}
            checked={config.retriever_resource?.enabled ?? true}
            onChange={(event) => change({ retriever_resource: { ...config.retriever_resource, enabled: event.currentTarget.checked } })}
          />
        </>
      ) : null}
      {dialog === 'settings' ? (
        <Settings configs={attach(config.dataset_configs, ids)} bases={sets.filter((s) => ids.includes(s.id))} onChange={(dataset_configs) => change({ dataset_configs })} onClose={() => setDialog(null)} />
      ) : null}
      <Modal opened={dialog === 'pick'} onClose={() => setDialog(null)} title={t('prompt:knowledge.pick')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        {all.isPending ? (
          <RowSkeletons n={3} />
        ) : sets.length === 0 ? (
          <Empty title={t('prompt:knowledge.none')} action={<Button component={Link} to="/knowledge?create=1">{t('knowledge:create.action')}</Button>}>
            {t('prompt:knowledge.noneText')}
          </Empty>
        ) : (
          <Stack gap="xs">
            {sets.map((dataset) => {
              const on = ids.includes(dataset.id);
              return (
                <UnstyledButton
                  key={dataset.id}
                  className={css.row}
                  role="checkbox"
                  aria-checked={on}
                  onClick={() => set(on ? ids.filter((id) => id !== dataset.id) : [...ids, dataset.id])}
                >
                  <Checkbox checked={on} readOnly tabIndex={-1} aria-hidden />
                  <Text fz="sm" truncate>
                    {dataset.name}
                  </Text>
                  <Text fz="xs" c="dimmed" ml="auto" pr="sm" style={{ flex: 'none' }}>
                    {contents(dataset)}
                  </Text>
                </UnstyledButton>
              );
            })}
            <Group justify="flex-end" mt="sm">
              <Button onClick={() => setDialog(null)}>{t('prompt:knowledge.done')}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Section>
  );
}
