import { Alert, Anchor, Badge, Button, Drawer, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconDownload, IconExternalLink, IconFileText, IconListDetails } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { http, url } from '@/api/http';
import type { Around, Citation } from '@/api/types';
import Found from '@/knowledge/Found';
import { beside, Images } from '@/knowledge/Images';
import { usePlaceText } from '@/knowledge/places';
import { Reader } from '@/knowledge/Reader';

import css from './SourceDrawer.module.css';
import { placeOf } from './turns';

/** The passage an answer rests on, in the text of its document. */
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
  const own = passage.data?.segment;
  const placeText = usePlaceText();
  const place = (own && placeText(own.place_kind, own.place)) ?? placeText(...placeOf(citation));
  const pdfPage = passage.data?.document.mime_type === 'application/pdf' && own?.place_kind === 'page' ? (own.place.split('-')[0] ?? null) : null;
  const heading = citation.heading ?? own?.heading.join(' > ');
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="xl"
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
          {place ? <Badge variant="light" tt="none">{place}</Badge> : null}
          {typeof citation.score === 'number' ? (
            <Badge variant="default" tt="none">{`${t('chat:source.score')} ${citation.score.toFixed(2)}`}</Badge>
          ) : null}
        </Group>
        {heading ? <Text fz="sm" c="dimmed">{`${t('chat:source.heading')}: ${heading}`}</Text> : null}
        {own ? (
          <Group>
            <Button
              component={Link}
              to={`/knowledge/${citation.dataset_id}/documents/${citation.document_id}?segment=${citation.segment_id}`}
              variant="default"
              size="xs"
              leftSection={<IconListDetails size={16} />}
            >
              {t('chat:source.open')}
            </Button>
            {pdfPage ? (
              <Anchor href={`${url(`/datasets/${citation.dataset_id}/documents/${citation.document_id}/download`, { inline: true })}#page=${pdfPage}`} target="_blank" rel="noreferrer" fz="sm">
                <Group gap={6}>
                  <IconExternalLink size={16} aria-hidden /> {t('chat:source.atPage', { page: pdfPage })}
                </Group>
              </Anchor>
            ) : null}
            <Anchor href={url(`/datasets/${citation.dataset_id}/documents/${citation.document_id}/download`)} fz="sm" download>
              <Group gap={6}>
                <IconDownload size={16} aria-hidden /> {t('chat:source.original')}
              </Group>
            </Anchor>
          </Group>
        ) : null}
        {passage.isLoading ? (
          <Skeleton h={180} />
        ) : own ? (
          <Reader key={own.id} datasetId={citation.dataset_id} documentId={citation.document_id} segmentId={own.id} query={query} />
        ) : (
          <div className={css.hit} aria-label={t('chat:source.passage')} role="region">
            <Found key={citation.content} text={citation.content} query={query} />
            <Images images={beside(citation.files, citation.content)} />
          </div>
        )}
        {passage.error ? <Alert color="sparrow">{t('chat:source.gone')}</Alert> : null}
      </Stack>
    </Drawer>
  );
}
