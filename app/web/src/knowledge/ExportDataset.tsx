import { Button, Group, Text } from '@mantine/core';
import { IconFileExport } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';

import { download } from '@/api/download';
import { useTranslation } from '@/i18n';
import { bytes } from '@/ui/format';
import { useAct } from '@/ui/useAct';

/** Fetches the whole knowledge base as one file; tells how much of it is here, for its length is not known before. */
export function ExportDataset({ id }: { id: string }) {
  const { t } = useTranslation();
  const [received, setReceived] = useState(0);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const fetching = useAct(async () => {
    setReceived(0);
    const abort = (stop.current = new AbortController());
    await download(`/datasets/${id}/export`, setReceived, abort.signal).catch((error: unknown) => {
      if (!abort.signal.aborted) throw error;
    });
  });
  return (
    <Group gap="sm">
      <Button variant="default" loading={fetching.isPending} leftSection={<IconFileExport size={18} />} onClick={() => fetching.mutate(undefined)}>{t('knowledge:export.action')}</Button>
      {fetching.isPending ? (
        <>
          <Text fz="sm" c="dimmed" role="status" className="sp-num">{t('knowledge:export.received', { size: bytes(received) })}</Text>
          <Button size="compact-sm" variant="subtle" onClick={() => stop.current?.abort()}>{t('action.cancel')}</Button>
        </>
      ) : null}
    </Group>
  );
}
