import { ActionIcon, Anchor, Box, Button, Checkbox, Group, Select, Stack, Table, Text, Tooltip } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconPlayerPause, IconPlayerPlay, IconPlus, IconRefresh, IconTags, IconWorldDownload } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, Navigate, useSearchParams } from 'react-router';

import { url } from '@/api/http';
import type { Doc } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { ago, bytes, count } from '@/ui/format';
import { Pages, SearchField, useAddress, useListing } from '@/ui/Listing';
import { done } from '@/ui/notify';
import { Page } from '@/ui/Page';
import { Empty, Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { Bulk, Rename, RowMenu, type DocumentAction } from './Bulk';
import { isWorking, knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import { DocumentState, STATES } from './DocumentState';
import { FieldsDrawer, useValueText, ValuesDialog } from './Metadata';
import { Rechunk } from './Rechunk';
import { readable } from './Site';
import { SummaryState, WriteSummaries } from './Summaries';

const SORTS = ['-created_at', 'created_at', 'name', '-hit_count', '-word_count'] as const;

export default function Documents() {
  const { t } = useTranslation();
  const dataset = useFrameDataset();
  const client = useQueryClient();
  const confirm = useConfirm();
  const phone = useMediaQuery('(max-width: 47.99em)', undefined, { getInitialValueInEffect: false });
  const place = useListing();
  const { page, setPage, wanted } = place;
  const [params] = useSearchParams();
  const [state, setState] = useState(() => STATES.find((one) => one === params.get('state')) ?? null);
  const [sort, setSort] = useState(() => SORTS.find((one) => one === params.get('sort')) ?? SORTS[0]);
  useAddress({ state: state ?? '', sort: sort === SORTS[0] ? '' : sort });
  const filtered = Boolean(wanted || state);
  const key = ['datasets', 'documents', dataset.id];
  const docs = useQuery({
    queryKey: [...key, page, wanted, state, sort],
    queryFn: () => knowledgeApi.documents(dataset.id, page, wanted, state ?? '', sort),
    placeholderData: keepPreviousData,
    // A document whose summaries are being written is finished, and listed with the others.
    refetchInterval: (query) => (query.state.data?.data.some((doc) => doc.summary_state === 'waiting') ? 2000 : false),
  });
  const working = docs.data?.data.some(isWorking) ?? false;
  // Only what is unfinished is asked for, every second.
  const live = useQuery({
    queryKey: ['datasets', 'indexing', dataset.id],
    queryFn: () => knowledgeApi.indexing(dataset.id),
    enabled: working,
    refetchInterval: working ? 1000 : false,
  });
  const refresh = () => client.invalidateQueries({ queryKey: ['datasets'] });
  // What was asked for before the list is older than it.
  const states = live.dataUpdatedAt > docs.dataUpdatedAt ? live.data?.data : undefined;
  const ended = states !== undefined && docs.data?.data.some((doc) => isWorking(doc) && !states.some((state) => state.id === doc.id));
  useEffect(() => {
    // See how it ended; again after the next answer, should the list not know yet.
    if (!ended) return;
    void client.invalidateQueries({ queryKey: ['datasets', 'documents', dataset.id] });
    void client.invalidateQueries({ queryKey: ['datasets', 'one', dataset.id] });
  }, [ended, live.dataUpdatedAt, client, dataset.id]);

  const act = useAct((input: { id: string; action: 'pause' | 'resume' | 'cancel' | 'retry' }) => knowledgeApi.act(dataset.id, input.id, input.action), { done: refresh });
  const sync = useAct((id: string) => knowledgeApi.sync(dataset.id, id), {
    done: async (doc) => {
      if (!isWorking(doc)) done(t('knowledge:unchanged'));
      await refresh();
    },
  });
  const [chosen, setChosen] = useState<string[]>([]);
  const [renaming, setRenaming] = useState<Doc | null>(null);
  const [values, setValues] = useState<Doc[] | null>(null);
  const [rechunking, setRechunking] = useState<Doc[] | null>(null);
  const [summing, setSumming] = useState<Doc[] | null>(null);
  const [fields, setFields] = useState(false);
  const status = useAct((input: { id: string; action: DocumentAction }) => knowledgeApi.status(dataset.id, [input.id], input.action), { done: refresh });
  const retryAll = useAct(() => knowledgeApi.retryFailed(dataset.id), { done: refresh });
  const remove = useAct((id: string) => knowledgeApi.removeDocument(dataset.id, id), { done: refresh });
  const askRemove = async (doc: Doc) => {
    if (await confirm({ title: t('knowledge:delete.title', { name: doc.name }), text: t('knowledge:delete.text'), confirm: t('action.delete') })) remove.mutate(doc.id);
  };
  const rows = (docs.data?.data ?? []).map((doc) => (isWorking(doc) && states?.find((state) => state.id === doc.id)) || doc);
  const selected = rows.filter((doc) => chosen.includes(doc.id));
  const valueText = useValueText();
  const add = (
    <Button component={Link} to={`/knowledge/${dataset.id}/add`} leftSection={<IconPlus size={18} />}>
      {t('knowledge:add.action')}
    </Button>
  );
  if (dataset.provider === 'external') return <Navigate to={`/knowledge/${dataset.id}/test`} replace />;
  return (
    <Page title={t('knowledge:tab.documents')} description={dataset.description ? <span className="sp-clamp-2" title={dataset.description}>{dataset.description}</span> : undefined} actions={add}>
      {docs.isPending ? (
        <RowSkeletons />
      ) : docs.error ? (
        <Failed error={docs.error} retry={() => docs.refetch()} />
      ) : docs.data.total === 0 && !filtered ? (
        <Empty title={t('knowledge:noDocuments')} action={add}>
          {t('knowledge:noDocumentsText')}
        </Empty>
      ) : (
        <Stack>
          {fields ? <FieldsDrawer datasetId={dataset.id} close={() => setFields(false)} /> : null}
          {values ? <ValuesDialog datasetId={dataset.id} docs={values} close={() => setValues(null)} done={refresh} manage={() => { setValues(null); setFields(true); }} /> : null}
          {rechunking ? <Rechunk dataset={dataset} docs={rechunking} close={() => setRechunking(null)} done={async () => { setChosen([]); await refresh(); }} /> : null}
          {summing ? <WriteSummaries datasetId={dataset.id} docs={summing} close={() => setSumming(null)} done={async () => { setChosen([]); await refresh(); }} /> : null}
          {renaming ? <Rename datasetId={dataset.id} doc={renaming} close={() => setRenaming(null)} refresh={refresh} /> : null}
          <Group gap="xs">
            <SearchField label={t('knowledge:searchDocuments')} place={place} />
            <Select aria-label={t('knowledge:column.state')} placeholder={t('knowledge:anyState')} clearable flex="0 1 170px" value={state} onChange={(value) => { setState(STATES.find((one) => one === value) ?? null); setPage(1); }} data={STATES.map((value) => ({ value, label: t(`knowledge:status.${value}`) }))} />
            <Select aria-label={t('knowledge:sort.label')} allowDeselect={false} flex="0 1 170px" value={sort} onChange={(value) => { setSort(SORTS.find((one) => one === value) ?? SORTS[0]); setPage(1); }} data={SORTS.map((value) => ({ value, label: t(`knowledge:sort.${value}`) }))} />
            <Group gap="xs" ml="auto">
              {rows.some((doc) => doc.indexing_status === 'error' && doc.error_code !== 'cancelled') ? <Button variant="light" color="brick" size="sm" leftSection={<IconRefresh size={16} />} loading={retryAll.isPending} onClick={() => retryAll.mutate()}>{t('knowledge:retryAll')}</Button> : null}
              <Button variant="default" size="sm" leftSection={<IconTags size={16} />} onClick={() => setFields(true)}>{t('knowledge:metadata.title')}</Button>
            </Group>
          </Group>
          {working && live.data ? <Text fz="sm" c="dimmed" role="status">{t('knowledge:unfinished', { count: live.data.total, n: count(live.data.total) })}</Text> : null}
          <Table.ScrollContainer minWidth={300}>
            <Table verticalSpacing="sm" highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th w={40}>
                    <Checkbox aria-label={t('knowledge:bulk.all')} checked={selected.length > 0 && selected.length === rows.length} indeterminate={selected.length > 0 && selected.length < rows.length} onChange={(event) => setChosen(event.currentTarget.checked ? rows.map((doc) => doc.id) : [])} />
                  </Table.Th>
                  <Table.Th>{t('knowledge:column.name')}</Table.Th>
                  <Table.Th visibleFrom="sm">{t('knowledge:column.state')}</Table.Th>
                  <Table.Th ta="right" visibleFrom="md">{t('knowledge:column.words')}</Table.Th>
                  <Table.Th ta="right" visibleFrom="sm">{t('knowledge:column.hits')}</Table.Th>
                  <Table.Th visibleFrom="sm">{t('knowledge:column.added')}</Table.Th>
                  <Table.Th aria-label={t('action.more')} />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((doc) => (
                  <Table.Tr key={doc.id}>
                    <Table.Td>
                      <Checkbox aria-label={t('knowledge:bulk.choose', { name: doc.name })} checked={chosen.includes(doc.id)} onChange={(event) => setChosen(event.currentTarget.checked ? [...chosen, doc.id] : chosen.filter((id) => id !== doc.id))} />
                    </Table.Td>
                    <Table.Td maw={360}>
                      <Link to={`/knowledge/${dataset.id}/documents/${doc.id}`} className="sp-clamp-2" title={doc.name} style={{ color: 'inherit', fontWeight: 550, overflowWrap: 'anywhere' }}>
                        {doc.name}
                      </Link>
                      <Text fz="xs" c="dimmed">
                        {[doc.size ? bytes(doc.size) : '', ...(doc.doc_metadata ?? []).filter((entry) => entry.id !== 'built-in').map((entry) => `${entry.name}: ${valueText(entry.name, entry.type, entry.value)}`)].filter(Boolean).join(' · ')}
                      </Text>
                      {doc.data_source_info?.url ? <Anchor href={doc.data_source_info.url} target="_blank" rel="noreferrer" fz="xs" c="dimmed" className="sp-clamp-2" style={{ overflowWrap: 'anywhere' }} title={t('knowledge:site.open')}>{readable(doc.data_source_info.url)}</Anchor> : null}
                      {phone ? <Box mt={6}><DocumentState doc={doc} /><SummaryState datasetId={dataset.id} doc={doc} refresh={refresh} /></Box> : null}
                    </Table.Td>
                    {phone ? null : <Table.Td><DocumentState doc={doc} /><SummaryState datasetId={dataset.id} doc={doc} refresh={refresh} /></Table.Td>}
                    <Table.Td ta="right" className="sp-num" visibleFrom="md">{count(doc.word_count)}</Table.Td>
                    <Table.Td ta="right" className="sp-num" visibleFrom="sm">{count(doc.hit_count)}</Table.Td>
                    <Table.Td visibleFrom="sm" style={{ whiteSpace: 'nowrap' }}>{ago(doc.created_at)}</Table.Td>
                    <Table.Td>
                      <Group gap={2} wrap="nowrap" justify="flex-end">
                        {isWorking(doc) ? <RowAction label={t('knowledge:pause')} of={doc.name} icon={IconPlayerPause} act={() => act.mutate({ id: doc.id, action: 'pause' })} /> : null}
                        {doc.indexing_status === 'paused' ? <RowAction label={t('knowledge:resume')} of={doc.name} icon={IconPlayerPlay} act={() => act.mutate({ id: doc.id, action: 'resume' })} /> : null}
                        {doc.indexing_status === 'error' ? <RowAction label={t('action.retry')} of={doc.name} icon={IconRefresh} act={() => act.mutate({ id: doc.id, action: 'retry' })} /> : null}
                        {doc.data_source_type === 'website_crawl' && !isWorking(doc) ? <RowAction label={t('knowledge:sync')} of={doc.name} icon={IconWorldDownload} act={() => sync.mutate(doc.id)} /> : null}
                        <RowMenu
                          doc={doc}
                          original={url(`/datasets/${dataset.id}/documents/${doc.id}/download`)}
                          rename={() => setRenaming(doc)}
                          metadata={() => setValues([doc])}
                          rechunk={() => setRechunking([doc])}
                          summarise={() => setSumming([doc])}
                          status={(action) => status.mutate({ id: doc.id, action })}
                          stop={() => act.mutate({ id: doc.id, action: 'cancel' })}
                          remove={() => void askRemove(doc)}
                        />
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
          {rows.length === 0 ? <Text c="dimmed" ta="center" py="lg">{t('state.noMatch')}</Text> : null}
          {selected.length ? <Bulk datasetId={dataset.id} chosen={selected} clear={() => setChosen([])} refresh={refresh} metadata={() => setValues(selected)} rechunk={() => setRechunking(selected)} summarise={() => setSumming(selected)} /> : null}
          <Pages of={docs.data} place={place} />
        </Stack>
      )}
    </Page>
  );
}

/** What can be done at once with one document of the list. */
function RowAction({ label, of, icon: Icon, act }: { label: string; of: string; icon: typeof IconPlus; act: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon aria-label={`${label}: ${of}`} onClick={act}><Icon size={18} /></ActionIcon>
    </Tooltip>
  );
}
