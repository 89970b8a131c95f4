import { Group, NumberInput, Select, Slider, Stack, Switch, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';

import type { RetrievalModel } from '@/api/types';

import { RerankSelect } from './Rerank';

export const METHODS = ['hybrid_search', 'semantic_search', 'full_text_search'] as const;

export const START: RetrievalModel = {
  search_method: 'hybrid_search', top_k: 4, score_threshold_enabled: false, score_threshold: 0.5, reranking_enable: false,
};

/**
 * How a base is searched.
 * @param economy whether the base has no vectors: then only words can be searched
 */
export function RetrievalForm({ value, onChange, economy }: { value: RetrievalModel; onChange: (next: RetrievalModel) => void; economy?: boolean }) {
  const { t } = useTranslation();
  const set = (change: Partial<RetrievalModel>) => onChange({ ...value, ...change });
  const weight = value.weights?.vector_setting.vector_weight;
  return (
    <Stack>
      {economy ? <Text fz="sm" c="dimmed">{t('knowledge:retrieval.economy')}</Text> : (
        <Select label={t('knowledge:test.method')} allowDeselect={false} value={value.search_method} onChange={(next) => set({ search_method: next ?? 'hybrid_search' })} data={METHODS.map((method) => ({ value: method, label: t(`knowledge:method.${method}`) }))} />
      )}
      <NumberInput label={t('prompt:retrieval.topK')} min={1} max={20} value={value.top_k} onChange={(next) => set({ top_k: Number(next) || START.top_k })} />
      {value.search_method === 'hybrid_search' && !economy ? (
        <div>
          <Switch
            label={t('prompt:retrieval.weights')}
            description={t('knowledge:retrieval.weightsText')}
            checked={weight !== undefined}
            onChange={(event) => set(event.currentTarget.checked ? { reranking_mode: 'weighted_score', weights: { vector_setting: { vector_weight: 0.7 }, keyword_setting: { keyword_weight: 0.3 } } } : { reranking_mode: null, weights: null })}
          />
          {weight !== undefined ? (
            <>
              <Slider mt="sm" min={0} max={1} step={0.05} value={weight} thumbLabel={t('prompt:retrieval.weights')} onChange={(next) => set({ weights: { vector_setting: { ...value.weights?.vector_setting, vector_weight: next }, keyword_setting: { keyword_weight: Math.round((1 - next) * 100) / 100 } } })} />
              <Group justify="space-between" mt={4}>
                <Text fz="xs" c="dimmed">{t('prompt:retrieval.byWords')}</Text>
                <Text fz="xs" c="dimmed">{t('prompt:retrieval.byMeaning')}</Text>
              </Group>
            </>
          ) : null}
        </div>
      ) : null}
      <div>
        <Switch label={t('prompt:retrieval.threshold')} description={t('prompt:retrieval.thresholdText')} checked={value.score_threshold_enabled} onChange={(event) => set({ score_threshold_enabled: event.currentTarget.checked, score_threshold: value.score_threshold ?? 0.5 })} />
        {value.score_threshold_enabled ? <Slider mt="sm" min={0} max={1} step={0.05} thumbLabel={t('prompt:retrieval.threshold')} value={value.score_threshold ?? 0.5} onChange={(score_threshold) => set({ score_threshold })} /> : null}
      </div>
      <RerankSelect value={value} onChange={set} />
    </Stack>
  );
}
