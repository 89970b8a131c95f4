import { Alert, Anchor, Badge, Button, Drawer, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconDownload, IconExternalLink, IconFileText } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { http, url } from '@/api/http';
import type { Around, Citation } from '@/api/types';

import { highlight } from './highlight';
import css from './SourceDrawer.module.css';

function Marked({ text, query }: { text: string; query: string }) {
  return highlight(text, query).map((piece, i) => (piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text));
}

/** The passage an answer rests on, with what stands before and after it. */
export default function SourceDrawer({
  citation,
  query,
  linked,
  onClose,
}: {
  citation: Citation;
  query: string;
  linked: boolean;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const passage = useQuery({
    queryKey: ['segment', citation.dataset_id, citation.segment_id],
    queryFn: () => http.get<Around>(`/datasets/${citation.dataset_id}/segments/${citation.segment_id}`),
    enabled: linked && Boolean(citation.segment_id),
    retry: false,
  });
  const hit = useRef<HTMLDivElement>(null);
  useEffect(() => {
    hit.current?.scrollIntoView({ block: 'center' });
  }, [passage.data]);

  const own = passage.data?.segment;
  const before = passage.data?.before ?? [];
  const after = passage.data?.after ?? [];
  const page = citation.page ?? (own?.place_kind === 'page' ? own.place : null);
  const heading = citation.heading ?? own?.heading.join(' > ');
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={t('chat:source.title', { n: citation.position })}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Stack gap="md" data-testid="source">
        <Group gap="sm" wrap="nowrap" align="flex-start">
          <IconFileText size={28} stroke={1.4} style={{ flex: 'none' }} aria-hidden />
          <div style={{ minWidth: 0 }}>
            <Text fw={620} style={{ overflowWrap: 'anywhere' }}>
              {citation.document_name}
            </Text>
            <Text c="dimmed" fz="sm">
              {citation.dataset_name}
            </Text>
          </div>
        </Group>
        <Group gap={8}>
          {page ? <Badge variant="light" tt="none">{`${t('chat:source.page')} ${page}`}</Badge> : null}
          {typeof citation.score === 'number' ? (
            <Badge variant="default" tt="none">{`${t('chat:source.score')} ${citation.score.toFixed(2)}`}</Badge>
          ) : null}
        </Group>
        {heading ? <Text fz="sm" c="dimmed">{`${t('chat:source.heading')}: ${heading}`}</Text> : null}
        {passage.isLoading ? (
          <Skeleton h={180} />
        ) : (
          <div className={css.text}>
            {before.map((n) => (
              <p key={n.id} className={css.near}>
                {n.content}
              </p>
            ))}
            <div className={css.hit} ref={hit} aria-label={t('chat:source.passage')} role="region">
              <Marked text={own?.content ?? citation.content} query={query} />
            </div>
            {after.map((n) => (
              <p key={n.id} className={css.near}>
                {n.content}
              </p>
            ))}
          </div>
        )}
        {passage.error ? <Alert color="sparrow">{t('chat:source.gone')}</Alert> : null}
        {linked && !passage.error ? (
          <Group>
            <Button
              component={Link}
              to={`/knowledge/${citation.dataset_id}/documents/${citation.document_id}?segment=${citation.segment_id}`}
              variant="default"
              leftSection={<IconExternalLink size={16} />}
            >
              {t('chat:source.open')}
            </Button>
            <Anchor href={url(`/datasets/${citation.dataset_id}/documents/${citation.document_id}/download`)} fz="sm" download>
              <Group gap={6}>
                <IconDownload size={16} aria-hidden /> {t('chat:source.original')}
              </Group>
            </Anchor>
          </Group>
        ) : null}
      </Stack>
    </Drawer>
  );
}
