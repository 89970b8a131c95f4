import { Badge, Button, Group, Pagination, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconDownload, IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { useParams, useSearchParams } from 'react-router';

import { http, url } from '@/api/http';
import type { Doc } from '@/api/types';
import { highlight } from '@/chat/highlight';
import { count } from '@/ui/format';
import { Page } from '@/ui/Page';
import { Empty, Failed, RowSkeletons } from '@/ui/states';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import css from './Knowledge.module.css';

/** The chunks of one document. */
export default function Segments() {
  const { t } = useTranslation();
  const dataset = useFrameDataset();
  const { documentId = '' } = useParams();
  const [params] = useSearchParams();
  const here = params.get('segment');
  const [keyword, setKeyword] = useState('');
  const [wanted] = useDebouncedValue(keyword, 250);
  const [page, setPage] = useState(1);
  const doc = useQuery({
    queryKey: ['datasets', 'document', documentId],
    queryFn: () => http.get<Doc>(`/datasets/${dataset.id}/documents/${documentId}`),
  });
  const segments = useQuery({
    queryKey: ['datasets', 'segments', documentId, page, wanted],
    queryFn: () => knowledgeApi.segments(dataset.id, documentId, page, wanted),
    placeholderData: keepPreviousData,
  });
  // A passage opened from a citation may stand on a later page.
  const target = useQuery({
    queryKey: ['segment', dataset.id, here],
    queryFn: () => http.get<{ segment?: { position?: number } }>(`/datasets/${dataset.id}/segments/${here ?? ''}`),
    enabled: Boolean(here),
    retry: false,
  });
  const position = target.data?.segment?.position;
  useEffect(() => {
    if (position) setPage(Math.floor((position - 1) / 20) + 1);
  }, [position]);
  const mark = useRef<HTMLDivElement>(null);
  useEffect(() => {
    mark.current?.scrollIntoView({ block: 'center' });
  }, [segments.data, here]);
  return (
    <Page
      title={doc.data?.name ?? t('knowledge:segments.title')}
      back={{ to: `/knowledge/${dataset.id}`, label: t('knowledge:tab.documents') }}
      description={doc.data ? t('knowledge:words', { n: count(doc.data.word_count) }) : undefined}
      actions={
        <Button component="a" href={url(`/datasets/${dataset.id}/documents/${documentId}/download`)} download variant="default" leftSection={<IconDownload size={18} />}>
          {t('knowledge:original')}
        </Button>
      }
    >
      <Stack>
        <TextInput aria-label={t('knowledge:segments.search')} placeholder={t('knowledge:segments.search')} leftSection={<IconSearch size={16} />} maw={320} value={keyword} onChange={(event) => { setKeyword(event.currentTarget.value); setPage(1); }} />
        {segments.isPending ? (
          <RowSkeletons />
        ) : segments.error ? (
          <Failed error={segments.error} retry={() => segments.refetch()} />
        ) : segments.data.data.length === 0 ? (
          <Empty title={t('knowledge:segments.none')}>{t('knowledge:segments.noneText')}</Empty>
        ) : (
          segments.data.data.map((segment) => (
            <div key={segment.id} className={css.chunk} data-here={segment.id === here || undefined} ref={segment.id === here ? mark : undefined}>
              <Group gap={8} mb={6}>
                <Badge size="sm" variant="light" tt="none">{segment.position}</Badge>
                {segment.page ? <Text fz="xs" c="dimmed">{t('chat:page', { n: segment.page })}</Text> : null}
                {segment.heading ? <Text fz="xs" c="dimmed" truncate maw={420}>{segment.heading}</Text> : null}
                {segment.hit_count ? <Text fz="xs" c="dimmed" ml="auto">{t('knowledge:segments.hits', { count: segment.hit_count })}</Text> : null}
              </Group>
              {highlight(segment.content, wanted).map((piece, i) => (piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text))}
              {segment.answer ? <Text mt="xs" fz="sm" fw={550}>{segment.answer}</Text> : null}
            </div>
          ))
        )}
        {segments.data && segments.data.total > segments.data.limit ? <Pagination value={page} onChange={setPage} total={Math.ceil(segments.data.total / segments.data.limit)} /> : null}
      </Stack>
    </Page>
  );
}
