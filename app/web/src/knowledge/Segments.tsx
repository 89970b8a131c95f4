import { ActionIcon, Badge, Button, Checkbox, Drawer, FileButton, Group, Stack, Switch, Text, Tooltip } from '@mantine/core';
import { IconBook, IconDownload, IconExternalLink, IconFileImport, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { useParams, useSearchParams } from 'react-router';

import { http, url } from '@/api/http';
import type { Around, Doc, Segment } from '@/api/types';
import { isGone } from '@/ui/errors';
import { count } from '@/ui/format';
import { Pages, SearchField, useListing } from '@/ui/Listing';
import NotFound from '@/ui/NotFound';
import { Page } from '@/ui/Page';
import { useConfirm } from '@/ui/confirm';
import { done } from '@/ui/notify';
import { Empty, Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { isWorking, knowledgeApi } from './api';
import { Children } from './Children';
import { useFrameDataset } from './DatasetFrame';
import { DocumentState } from './DocumentState';
import { beside, Images } from './Images';
import css from './Knowledge.module.css';
import { useValueText } from './Metadata';
import { Place } from './Place';
import { Reader } from './Reader';
import { SegmentBulk } from './SegmentBulk';
import { SegmentEditor } from './SegmentEditor';
import { readable } from './Site';
import { SegmentSummary } from './Summaries';

const Found = lazy(() => import('./Found'));

/** The chunks of one document. */
export default function Segments() {
  const { t } = useTranslation();
  const dataset = useFrameDataset();
  const { documentId = '' } = useParams();
  const [params] = useSearchParams();
  const here = params.get('segment');
  const place = useListing();
  const { page, setPage, wanted } = place;
  const doc = useQuery({
    queryKey: ['datasets', 'document', documentId],
    queryFn: () => http.get<Doc>(`/datasets/${dataset.id}/documents/${documentId}`),
    refetchInterval: (query) => (query.state.data && isWorking(query.state.data) ? 1000 : false),
  });
  const working = Boolean(doc.data && isWorking(doc.data));
  const segments = useQuery({
    queryKey: ['datasets', 'segments', documentId, page, wanted, working],
    queryFn: () => knowledgeApi.segments(dataset.id, documentId, page, wanted),
    staleTime: 0, // the end of indexing brings the first key back: it is asked for again
    placeholderData: keepPreviousData,
    refetchInterval: working ? 2000 : false,
  });
  // A passage opened from a citation may stand on a later page.
  const target = useQuery({
    queryKey: ['segment', dataset.id, here],
    queryFn: () => http.get<Around>(`/datasets/${dataset.id}/segments/${here ?? ''}`),
    enabled: Boolean(here),
    retry: false,
  });
  const index = target.data?.index;
  useEffect(() => {
    if (index !== undefined) setPage(Math.floor(index / 20) + 1);
  }, [index, setPage]);
  const mark = useRef<HTMLDivElement>(null);
  const arrived = useRef<string | null>(null);
  useEffect(() => {
    // Once: what is changed on the page later must not move it.
    if (!mark.current || arrived.current === here) return;
    arrived.current = here;
    mark.current.scrollIntoView({ block: 'center' });
  }, [segments.data, here]);
  const client = useQueryClient();
  const confirm = useConfirm();
  const [reading, setReading] = useState(false);
  const valueText = useValueText();
  const [editing, setEditing] = useState<Segment | 'new' | null>(null);
  const [chosen, setChosen] = useState<string[]>([]);
  const refresh = () => client.invalidateQueries({ queryKey: ['datasets'] });
  const toggle = useAct((input: { id: string; enabled: boolean }) => knowledgeApi.changeSegment(dataset.id, documentId, input.id, { enabled: input.enabled }), { done: refresh });
  const remove = useAct((id: string) => knowledgeApi.removeSegment(dataset.id, documentId, id), { done: refresh });
  const csv = useAct((file: File) => knowledgeApi.importSegments(dataset.id, documentId, file), {
    done: async (result) => {
      await refresh();
      done(t('knowledge:segments.imported', { count: result.added }));
    },
  });
  const askRemove = async (segment: Segment) => {
    if (await confirm({ title: t('knowledge:segments.deleteTitle', { n: segment.position }), text: t('knowledge:delete.text'), confirm: t('action.delete') })) remove.mutate(segment.id);
  };
  const pdf = doc.data?.mime_type === 'application/pdf' || Boolean(doc.data?.name.toLowerCase().endsWith('.pdf'));
  const rows = segments.data?.data ?? [];
  const selected = rows.filter((segment) => chosen.includes(segment.id)).map((segment) => segment.id);
  const open = doc.data?.indexing_status === 'completed' && !doc.data.archived;
  if (isGone(doc.error)) return <NotFound back={{ to: `/knowledge/${dataset.id}`, label: t('knowledge:tab.documents') }} />;
  return (
    <Page
      title={doc.data?.name ?? t('knowledge:segments.title')}
      back={{ to: `/knowledge/${dataset.id}`, label: t('knowledge:tab.documents') }}
      description={doc.data ? [t('knowledge:words', { n: count(doc.data.word_count) }), ...(doc.data.doc_metadata ?? []).filter((entry) => entry.id !== 'built-in').map((entry) => `${entry.name}: ${valueText(entry.name, entry.type, entry.value)}`)].join(' · ') : undefined}
      actions={
        <Group gap="xs">
          {open && doc.data?.enabled ? (
            <>
              <Button leftSection={<IconPlus size={18} />} onClick={() => setEditing('new')}>{t('knowledge:segments.add')}</Button>
              <FileButton accept=".csv,text/csv" onChange={(file) => (file ? csv.mutate(file) : undefined)}>
                {(props) => <Button {...props} variant="default" loading={csv.isPending} leftSection={<IconFileImport size={18} />}>{t('knowledge:segments.csv')}</Button>}
              </FileButton>
            </>
          ) : null}
          {doc.data?.segment_count ? <Button variant="default" leftSection={<IconBook size={18} />} onClick={() => setReading(true)}>{t('knowledge:segments.read')}</Button> : null}
          {doc.data?.data_source_info?.url ? <Button component="a" href={doc.data.data_source_info.url} target="_blank" rel="noreferrer" title={readable(doc.data.data_source_info.url)} variant="default" leftSection={<IconExternalLink size={18} />}>{t('knowledge:site.open')}</Button> : null}
          <Button component="a" href={url(`/datasets/${dataset.id}/documents/${documentId}/download`)} download variant="default" leftSection={<IconDownload size={18} />}>
            {t('knowledge:original')}
          </Button>
        </Group>
      }
    >
      {reading ? <Drawer opened onClose={() => setReading(false)} position="right" size="xl" title={doc.data?.name} closeButtonProps={{ 'aria-label': t('action.close') }}><Reader datasetId={dataset.id} documentId={documentId} query="" /></Drawer> : null}
      {editing ? <SegmentEditor datasetId={dataset.id} documentId={documentId} segment={editing === 'new' ? undefined : editing} qa={doc.data?.doc_form === 'qa_model'} close={() => setEditing(null)} saved={refresh} /> : null}
      <Stack>
        {doc.data && (doc.data.display_status !== 'available' || doc.data.notices?.length) ? <DocumentState doc={doc.data} /> : null}
        <Group>
          <SearchField label={t('knowledge:segments.search')} place={place} />
          {open && rows.length ? <Checkbox label={t('knowledge:bulk.all')} checked={selected.length === rows.length} indeterminate={selected.length > 0 && selected.length < rows.length} onChange={(event) => setChosen(event.currentTarget.checked ? rows.map((segment) => segment.id) : [])} /> : null}
        </Group>
        {segments.isPending ? (
          <RowSkeletons />
        ) : segments.error ? (
          <Failed error={segments.error} retry={() => segments.refetch()} />
        ) : rows.length === 0 ? (
          <Empty title={t(wanted ? 'state.noMatch' : 'knowledge:segments.none')}>{working ? t('knowledge:segments.noneText') : null}</Empty>
        ) : (
          rows.map((segment) => (
            <div key={segment.id} className={css.chunk} data-off={segment.enabled === false || undefined} data-here={segment.id === here || undefined} ref={segment.id === here ? mark : undefined}>
              <Group gap={8} mb={6}>
                {open ? <Checkbox size="xs" aria-label={t('knowledge:segments.choose', { n: segment.position })} checked={chosen.includes(segment.id)} onChange={(event) => setChosen(event.currentTarget.checked ? [...chosen, segment.id] : chosen.filter((id) => id !== segment.id))} /> : null}
                <Badge size="sm" variant="light" tt="none">{segment.position}</Badge>
                <Place segment={segment} datasetId={dataset.id} documentId={documentId} pdf={pdf} />
                <Group gap={4} ml="auto" wrap="nowrap">
                  {segment.hit_count ? <Text fz="xs" c="dimmed" mr={6}>{t('knowledge:segments.hits', { count: segment.hit_count })}</Text> : null}
                  {open ? (
                    <>
                      <Switch size="xs" aria-label={t('knowledge:segments.enabled', { n: segment.position })} checked={segment.enabled !== false} onChange={(event) => toggle.mutate({ id: segment.id, enabled: event.currentTarget.checked })} />
                      <Tooltip label={t('action.edit')}><ActionIcon aria-label={t('knowledge:segments.edit', { n: segment.position })} onClick={() => setEditing(segment)}><IconPencil size={16} /></ActionIcon></Tooltip>
                      <Tooltip label={t('action.delete')}><ActionIcon aria-label={t('knowledge:segments.delete', { n: segment.position })} onClick={() => void askRemove(segment)}><IconTrash size={16} /></ActionIcon></Tooltip>
                    </>
                  ) : null}
                </Group>
              </Group>
              <Suspense fallback={segment.content}>
                <Found key={wanted} text={segment.content} query={wanted} />
                {segment.answer ? <div className={css.answer}><Found key={wanted} text={segment.answer} query={wanted} /></div> : null}
              </Suspense>
              <Images images={beside(segment.attachments, segment.content, segment.answer)} />
              {segment.child_chunks?.length || doc.data?.doc_form === 'hierarchical_model' ? <Children datasetId={dataset.id} documentId={documentId} segment={segment} editable={open} refresh={refresh} /> : null}
              <SegmentSummary datasetId={dataset.id} documentId={documentId} segment={segment} editable={open} offered={Boolean(dataset.summary_index_setting?.enable)} refresh={refresh} />
              {segment.keywords?.length ? <Group gap={4} mt={6}>{segment.keywords.map((word) => <Badge key={word} size="xs" variant="outline" tt="none">{word}</Badge>)}</Group> : null}
            </div>
          ))
        )}
        {open && selected.length ? <SegmentBulk datasetId={dataset.id} documentId={documentId} chosen={selected} clear={() => setChosen([])} refresh={refresh} /> : null}
        {segments.data ? <Pages of={segments.data} place={place} /> : null}
      </Stack>
    </Page>
  );
}
