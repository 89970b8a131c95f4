import { Anchor, Select, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { localised, useModels } from '@/models/api';

/** Which model puts what was found in order, as Dify writes it down. */
export interface Reranking {
  reranking_enable?: boolean;
  reranking_mode?: string | null;
  reranking_model?: unknown;
  weights?: unknown;
}

/** Lets a rerank model be chosen; it takes the place of weights. */
export function RerankSelect({ value, onChange }: { value: Reranking; onChange: (change: Omit<Reranking, 'weights'>) => void }) {
  const { t } = useTranslation();
  const models = useModels('rerank');
  const now = (value.reranking_model ?? {}) as { reranking_provider_name?: string; reranking_model_name?: string };
  const chosen = value.reranking_enable && value.reranking_mode !== 'weighted_score' && now.reranking_model_name ? `${now.reranking_provider_name ?? ''}\n${now.reranking_model_name}` : '';
  const list = (models.data?.data ?? []).map((model) => ({ value: `${model.provider}\n${model.model}`, label: `${localised(model.provider_label, model.provider)} · ${model.model}` }));
  if (chosen && models.data && !list.some((entry) => entry.value === chosen)) list.push({ value: chosen, label: now.reranking_model_name ?? '' });
  return (
    <div>
      <Select
        label={t('knowledge:retrieval.rerank')}
        description={t('knowledge:retrieval.rerankText')}
        allowDeselect={false}
        value={chosen}
        disabled={list.length === 0}
        onChange={(next) => {
          const [reranking_provider_name = '', reranking_model_name = ''] = (next ?? '').split('\n');
          onChange(
            next
              ? { reranking_enable: true, reranking_mode: 'reranking_model', reranking_model: { reranking_provider_name, reranking_model_name } }
              : { reranking_enable: false, reranking_mode: value.weights ? 'weighted_score' : null },
          );
        }}
        data={[{ value: '', label: t('knowledge:retrieval.noRerank') }, ...list]}
      />
      {models.data && list.length === 0 ? (
        <Text fz="xs" c="dimmed" mt={6}>
          {t('knowledge:retrieval.rerankNone')} <Anchor component={Link} to="/models" fz="xs">{t('nav.models')}</Anchor>
        </Text>
      ) : null}
    </div>
  );
}
