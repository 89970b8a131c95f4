import { Alert, Button, Group, Progress, Select, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from '@/i18n';

import type { Dataset } from '@/api/types';
import { localised, useModels } from '@/models/api';
import { useConfirm } from '@/ui/confirm';
import { count } from '@/ui/format';
import { serverText } from '@/ui/serverText';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';

const key = (provider: string | null, model: string | null) => `${provider ?? ''}\n${model ?? ''}`;

/** The model that turns this base's texts into vectors, and the way to another one while this one serves. */
export function Embedding({ dataset }: { dataset: Dataset }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const models = useModels('text-embedding');
  const present = key(dataset.embedding_model_provider, dataset.embedding_model);
  const [chosen, setChosen] = useState(present);
  const state = useQuery({
    queryKey: ['reindex', dataset.id],
    queryFn: () => knowledgeApi.reindex(dataset.id),
    refetchInterval: (query) => (query.state.data?.reindex && ['queued', 'running'].includes(query.state.data.reindex.state) ? 1000 : false),
  });
  const running = state.data?.reindex ?? null;
  const refresh = () => Promise.all([client.invalidateQueries({ queryKey: ['reindex', dataset.id] }), client.invalidateQueries({ queryKey: ['datasets', 'one', dataset.id] })]);
  const wanted = dataset.next_embedding_model;
  useEffect(() => {
    // The change is done: the base names its new model.
    if (wanted && state.data && !running) void client.invalidateQueries({ queryKey: ['datasets', 'one', dataset.id] });
  }, [wanted, running, state.data, client, dataset.id]);
  useEffect(() => setChosen(present), [present]);
  const start = useAct(() => {
    const [embedding_model_provider = '', embedding_model = ''] = chosen.split('\n');
    return knowledgeApi.update(dataset.id, { embedding_model_provider, embedding_model });
  }, { done: refresh });
  const again = useAct(() => knowledgeApi.retryReindex(dataset.id), { done: refresh });
  const stop = useAct(() => knowledgeApi.stopReindex(dataset.id), { done: refresh });
  const ask = async () => {
    if (dataset.document_count === 0 || (await confirm({ title: t('knowledge:embedding.ask'), text: t('knowledge:embedding.askText'), confirm: t('knowledge:embedding.start') }))) start.mutate();
  };
  const data = (models.data?.data ?? []).map((entry) => ({ value: key(entry.provider, entry.model), label: `${localised(entry.provider_label, entry.provider)} · ${entry.model}` }));
  if (!data.some((entry) => entry.value === present)) data.unshift({ value: present, label: dataset.embedding_model ?? '–' });
  const failed = running && !['queued', 'running'].includes(running.state);
  return (
    <Section title={t('knowledge:embedding.title')} description={t('knowledge:embedding.text')}>
      <Stack>
        <Group align="flex-end">
          <Select flex="1 1 260px" label={t('knowledge:embedding.model')} allowDeselect={false} disabled={Boolean(running)} value={chosen} onChange={(value) => setChosen(value ?? present)} data={data} />
          <Button variant="default" disabled={chosen === present || Boolean(running)} loading={start.isPending} onClick={() => void ask()}>{t('knowledge:embedding.change')}</Button>
        </Group>
        {running ? (
          <Stack gap={6} aria-live="polite">
            <Text fz="sm">{t('knowledge:embedding.running', { name: running.model })}</Text>
            <Progress value={running.total ? (100 * running.done) / running.total : 0} animated={!failed} color={failed ? 'brick' : undefined} aria-label={t('knowledge:embedding.title')} />
            <Text fz="xs" c="dimmed" className="sp-num">{count(running.done)}/{count(running.total)}</Text>
            {failed ? <Alert color="brick" role="alert">{serverText(running.error ?? t('knowledge:embedding.failed'))}</Alert> : null}
            <Group gap="xs">
              {failed ? <Button size="xs" loading={again.isPending} onClick={() => again.mutate()}>{t('action.retry')}</Button> : null}
              <Button size="xs" variant="default" loading={stop.isPending} onClick={() => stop.mutate()}>{t('knowledge:embedding.stop')}</Button>
            </Group>
          </Stack>
        ) : null}
      </Stack>
    </Section>
  );
}
