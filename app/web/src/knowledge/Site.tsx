import { ActionIcon, Alert, Anchor, Button, Checkbox, Drawer, Group, Loader, NumberInput, Paper, SimpleGrid, Stack, Text, TextInput, Tooltip } from '@mantine/core';
import { IconEye, IconPlayerStop, IconWorldSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { useSearchParams } from 'react-router';

import type { Crawl, CrawlOptions, CrawlPage } from '@/api/types';
import { isGone, useErrorText } from '@/ui/errors';
import { bytes, count } from '@/ui/format';
import { useAddress } from '@/ui/Listing';
import { serverText } from '@/ui/serverText';
import { Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import css from './Knowledge.module.css';
import type { Found } from './Sources';

const LIVE = ['waiting', 'running'];
const LIMIT = 10;
const DEPTH = 3;

const listed = (text: string) => text.split(/[,，\n]/).map((part) => part.trim()).filter(Boolean);

/** Whether the address names a crawl: the page is shown again after it was reloaded. */
export function useCrawlParam(): string {
  return useSearchParams()[0].get('crawl') ?? '';
}

/** A whole web site: the box looks for its pages, the reader chooses. */
export function SiteSource({ datasetId, add }: { datasetId: string; add: (found: Found[]) => void }) {
  const [id, setId] = useState(useCrawlParam());
  const [last, setLast] = useState<Partial<CrawlOptions>>({});
  useAddress({ crawl: id });
  const leave = (options: Partial<CrawlOptions>) => {
    setLast(options);
    setId('');
  };
  return id ? <FoundPages key={id} datasetId={datasetId} id={id} leave={leave} add={add} /> : <SiteForm datasetId={datasetId} last={last} begun={setId} />;
}

/** What to look for; begins with what was looked for last. */
function SiteForm({ datasetId, last, begun }: { datasetId: string; last: Partial<CrawlOptions>; begun: (id: string) => void }) {
  const { t } = useTranslation();
  const [url, setUrl] = useState(last.url ?? '');
  const [limit, setLimit] = useState<number | string>(last.limit ?? LIMIT);
  const [depth, setDepth] = useState<number | string>(last.max_depth ?? DEPTH);
  const [include, setInclude] = useState((last.include_paths ?? []).join(', '));
  const [exclude, setExclude] = useState((last.exclude_paths ?? []).join(', '));
  const [onlyMain, setOnlyMain] = useState(last.only_main_content ?? true);
  const [whole, setWhole] = useState(last.whole_site ?? false);
  const start = useAct((options: CrawlOptions) => knowledgeApi.crawl(datasetId, options), { done: (crawl) => begun(crawl.id) });
  const address = /^https?:\/\//i.test(url.trim()) ? url.trim() : `https://${url.trim()}`;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        start.mutate({
          url: address, limit: Number(limit) || LIMIT, max_depth: depth === '' ? DEPTH : Number(depth),
          include_paths: listed(include), exclude_paths: listed(exclude), only_main_content: onlyMain, whole_site: whole,
        });
      }}
    >
      <Stack>
        <TextInput type="text" inputMode="url" autoCapitalize="off" spellCheck={false} label={t('knowledge:site.url')} description={t('knowledge:site.urlText')} placeholder="https://" maxLength={2000} value={url} onChange={(event) => setUrl(event.currentTarget.value)} />
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <NumberInput label={t('knowledge:site.limit')} min={1} max={500} clampBehavior="strict" allowDecimal={false} value={limit} onChange={setLimit} />
          <NumberInput label={t('knowledge:site.depth')} min={0} max={10} clampBehavior="strict" allowDecimal={false} value={depth} onChange={setDepth} />
          <TextInput label={t('knowledge:site.include')} description={t('knowledge:site.paths')} placeholder="/docs, /news/*" value={include} onChange={(event) => setInclude(event.currentTarget.value)} />
          <TextInput label={t('knowledge:site.exclude')} description={t('knowledge:site.paths')} placeholder="/archive, */print" value={exclude} onChange={(event) => setExclude(event.currentTarget.value)} />
        </SimpleGrid>
        <Checkbox label={t('knowledge:site.onlyMain')} checked={onlyMain} onChange={(event) => setOnlyMain(event.currentTarget.checked)} />
        <Checkbox label={t('knowledge:site.whole')} checked={whole} onChange={(event) => setWhole(event.currentTarget.checked)} />
        <Group justify="flex-end">
          <Button type="submit" variant="light" leftSection={<IconWorldSearch size={18} />} disabled={!url.trim()} loading={start.isPending}>{t('knowledge:site.start')}</Button>
        </Group>
      </Stack>
    </form>
  );
}

