import { Select, SimpleGrid } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';

import type { ModelType } from '@/api/types';
import { done } from '@/ui/notify';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { localised, modelApi, useDefaultModels, useModels } from './api';

const ALWAYS = ['llm', 'text-embedding', 'rerank'] as const;
/** Shown once a model of the kind is connected. */
const SOMETIMES = ['speech2text', 'tts', 'moderation'] as const;
type Kind = (typeof ALWAYS)[number] | (typeof SOMETIMES)[number];

function DefaultModel({ type, always }: { type: Kind; always?: boolean }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const models = useModels(type);
  const defaults = useDefaultModels();
  const save = useAct((value: { type: ModelType; provider: string; model: string }) =>
    modelApi.setDefaults({ [value.type]: { provider: value.provider, model: value.model } }), {
    done: async () => {
      await client.invalidateQueries({ queryKey: ['default-models'] });
      done(t('state.saved'));
    },
  });
  const list = models.data?.data ?? [];
  const now = defaults.data?.[type];
  if (!always && list.length === 0) return null;
  return (
    <Select
      label={t(`models:type.${type}`)}
      description={t(`models:default.${type}`)}
      placeholder={type === 'text-embedding' ? t('models:default.own') : list.length ? t('models:default.choose') : t('models:default.none')}
      disabled={!list.length || save.isPending}
      searchable
      allowDeselect={false}
      value={now ? JSON.stringify([now.provider, now.model]) : null}
      data={list.map((m) => ({ value: JSON.stringify([m.provider, m.model]), label: `${m.model} · ${localised(m.provider_label, m.provider)}` }))}
      onChange={(value) => {
        if (!value) return;
        const [provider = '', model = ''] = JSON.parse(value) as string[];
        save.mutate({ type, provider, model });
      }}
    />
  );
}

/** The models used where nothing else was chosen. */
export function DefaultModelsSection() {
  const { t } = useTranslation();
  return (
    <Section title={t('models:default.title')} description={t('models:default.text')}>
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        {ALWAYS.map((type) => <DefaultModel key={type} type={type} always />)}
        {SOMETIMES.map((type) => <DefaultModel key={type} type={type} />)}
      </SimpleGrid>
    </Section>
  );
}
