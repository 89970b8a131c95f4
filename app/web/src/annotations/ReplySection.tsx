import { Group, Select, Slider, Stack, Switch, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { AnnotationSettings } from '@/api/types';
import { localised, useModels } from '@/models/api';
import { Failed, RowSkeletons, Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { annotationApi, useReplySettings } from './api';

/** Whether annotations answer by themselves, how alike a question must be, and which model judges that. */
export function ReplySection({ appId }: { appId: string }) {
  const { t } = useTranslation();
  const settings = useReplySettings(appId);
  return (
    <Section id="reply" title={t('annotations:reply.title')} description={t('annotations:reply.text')}>
      {settings.isPending ? <RowSkeletons n={1} /> : settings.error ? <Failed error={settings.error} retry={() => settings.refetch()} /> : <Fields key={appId} appId={appId} now={settings.data} />}
    </Section>
  );
}

function Fields({ appId, now }: { appId: string; now: AnnotationSettings }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const models = useModels('text-embedding');
  const [threshold, setThreshold] = useState(now.score_threshold);
  const save = useAct(
    async (next: AnnotationSettings) => {
      const { enabled, ...rest } = next;
      await (enabled ? annotationApi.enable(appId, rest) : annotationApi.disable(appId));
    },
    { done: () => client.invalidateQueries({ queryKey: ['apps', 'annotation-reply', appId] }) },
  );
  const model = now.embedding_model_name ? `${now.embedding_provider_name}\n${now.embedding_model_name}` : '';
  const list = (models.data?.data ?? []).map((entry) => ({ value: `${entry.provider}\n${entry.model}`, label: `${localised(entry.provider_label, entry.provider)} · ${entry.model}` }));
  return (
    <Stack>
      <Switch label={t('annotations:reply.on')} checked={now.enabled} disabled={save.isPending} onChange={(event) => save.mutate({ ...now, enabled: event.currentTarget.checked })} />
      {now.enabled ? (
        <Group align="flex-start" gap="lg">
          <div style={{ flex: '1 1 260px' }}>
            <Group justify="space-between">
              <Text fz="sm" fw={500}>{t('annotations:reply.threshold')}</Text>
              <Text fz="sm" c="dimmed" className="sp-num">{threshold.toFixed(2)}</Text>
            </Group>
            <Text fz="xs" c="dimmed" mb={8}>{t('annotations:reply.thresholdText')}</Text>
            <Slider min={0.5} max={1} step={0.01} label={null} thumbLabel={t('annotations:reply.threshold')} value={threshold} onChange={setThreshold} onChangeEnd={(score_threshold) => save.mutate({ ...now, score_threshold })} />
          </div>
          <Select
            flex="1 1 260px"
            label={t('annotations:reply.model')}
            allowDeselect={false}
            disabled={save.isPending}
            data={[{ value: '', label: t('annotations:reply.standard') }, ...list]}
            value={model}
            onChange={(next) => {
              const [embedding_provider_name = '', embedding_model_name = ''] = (next ?? '').split('\n');
              save.mutate({ ...now, embedding_provider_name, embedding_model_name });
            }}
          />
        </Group>
      ) : null}
    </Stack>
  );
}
