import { Anchor, Text } from '@mantine/core';

import { url } from '@/api/http';
import type { Segment } from '@/api/types';

import { usePlaceText } from './places';

/** Where in its document a chunk stands; a page of a PDF opens the original there. */
export function Place({ segment, datasetId, documentId, pdf }: { segment: Segment; datasetId: string; documentId: string; pdf: boolean }) {
  const place = usePlaceText()(segment.place_kind, segment.place);
  const heading = segment.heading?.join(' › ');
  const known = heading === segment.place; // a sheet is its own heading
  return (
    <>
      {place ? (
        segment.place_kind === 'page' && pdf ? (
          <Anchor fz="xs" target="_blank" rel="noreferrer" href={`${url(`/datasets/${datasetId}/documents/${documentId}/download`, { inline: true })}#page=${segment.place?.split('-')[0] ?? ''}`}>
            {place}
          </Anchor>
        ) : (
          <Text fz="xs" c="dimmed">{place}</Text>
        )
      ) : null}
      {heading && !known ? <Text fz="xs" c="dimmed" truncate maw={420} title={heading}>{heading}</Text> : null}
    </>
  );
}
