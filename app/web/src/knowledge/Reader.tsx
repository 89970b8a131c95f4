import { Button, Center, Loader, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Fragment, useLayoutEffect, useRef } from 'react';
import { useTranslation } from '@/i18n';

import type { TextPiece } from '@/api/types';
import Markdown from '@/chat/Markdown';
import { Failed, RowSkeletons } from '@/ui/states';

import { knowledgeApi } from './api';
import { beside, Images } from './Images';
import css from './Reader.module.css';
import { useMarks } from './marks';
import { usePlaceText } from './places';

/** Where a page of the text begins: around a passage, or from one on, counted from 0. */
interface From {
  segment?: string;
  start?: number;
}

function Passage({ piece, here, query }: { piece: TextPiece; here: boolean; query: string }) {
  const { t } = useTranslation();
  const box = useMarks(here ? query : '');
  const text = here ? piece.content : piece.text;
  const inside = (
    <>
      <Markdown text={text} />
      {piece.answer ? <Markdown text={piece.answer} /> : null}
      <Images images={beside(piece.images, piece.content, piece.answer)} />
    </>
  );
  return here ? (
    <div ref={box} className={css.here} role="region" aria-label={t('chat:source.passage')} data-testid="passage">{inside}</div>
  ) : inside;
}

/**
 * A document's text from beginning to end, opened at a passage: headings, pages, sheets and slides stand where they
 * begin, and what comes before and after is loaded on request.
 */
export function Reader({ datasetId, documentId, segmentId, query }: { datasetId: string; documentId: string; segmentId?: string; query: string }) {
  const { t } = useTranslation();
  const placeText = usePlaceText();
  const first: From = segmentId ? { segment: segmentId } : { start: 0 };
  const pages = useInfiniteQuery({
    queryKey: ['datasets', 'text', datasetId, documentId, segmentId],
    queryFn: ({ pageParam }) => knowledgeApi.text(datasetId, documentId, pageParam),
    initialPageParam: first,
    getNextPageParam: (last): From | undefined => (last.start + last.pieces.length < last.total && last.pieces.length ? { start: last.start + last.pieces.length } : undefined),
    getPreviousPageParam: (first): From | undefined => (first.start > 0 ? { start: Math.max(0, first.start - 40) } : undefined),
    retry: false,
  });
  const frame = useRef<HTMLDivElement>(null);
  const arrived = useRef(false);
  const loaded = Boolean(pages.data);
  useLayoutEffect(() => {
    if (!loaded || arrived.current) return;
    // Once laid out, the passage stands in the middle; what is loaded later does not move the reader again.
    const timer = setTimeout(() => {
      frame.current?.querySelector('[data-testid=passage]')?.scrollIntoView({ block: 'center' });
      arrived.current = true;
    }, 60);
    return () => clearTimeout(timer);
  }, [loaded]);
  if (pages.isPending) return <RowSkeletons n={4} />;
  if (pages.error) return <Failed error={pages.error} retry={() => pages.refetch()} />;
  const seen = new Set<string>();
  const pieces = pages.data.pages.flatMap((page) => page.pieces).filter((piece) => !seen.has(piece.segment_id) && seen.add(piece.segment_id));
  return (
    <div ref={frame} className={css.reader}>
      {pages.hasPreviousPage ? <Center><Button size="xs" variant="default" loading={pages.isFetchingPreviousPage} onClick={() => void pages.fetchPreviousPage()}>{t('knowledge:reader.before')}</Button></Center> : null}
      {pieces.map((piece, i) => {
        const before = pieces[i - 1];
        const newPlace = piece.place !== before?.place ? placeText(piece.place_kind, piece.place) : null;
        const heading = piece.heading.join(' › ');
        const newHeading = heading && heading !== before?.heading.join(' › ') && !piece.text.trimStart().replace(/^#+\s*/, '').startsWith(piece.heading.at(-1) ?? '');
        return (
          <Fragment key={piece.segment_id}>
            {newPlace ? <div className={css.place}><span>{newPlace}</span></div> : null}
            {newHeading ? <Text className={css.heading} dir="auto">{heading}</Text> : null}
            <Passage piece={piece} here={piece.segment_id === segmentId} query={query} />
          </Fragment>
        );
      })}
      {pieces.length === 0 ? <Text c="dimmed">{t('knowledge:segments.none')}</Text> : null}
      {pages.hasNextPage ? <Center><Button size="xs" variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>{t('knowledge:reader.after')}</Button></Center> : null}
      {pages.isFetching && !pages.isFetchingNextPage && !pages.isFetchingPreviousPage ? <Center><Loader size="xs" /></Center> : null}
    </div>
  );
}
