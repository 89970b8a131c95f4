import { Anchor, Select, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';

import { useTranslation } from '@/i18n';
import { localised, useModels } from '@/models/api';
import { done } from '@/ui/notify';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';

const KEY = ['datasets', 'settings'];

/** The vision model that reads scanned pages of every knowledge base. */
export function ScannedPages() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const models = useModels('llm');
  const settings = useQuery({ queryKey: KEY, queryFn: knowledgeApi.settings });
  const save = useAct(knowledgeApi.setOcrModel, {
    done: (saved) => {
      client.setQueryData(KEY, saved);
      done(t('state.saved'));
    },
  });
  const now = settings.data?.ocr_model;
  const chosen = now ? `${now.provider}\n${now.model}` : '';
  const list = (models.data?.data ?? [])
    .filter((model) => model.features.includes('vision'))
    .map((model) => ({ value: `${model.provider}\n${model.model}`, label: `${localised(model.provider_label, model.provider)} · ${model.model}` }));
  if (now && models.data && !list.some((entry) => entry.value === chosen)) list.push({ value: chosen, label: now.model });
  return (
    <div>
      <Select
        label={t('knowledge:ocr.model')}
        description={t('knowledge:ocr.modelText')}
        allowDeselect={false}
        searchable
        value={chosen}
        disabled={!settings.data || save.isPending || list.length === 0}
        onChange={(next) => {
          const [provider = '', model = ''] = (next ?? '').split('\n');
          save.mutate(model ? { provider, model } : null);
        }}
        data={[{ value: '', label: t('knowledge:ocr.none') }, ...list]}
      />
      {models.data && list.length === 0 ? (
        <Text fz="xs" c="dimmed" mt={6}>
          {t('knowledge:ocr.noModel')} <Anchor component={Link} to="/models" fz="xs">{t('nav.models')}</Anchor>
        </Text>
      ) : null}
    </div>
  );
}
