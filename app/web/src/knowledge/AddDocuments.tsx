import { ActionIcon, Button, Group, Paper, Progress, SegmentedControl, Stack, Text } from '@mantine/core';
import { IconFile, IconFileUpload, IconFolderUp, IconX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState, type DragEvent } from 'react';
import { currentLanguage, useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import type { ProcessRule } from '@/api/types';
import { useErrorText } from '@/ui/errors';
import { bytes, count } from '@/ui/format';
import { Page } from '@/ui/Page';
import { serverText } from '@/ui/serverText';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { ChunkingForm } from './Chunking';
import { useFrameDataset } from './DatasetFrame';
import { filesOf } from './drop';
import css from './Knowledge.module.css';
import { Room, useForecast } from './Room';
import { BoxSource, TextSource, WebSource, type Found } from './Sources';
import { useCrawlParam } from './Site';
import { docForm, fromRule, toRule, type Chunking } from './rules';

interface Item {
  key: string;
  name: string;
  size: number;
  /** The browser's own file, or where the box gets it from. */
  file?: File;
  from?: Found;
  url?: string;
  share: number;
  id?: string;
  error?: unknown;
  /** Why the file is not even sent: it is empty, or of a type that must be converted first. */
  hopeless?: Problem;
}

type Problem = 'empty_file' | 'convert_first';

const OLD = /\.(doc|xls|ppt)$/i;

/** Web programs call their tables .xls; only what Word, Excel or PowerPoint wrote begins like this. */
const OLE = 'd0,cf,11,e0';

async function problemOf(file: File): Promise<Problem | undefined> {
  if (file.size === 0) return 'empty_file';
  if (!OLD.test(file.name)) return undefined;
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return [...head].map((byte) => byte.toString(16)).join() === OLE ? 'convert_first' : undefined;
}

const AT_ONCE = 2;
const SOURCES = ['files', 'text', 'web', 'box'] as const;

/** Brings one file to the box, wherever it is. */
async function bring(item: Item, onProgress: (share: number) => void, signal: AbortSignal): Promise<Partial<Item>> {
  if (item.file) return { id: (await knowledgeApi.upload(item.file, onProgress, signal)).id };
  if (item.from?.url) {
    const found = await knowledgeApi.fromUrl(item.from.url);
    return { id: found.file.id, name: found.title, size: found.file.size, url: found.url };
  }
  return { id: (await knowledgeApi.take(item.from?.place ?? '', item.from?.path ?? '')).id };
}

let keys = 0;
const newKey = () => `item-${++keys}`;

export default function AddDocuments() {
  const { t } = useTranslation();
  const text = useErrorText();
  const dataset = useFrameDataset();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [items, setItems] = useState<Item[]>([]);
  const [source, setSource] = useState<(typeof SOURCES)[number]>(useCrawlParam() ? 'web' : 'files');
  const [over, setOver] = useState(false);
  const [chunking, setChunking] = useState<Chunking>(() => ({ ...fromRule(dataset.process_rule as ProcessRule | null, dataset.doc_form), language: currentLanguage() === 'zh' ? 'Chinese' : 'English' }));
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const aborts = useRef(new Map<string, AbortController>());

  const patch = useCallback((key: string, change: Partial<Item>) => setItems((all) => all.map((i) => (i.key === key ? { ...i, ...change } : i))), []);
  const add = async (files: File[]) => {
    const list = await Promise.all(files.map(async (file) => ({ file, problem: await problemOf(file).catch(() => undefined) })));
    setItems((all) => [
      ...all,
      ...list
        .filter(({ file }) => !file.name.startsWith('.') && !all.some((i) => i.file?.name === file.name && i.size === file.size && i.file.webkitRelativePath === file.webkitRelativePath))
        .map(({ file, problem }) => ({ key: newKey(), name: file.name, size: file.size, file, share: 0, ...(problem ? { hopeless: problem } : {}) })),
    ]);
  };
  const addFound = (list: Found[]) =>
    setItems((all) => [
      ...all,
      ...list
        .filter((found) => !all.some((i) => i.from && i.from.url === found.url && i.from.place === found.place && i.from.path === found.path))
        .map((found) => ({ key: newKey(), name: found.name, size: found.size, from: found, share: 0, ...(found.id ? { id: found.id, url: found.url } : {}) })),
    ]);

  // A few files travel at a time; each begins when it has a place. What has begun stays in `aborts`: this effect may
  // run late, with items from before a file arrived, and must not send that one again.
  useEffect(() => {
    const open = items.filter((i) => !i.id && !i.error && !i.hopeless);
    const waiting = open.filter((i) => !aborts.current.has(i.key));
    for (const item of waiting.slice(0, Math.max(0, AT_ONCE - (open.length - waiting.length)))) {
      const abort = new AbortController();
      aborts.current.set(item.key, abort);
      bring(item, (share) => patch(item.key, { share }), abort.signal)
        .then((found) => patch(item.key, { ...found, share: 1 }), (error: unknown) => patch(item.key, { error }));
    }
  }, [items, patch]);
  useEffect(() => {
    const running = aborts.current;
    return () => running.forEach((abort) => abort.abort());
  }, []);

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void filesOf(event.dataTransfer).then(add);
  };
  const uploaded = items.filter((i) => i.id);
  const waiting = items.some((i) => !i.id && !i.error && !i.hopeless);
  const rule = toRule(chunking);
  const forecast = useForecast({ dataset_id: dataset.id, file_ids: uploaded.flatMap((i) => i.id ?? []), process_rule: rule, doc_form: docForm(chunking) }, !waiting);
  const unreadable = new Map(forecast.data?.files.flatMap((file) => (file.error ? [[file.file_id, file.error]] : [])));
  const ready = uploaded.filter((i) => !unreadable.has(i.id ?? ''));
  const start = useAct(
    () => knowledgeApi.addDocuments(dataset.id, { file_ids: ready.flatMap((i) => i.id ?? []), urls: Object.fromEntries(ready.flatMap((i) => (i.id && i.url ? [[i.id, i.url]] : []))), process_rule: rule, doc_form: docForm(chunking), doc_language: chunking.language }),
    {
      done: async () => {
        await client.invalidateQueries({ queryKey: ['datasets'] });
        void navigate(`/knowledge/${dataset.id}`);
      },
    },
  );
  return (
    <Page title={t('knowledge:add.title')} description={t('knowledge:add.text')}>
      <Stack gap="lg">
        <div style={{ overflowX: 'auto' }}>
          <SegmentedControl
            aria-label={t('knowledge:source.label')}
            value={source}
            onChange={setSource}
            data={SOURCES.map((value) => ({ value, label: t(`knowledge:source.${value}`) }))}
          />
        </div>
        {source === 'text' ? <TextSource add={(list) => void add(list)} /> : null}
        {source === 'web' ? <WebSource datasetId={dataset.id} add={addFound} /> : null}
        {source === 'box' ? <BoxSource add={addFound} /> : null}
        {source === 'files' ? <div
          className={css.drop}
          data-over={over || undefined}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={drop}
        >
          <IconFileUpload size={40} stroke={1.3} color="var(--sp-accent)" aria-hidden />
          <Text fw={600}>{t('knowledge:add.drop')}</Text>
          <Text c="dimmed" fz="sm" ta="center">{t('knowledge:add.types')}</Text>
          <Group justify="center">
            <Button variant="light" onClick={() => files.current?.click()}>{t('knowledge:add.choose')}</Button>
            <Button variant="subtle" leftSection={<IconFolderUp size={18} />} onClick={() => folder.current?.click()}>{t('knowledge:add.folder')}</Button>
          </Group>
          <input ref={files} type="file" multiple hidden aria-label={t('knowledge:add.choose')} onChange={(event) => { void add([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ''; }} />
          <input ref={folder} type="file" multiple hidden aria-label={t('knowledge:add.folder')} {...{ webkitdirectory: '' }} onChange={(event) => { void add([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ''; }} />
        </div> : null}
        {items.length > 0 ? (
          <Stack gap={8} component="ul" p={0} m={0} className={css.files}>
            {items.map((item) => (
              <Paper key={item.key} component="li" withBorder radius="md" px="md" py="xs" bg="var(--sp-card)">
                <Group wrap="nowrap" gap="sm">
                  <IconFile size={20} stroke={1.5} aria-hidden style={{ flex: 'none' }} />
                  <div style={{ flex: 1, minWidth: 0 }}>
                    <Text fz="sm" truncate title={item.name}>{item.name}</Text>
                    {item.hopeless ? (
                      <Text fz="xs" c="var(--mantine-color-error)" role="alert">{t(`errors:${item.hopeless}`)}</Text>
                    ) : item.error ? (
                      <Text fz="xs" c="var(--mantine-color-error)" role="alert">{text(item.error)}</Text>
                    ) : item.id && unreadable.has(item.id) ? (
                      <Text fz="xs" c="var(--mantine-color-error)" role="alert">{serverText(unreadable.get(item.id) ?? '')}</Text>
                    ) : item.id ? (
                      <Text fz="xs" c="dimmed">{bytes(item.size)} · {t('knowledge:add.uploaded')}</Text>
                    ) : (
                      <Progress value={item.file ? item.share * 100 : 100} animated={!item.file} size="xs" mt={6} aria-label={item.name} />
                    )}
                  </div>
                  {item.error ? <Button size="compact-xs" variant="default" onClick={() => { aborts.current.delete(item.key); patch(item.key, { error: undefined, share: 0 }); }}>{t('action.retry')}</Button> : null}
                  <ActionIcon aria-label={t('knowledge:add.remove', { name: item.name })} onClick={() => { aborts.current.get(item.key)?.abort(); setItems((all) => all.filter((i) => i.key !== item.key)); }}>
                    <IconX size={16} />
                  </ActionIcon>
                </Group>
              </Paper>
            ))}
          </Stack>
        ) : null}
        <Section title={t('knowledge:chunk.title')} description={t('knowledge:chunk.text')}>
          <ChunkingForm
            value={chunking}
            form={dataset.doc_form}
            onChange={setChunking}
            samples={ready.flatMap((i) => (i.id ? [{ value: i.id, label: i.name }] : []))}
            estimate={(file_id) => knowledgeApi.estimate({ file_id, process_rule: rule, doc_form: docForm(chunking), doc_language: chunking.language })}
          />
          <Room dataset={dataset.id} forecast={forecast} />
        </Section>
        <Group justify="flex-end">
          <Button size="md" disabled={ready.length === 0 || waiting || forecast.data?.memory.fits === false} loading={start.isPending} onClick={() => start.mutate()}>
            {waiting ? t('knowledge:add.uploading', { n: count(uploaded.length), total: count(items.filter((i) => !i.error && !i.hopeless).length) }) : t('knowledge:add.start', { count: ready.length })}
          </Button>
        </Group>
      </Stack>
    </Page>
  );
}
