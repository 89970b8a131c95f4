import { Anchor, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';

import { url } from '@/api/http';
import type { Segment } from '@/api/types';

export const PLACE_KINDS = ['page', 'slide', 'sheet', 'line', 'time'] as const;

/** Where in its document a chunk stands; a page of a PDF opens the original there. */
export function Place({ segment, datasetId, documentId, pdf }: { segment: Segment; datasetId: string; documentId: string; pdf: boolean }) {
  const { t } = useTranslation();
  const kind = PLACE_KINDS.find((entry) => entry === segment.place_kind);
  const heading = segment.heading?.join(' › ');
  return (
    <>
      {kind && segment.place ? (
        kind === 'page' && pdf ? (
          <Anchor fz="xs" target="_blank" rel="noreferrer" href={`${url(`/datasets/${datasetId}/documents/${documentId}/download`, { inline: true })}#page=${segment.place.split('-')[0] ?? ''}`}>
            {t('knowledge:place.page', { place: segment.place })}
          </Anchor>
        ) : (
          <Text fz="xs" c="dimmed">{t(`knowledge:place.${kind}`, { place: segment.place })}</Text>
        )
      ) : null}
      {heading ? <Text fz="xs" c="dimmed" truncate maw={420}>{heading}</Text> : null}
    </>
  );
}
