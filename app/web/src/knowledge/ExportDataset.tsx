import { Button, Group, Progress, Stack, Text } from '@mantine/core';
import { IconFileExport } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import { download } from '@/api/download';
import { useTranslation } from '@/i18n';
import { bytes, count } from '@/ui/format';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';

/** Fetches the whole knowledge base as one file; its length is known beforehand only about. */
export function ExportDataset({ id }: { id: string }) {
  const { t } = useTranslation();
  const [received, setReceived] = useState(0);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const size = useQuery({ queryKey: ['datasets', 'export-size', id], queryFn: () => knowledgeApi.exportSize(id) });
  const fetching = useAct(async () => {
    setReceived(0);
    const abort = (stop.current = new AbortController());
    await download(`/datasets/${id}/export`, setReceived, abort.signal).catch((error: unknown) => {
      if (!abort.signal.aborted) throw error;
    });
  });
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <Button variant="default" loading={fetching.isPending} leftSection={<IconFileExport size={18} />} onClick={() => fetching.mutate(undefined)}>{t('knowledge:export.action')}</Button>
        {fetching.isPending ? (
          <Button size="compact-sm" variant="subtle" onClick={() => stop.current?.abort()}>{t('action.cancel')}</Button>
        ) : size.data ? (
          <Text fz="sm" c="dimmed">{t('knowledge:export.size', { size: bytes(size.data.bytes), files: count(size.data.files), segments: count(size.data.segments) })}</Text>
        ) : null}
      </Group>
      {fetching.isPending ? (
        <div role="status">
          {/* The last part of a bar whose end is a guess stays empty until the file is whole. */}
          <Progress animated value={size.data?.bytes ? Math.min(98, (100 * received) / size.data.bytes) : 0} aria-label={t('knowledge:export.action')} />
          <Text fz="xs" c="dimmed" mt={4} className="sp-num">{t('knowledge:export.received', { size: bytes(received) })}</Text>
        </div>
      ) : null}
    </Stack>
  );
}
