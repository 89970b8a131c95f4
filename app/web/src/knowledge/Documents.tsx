import { ActionIcon, Badge, Button, Checkbox, Group, Pagination, Progress, Stack, Table, Text, TextInput, Tooltip } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconDownload, IconPencil, IconPlayerPause, IconPlayerPlay, IconPlus, IconRefresh, IconSearch, IconTrash, IconWorldDownload } from '@tabler/icons-react';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { url } from '@/api/http';
import type { Doc } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { ago, bytes, count } from '@/ui/format';
import { Page } from '@/ui/Page';
import { Empty, Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { Bulk, Rename } from './Bulk';
import { isWorking, knowledgeApi, progress } from './api';
import { useFrameDataset } from './DatasetFrame';

const COLOURS: Record<string, string> = { available: 'moss', error: 'brick', paused: 'gray', disabled: 'gray', archived: 'gray' };
const STATES = ['queuing', 'indexing', 'paused', 'error', 'available', 'disabled', 'archived'] as const;
const STAGES = ['waiting', 'parsing', 'cleaning', 'splitting', 'indexing', 'embedding'] as const;

function oneOf<T extends string>(list: readonly T[], value: string | null | undefined): T | undefined {
  return list.find((entry) => entry === value);
}

/** 1, 2, 3, 7 as "1-3, 7". */
function ranges(pages: number[]): string {
  const out: string[] = [];
  for (let i = 0; i < pages.length; ) {
    let j = i;
    while (pages[j + 1] === (pages[j] ?? 0) + 1) j += 1;
    out.push(i === j ? String(pages[i]) : `${pages[i] ?? ''}-${pages[j] ?? ''}`);
    i = j + 1;
  }
  return out.length > 12 ? `${out.slice(0, 12).join(', ')}, …` : out.join(', ');
}

/** State of one document: a badge, and while it is being read its stage, progress and speed. */
function State({ doc }: { doc: Doc }) {
  const { t } = useTranslation();
  const state = oneOf(STATES, doc.display_status) ?? 'queuing';
  const stage = oneOf(STAGES, doc.stage || doc.indexing_status);
  const share = progress(doc);
  if (isWorking(doc)) {
    return (
      <Stack gap={4} maw={240}>
        <Progress value={share ?? 100} animated={share === null || share < 100} size="sm" aria-label={t('knowledge:progress', { name: doc.name })} />
        <Text fz="xs" c="dimmed" className="sp-num">
          {stage ? t(`knowledge:stage.${stage}`) : t(`knowledge:status.${state}`)}
          {doc.total ? ` · ${count(doc.done)}/${count(doc.total)}` : ''}
          {doc.speed ? ` · ${t('knowledge:speed', { n: Math.round(doc.speed) })}` : ''}
        </Text>
      </Stack>
    );
  }
  return (
    <Stack gap={4} align="flex-start">
      <Badge variant="light" color={COLOURS[state] ?? 'sparrow'} tt="none" data-status={state}>
        {t(`knowledge:status.${state}`)}
      </Badge>
      {doc.error ? (
        <Text fz="xs" c="var(--mantine-color-error)" maw={360}>
          {doc.error}
        </Text>
      ) : null}
      {doc.notices?.map((notice) => (
        <Text key={notice.code} fz="xs" c="dimmed" maw={360}>
          {notice.code === 'pages_without_text' || notice.code === 'pages_damaged'
            ? t(`knowledge:notice.${notice.code}`, { pages: ranges(notice.pages ?? []), count: notice.pages?.length ?? 0, total: notice.total ?? 0 })
            : notice.message}
        </Text>
      ))}
    </Stack>
  );
}

export default function Documents() {
  const { t } = useTranslation();
  const dataset = useFrameDataset();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [keyword, setKeyword] = useState('');
  const [wanted] = useDebouncedValue(keyword, 250);
  const [page, setPage] = useState(1);
  const key = ['datasets', 'documents', dataset.id];
  const docs = useQuery({
    queryKey: [...key, page, wanted],
    queryFn: () => knowledgeApi.documents(dataset.id, page, wanted),
    placeholderData: keepPreviousData,
  });
  const working = docs.data?.data.some(isWorking) ?? false;
  // Only what is unfinished is asked for, every second.
  const live = useQuery({
    queryKey: ['datasets', 'indexing', dataset.id],
    queryFn: () => knowledgeApi.indexing(dataset.id),
    enabled: working,
    refetchInterval: working ? 1000 : false,
  });
  const liveIds = live.data?.data.map((d) => d.id).join() ?? '';
  const before = useRef(liveIds);
  const refresh = () => client.invalidateQueries({ queryKey: ['datasets'] });
  useEffect(() => {
    // A document has left the list of the unfinished: see how it ended.
    if (working && live.data && (before.current !== liveIds || !liveIds)) {
      void client.invalidateQueries({ queryKey: ['datasets', 'documents', dataset.id] });
      void client.invalidateQueries({ queryKey: ['datasets', 'one', dataset.id] });
    }
    before.current = liveIds;
  }, [working, live.data, liveIds, client, dataset.id]);

  const act = useAct((input: { id: string; action: 'pause' | 'resume' | 'retry' }) => knowledgeApi.act(dataset.id, input.id, input.action), { done: refresh });
  const sync = useAct((id: string) => knowledgeApi.sync(dataset.id, id), { done: refresh });
  const [chosen, setChosen] = useState<string[]>([]);
  const [renaming, setRenaming] = useState<Doc | null>(null);
  const remove = useAct((id: string) => knowledgeApi.removeDocument(dataset.id, id), { done: refresh });
  const askRemove = async (doc: Doc) => {
    if (await confirm({ title: t('knowledge:delete.title', { name: doc.name }), text: t('knowledge:delete.text'), confirm: t('action.delete') })) remove.mutate(doc.id);
  };
  const rows = (docs.data?.data ?? []).map((doc) => live.data?.data.find((fresh) => fresh.id === doc.id) ?? doc);
  const selected = rows.filter((doc) => chosen.includes(doc.id));
  const add = (
    <Button component={Link} to={`/knowledge/${dataset.id}/add`} leftSection={<IconPlus size={18} />}>
      {t('knowledge:add.action')}
    </Button>
  );
  return (
    <Page title={t('knowledge:tab.documents')} description={dataset.description} actions={add}>
      {docs.isPending ? (
        <RowSkeletons />
      ) : docs.error ? (
        <Failed error={docs.error} retry={() => docs.refetch()} />
      ) : docs.data.total === 0 && !wanted ? (
        <Empty title={t('knowledge:noDocuments')} action={add}>
          {t('knowledge:noDocumentsText')}
        </Empty>
      ) : (
        <Stack>
          {selected.length ? <Bulk datasetId={dataset.id} chosen={selected} clear={() => setChosen([])} refresh={refresh} /> : null}
          {renaming ? <Rename datasetId={dataset.id} doc={renaming} close={() => setRenaming(null)} refresh={refresh} /> : null}
          <TextInput aria-label={t('knowledge:searchDocuments')} placeholder={t('knowledge:searchDocuments')} leftSection={<IconSearch size={16} />} maw={300} value={keyword} onChange={(event) => setKeyword(event.currentTarget.value)} />
          <Table.ScrollContainer minWidth={720}>
            <Table verticalSpacing="sm" highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th w={40}>
                    <Checkbox aria-label={t('knowledge:bulk.all')} checked={selected.length > 0 && selected.length === rows.length} indeterminate={selected.length > 0 && selected.length < rows.length} onChange={(event) => setChosen(event.currentTarget.checked ? rows.map((doc) => doc.id) : [])} />
                  </Table.Th>
                  <Table.Th>{t('knowledge:column.name')}</Table.Th>
                  <Table.Th>{t('knowledge:column.state')}</Table.Th>
                  <Table.Th ta="right">{t('knowledge:column.words')}</Table.Th>
                  <Table.Th ta="right">{t('knowledge:column.hits')}</Table.Th>
                  <Table.Th>{t('knowledge:column.added')}</Table.Th>
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
                      <Link to={`/knowledge/${dataset.id}/documents/${doc.id}`} style={{ color: 'inherit', fontWeight: 550, overflowWrap: 'anywhere' }}>
                        {doc.name}
                      </Link>
                      {doc.size ? <Text fz="xs" c="dimmed">{bytes(doc.size)}</Text> : null}
                    </Table.Td>
                    <Table.Td><State doc={doc} /></Table.Td>
                    <Table.Td ta="right" className="sp-num">{count(doc.word_count)}</Table.Td>
                    <Table.Td ta="right" className="sp-num">{count(doc.hit_count)}</Table.Td>
                    <Table.Td>{ago(doc.created_at)}</Table.Td>
                    <Table.Td>
                      <Group gap={2} wrap="nowrap" justify="flex-end">
                        {isWorking(doc) ? (
                          <Tooltip label={t('knowledge:pause')}>
                            <ActionIcon aria-label={t('knowledge:pause')} onClick={() => act.mutate({ id: doc.id, action: 'pause' })}><IconPlayerPause size={18} /></ActionIcon>
                          </Tooltip>
                        ) : null}
                        {doc.indexing_status === 'paused' ? (
                          <Tooltip label={t('knowledge:resume')}>
                            <ActionIcon aria-label={t('knowledge:resume')} onClick={() => act.mutate({ id: doc.id, action: 'resume' })}><IconPlayerPlay size={18} /></ActionIcon>
                          </Tooltip>
                        ) : null}
                        {doc.indexing_status === 'error' ? (
                          <Tooltip label={t('action.retry')}>
                            <ActionIcon aria-label={t('action.retry')} onClick={() => act.mutate({ id: doc.id, action: 'retry' })}><IconRefresh size={18} /></ActionIcon>
                          </Tooltip>
                        ) : null}
                        {doc.data_source_type === 'website_crawl' && !isWorking(doc) ? (
                          <Tooltip label={t('knowledge:sync')}>
                            <ActionIcon aria-label={t('knowledge:sync')} onClick={() => sync.mutate(doc.id)}><IconWorldDownload size={18} /></ActionIcon>
                          </Tooltip>
                        ) : null}
                        <Tooltip label={t('knowledge:rename')}>
                          <ActionIcon aria-label={t('knowledge:rename')} onClick={() => setRenaming(doc)}><IconPencil size={18} /></ActionIcon>
                        </Tooltip>
                        <Tooltip label={t('knowledge:original')}>
                          <ActionIcon component="a" href={url(`/datasets/${dataset.id}/documents/${doc.id}/download`)} download aria-label={t('knowledge:original')}><IconDownload size={18} /></ActionIcon>
                        </Tooltip>
                        <Tooltip label={t('action.delete')}>
                          <ActionIcon aria-label={t('action.delete')} onClick={() => void askRemove(doc)}><IconTrash size={18} /></ActionIcon>
                        </Tooltip>
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
          {docs.data.total > docs.data.limit ? <Pagination value={page} onChange={setPage} total={Math.ceil(docs.data.total / docs.data.limit)} /> : null}
        </Stack>
      )}
    </Page>
  );
}
