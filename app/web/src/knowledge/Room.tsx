import { Alert, Loader, Progress, Stack, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconAlertTriangle } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';

import type { ProcessRule } from '@/api/types';
import { useTranslation } from '@/i18n';
import { bytes, count } from '@/ui/format';
import { serverText } from '@/ui/serverText';

import { knowledgeApi } from './api';

export interface Wanted {
  dataset_id: string;
  file_ids: string[];
  process_rule: ProcessRule;
  doc_form: string;
}

/** What the files will make and whether the index has room for it; asked again when files or chunking change. */
export function useForecast(wanted: Wanted, ready: boolean) {
  const now = JSON.stringify(wanted);
  const [settled] = useDebouncedValue(now, 600);
  return useQuery({
    queryKey: ['datasets', 'forecast', settled],
    queryFn: () => knowledgeApi.forecast(JSON.parse(settled) as Wanted),
    enabled: ready && wanted.file_ids.length > 0 && settled === now,
    staleTime: 60_000,
    placeholderData: keepPreviousData, // which files cannot be read is known, however they are to be cut
    retry: false,
  });
}

/** The memory of the index: now, and after the files are added. */
export function Room({ dataset, forecast }: { dataset: string; forecast: ReturnType<typeof useForecast> }) {
  const { t } = useTranslation();
  const now = useQuery({ queryKey: ['datasets', 'capacity', dataset], queryFn: () => knowledgeApi.capacity(dataset) });
  const found = forecast.data;
  if (!found || forecast.isPlaceholderData) {
    return (
      <Text fz="xs" c="dimmed" mt="md" component="div">
        {forecast.isFetching ? <><Loader size={12} mr={8} />{t('knowledge:memory.counting')}</> : now.data ? t('knowledge:memory.now', { now: bytes(now.data.bytes_now), limit: bytes(now.data.bytes_limit), more: bytes(now.data.bytes_per_10k) }) : null}
      </Text>
    );
  }
  const { memory, passages, exact, message } = found;
  const share = (part: number) => Math.min(100, (100 * part) / memory.bytes_limit);
  return (
    <Stack gap={6} mt="md" aria-live="polite">
      <Text fz="sm">
        {t(exact ? 'knowledge:memory.passages' : 'knowledge:memory.about', { count: passages, n: count(passages) })}{' '}
        {t('knowledge:memory.after', { now: bytes(memory.bytes_now), after: bytes(memory.bytes_after), limit: bytes(memory.bytes_limit) })}
      </Text>
      <Progress.Root size="sm" aria-label={t('knowledge:memory.label')}>
        <Progress.Section value={share(memory.bytes_now)} color="gray" aria-label={t('knowledge:memory.inUse')} />
        <Progress.Section value={Math.min(100 - share(memory.bytes_now), share(memory.bytes_after - memory.bytes_now))} color={memory.fits ? 'moss' : 'brick'} aria-label={t('knowledge:memory.added')} />
      </Progress.Root>
      {message ? <Alert color="brick" icon={<IconAlertTriangle size={20} />} role="alert">{serverText(message)}</Alert> : null}
    </Stack>
  );
}