function FoundPages({ datasetId, id, leave, add }: { datasetId: string; id: string; leave: (options: Partial<CrawlOptions>) => void; add: (found: Found[]) => void }) {
  const { t } = useTranslation();
  const crawl = useQuery({
    queryKey: ['crawl', datasetId, id],
    queryFn: () => knowledgeApi.crawlState(datasetId, id),
    refetchInterval: (query) => (query.state.data && LIVE.includes(query.state.data.state) ? 1000 : false),
    retry: (failures, error) => !isGone(error) && failures < 3,
  });
  const stop = useAct(() => knowledgeApi.stopCrawl(datasetId, id), { done: () => crawl.refetch() });
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [shown, setShown] = useState<CrawlPage | null>(null);
  if (crawl.isPending) return <RowSkeletons n={3} />;
  if (crawl.error) {
    return (
      <Stack align="flex-start">
        <Failed error={crawl.error} retry={() => crawl.refetch()} />
        <Button variant="default" onClick={() => leave({})}>{t('knowledge:site.another')}</Button>
      </Stack>
    );
  }
  const { pages } = crawl.data;
  const live = LIVE.includes(crawl.data.state);
  const chosen = pages.filter((page) => !left.has(page.id));
  const choose = (page: CrawlPage, yes: boolean) => setLeft((now) => new Set(yes ? [...now].filter((one) => one !== page.id) : [...now, page.id]));
  return (
    <Stack>
      {shown ? <PageText datasetId={datasetId} crawl={id} page={shown} close={() => setShown(null)} /> : null}
      <Group justify="space-between">
        <Progress crawl={crawl.data} live={live} />
        {live ? (
          <Button variant="default" size="sm" leftSection={<IconPlayerStop size={16} />} loading={stop.isPending} onClick={() => stop.mutate()}>{t('knowledge:stop')}</Button>
        ) : (
          <Button variant="default" size="sm" onClick={() => leave(crawl.data.options)}>{t('knowledge:site.another')}</Button>
        )}
      </Group>
      {crawl.data.error ? <Alert color="brick" role="alert" style={{ overflowWrap: 'anywhere' }}>{serverText(crawl.data.error)}</Alert> : null}
      {pages.length ? (
        <>
          <Checkbox
            label={t('knowledge:site.all', { n: count(chosen.length), total: count(pages.length) })}
            checked={chosen.length === pages.length}
            indeterminate={chosen.length > 0 && chosen.length < pages.length}
            onChange={(event) => setLeft(new Set(event.currentTarget.checked ? [] : pages.map((page) => page.id)))}
          />
          <Stack gap={6} component="ul" p={0} m={0} className={css.files} aria-label={t('knowledge:site.pages')}>
            {pages.map((page) => (
              <Paper key={page.id} component="li" withBorder radius="md" px="md" py="xs" bg="var(--sp-card)">
                <Group wrap="nowrap" gap="sm">
                  <Checkbox aria-label={t('knowledge:site.choose', { title: page.title })} checked={!left.has(page.id)} onChange={(event) => choose(page, event.currentTarget.checked)} />
                  <div style={{ flex: 1, minWidth: 0 }}>
                    <Text fz="sm" truncate title={page.title}>{page.title}</Text>
                    <Anchor href={page.url} target="_blank" rel="noreferrer" fz="xs" c="dimmed" truncate display="block" title={page.url}>{readable(page.url)}</Anchor>
                  </div>
                  <Text fz="xs" c="dimmed" className="sp-num" style={{ flex: 'none' }}>{bytes(page.size)}</Text>
                  <Tooltip label={t('knowledge:site.look')}>
                    <ActionIcon aria-label={t('knowledge:site.lookNamed', { title: page.title })} onClick={() => setShown(page)}><IconEye size={18} /></ActionIcon>
                  </Tooltip>
                </Group>
              </Paper>
            ))}
          </Stack>
        </>
      ) : live || crawl.data.error ? null : (
        <Text c="dimmed" fz="sm">{t('knowledge:site.none')}</Text>
      )}
      {crawl.data.skipped_total ? (
        <details className={css.skipped}>
          <summary>{t('knowledge:site.skipped', { count: crawl.data.skipped_total, n: count(crawl.data.skipped_total) })}</summary>
          <ul>{crawl.data.skipped.map((reason) => <li key={reason}>{readable(serverText(reason))}</li>)}</ul>
        </details>
      ) : null}
      {live || !pages.length ? null : (
        <Group justify="flex-end">
          <Button
            variant="light"
            disabled={chosen.length === 0}
            onClick={() => {
              add(chosen.map((page) => ({ name: page.title, size: page.size, url: page.url, id: page.file_id })));
              leave(crawl.data.options);
            }}
          >
            {t('knowledge:site.take', { count: chosen.length })}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

/** What the crawl is doing, in a line. */
function Progress({ crawl, live }: { crawl: Crawl; live: boolean }) {
  const { t } = useTranslation();
  const nothing = crawl.state === 'failed' && !crawl.pages.length;
  const found = nothing ? '' : t('knowledge:site.found', { count: crawl.pages.length, n: count(crawl.pages.length) });
  const more = crawl.waiting && !nothing ? t('knowledge:site.more', { count: crawl.waiting, n: count(crawl.waiting) }) : '';
  return (
    <Group gap="xs" role="status" style={{ flex: '1 1 220px' }} wrap="nowrap">
      {live ? <Loader size="xs" /> : null}
      <Text fz="sm">{[t(`knowledge:site.state.${crawl.state}`), found, more].filter(Boolean).join(' · ')}</Text>
    </Group>
  );
}

/** The text of a page as it would be indexed. */
function PageText({ datasetId, crawl, page, close }: { datasetId: string; crawl: string; page: CrawlPage; close: () => void }) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const text = useQuery({ queryKey: ['crawl', datasetId, crawl, page.id], queryFn: () => knowledgeApi.crawlText(datasetId, crawl, page.id), retry: false, staleTime: Infinity });
  return (
    <Drawer opened onClose={close} position="right" size="xl" title={page.title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Anchor href={page.url} target="_blank" rel="noreferrer" fz="sm" style={{ overflowWrap: 'anywhere' }}>{readable(page.url)}</Anchor>
        {text.isPending ? <RowSkeletons n={3} /> : text.error ? <Alert color="brick" role="alert">{errorText(text.error)}</Alert> : <div className={css.chunk}>{text.data.text}</div>}
      </Stack>
    </Drawer>
  );
}

/** An address as it is read, `%E6%B3%B5` as 泵, or as it stands where it is no UTF-8. */
export function readable(url: string): string {
  try {
    return decodeURI(url);
  } catch {
    return url;
  }
}
