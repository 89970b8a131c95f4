import { ActionIcon, Button, Checkbox, Group, NumberInput, Paper, Progress, SegmentedControl, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { IconFile, IconFileUpload, IconFolderUp, IconX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState, type DragEvent } from 'react';
import { useTranslation } from '@/i18n';
import { useNavigate } from 'react-router';

import type { Estimate } from '@/api/types';
import { useErrorText } from '@/ui/errors';
import { bytes } from '@/ui/format';
import { Page } from '@/ui/Page';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { useFrameDataset } from './DatasetFrame';
import { filesOf } from './drop';
import css from './Knowledge.module.css';
import { BoxSource, TextSource, WebSource, type Found } from './Sources';
import { docForm, START, toRule, type Chunking } from './rules';

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
  const [source, setSource] = useState<(typeof SOURCES)[number]>('files');
  const [over, setOver] = useState(false);
  const [chunking, setChunking] = useState<Chunking>(START);
  const [preview, setPreview] = useState<Estimate | null>(null);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const aborts = useRef(new Map<string, AbortController>());

  const patch = useCallback((key: string, change: Partial<Item>) => setItems((all) => all.map((i) => (i.key === key ? { ...i, ...change } : i))), []);
  const add = (list: File[]) =>
    setItems((all) => [
      ...all,
      ...list
        .filter((file) => file.size > 0 && !file.name.startsWith('.') && !all.some((i) => i.file?.name === file.name && i.size === file.size && i.file.webkitRelativePath === file.webkitRelativePath))
        .map((file) => ({ key: newKey(), name: file.name, size: file.size, file, share: 0 })),
    ]);
  const addFound = (list: Found[]) =>
    setItems((all) => [
      ...all,
      ...list
        .filter((found) => !all.some((i) => i.from && i.from.url === found.url && i.from.place === found.place && i.from.path === found.path))
        .map((found) => ({ key: newKey(), name: found.name, size: found.size, from: found, share: 0 })),
    ]);

  // A few files travel at a time; each begins when it has a place.
  useEffect(() => {
    const active = items.filter((i) => aborts.current.has(i.key)).length;
    for (const item of items.filter((i) => !i.id && !i.error && !aborts.current.has(i.key)).slice(0, Math.max(0, AT_ONCE - active))) {
      const abort = new AbortController();
      aborts.current.set(item.key, abort);
      bring(item, (share) => patch(item.key, { share }), abort.signal)
        .then((found) => patch(item.key, { ...found, share: 1 }), (error: unknown) => patch(item.key, { error }))
        .finally(() => aborts.current.delete(item.key));
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
  const ready = items.filter((i) => i.id);
  const waiting = items.some((i) => !i.id && !i.error);
  const rule = toRule(chunking);
  const set = (change: Partial<Chunking>) => {
    setChunking({ ...chunking, ...change });
    setPreview(null);
  };
  const estimate = useAct((id: string) => knowledgeApi.estimate(id, rule), { done: setPreview });
  const start = useAct(
    () => knowledgeApi.addDocuments(dataset.id, { file_ids: ready.flatMap((i) => i.id ?? []), urls: Object.fromEntries(ready.flatMap((i) => (i.id && i.url ? [[i.id, i.url]] : []))), process_rule: rule, doc_form: docForm(chunking) }),
    {
      done: async () => {
        await client.invalidateQueries({ queryKey: ['datasets'] });
        void navigate(`/knowledge/${dataset.id}`);
      },
    },
  );
  const first = ready[0]?.id;
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
        {source === 'text' ? <TextSource add={add} /> : null}
        {source === 'web' ? <WebSource add={addFound} /> : null}
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
          <input ref={files} type="file" multiple hidden aria-label={t('knowledge:add.choose')} onChange={(event) => { add([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ''; }} />
          <input ref={folder} type="file" multiple hidden aria-label={t('knowledge:add.folder')} {...{ webkitdirectory: '' }} onChange={(event) => { add([...(event.currentTarget.files ?? [])]); event.currentTarget.value = ''; }} />
        </div> : null}
        {items.length > 0 ? (
          <Stack gap={8} component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
            {items.map((item) => (
              <Paper key={item.key} component="li" withBorder radius="md" px="md" py="xs" bg="var(--sp-card)">
                <Group wrap="nowrap" gap="sm">
                  <IconFile size={20} stroke={1.5} aria-hidden style={{ flex: 'none' }} />
                  <div style={{ flex: 1, minWidth: 0 }}>
                    <Text fz="sm" truncate>{item.name}</Text>
                    {item.error ? (
                      <Text fz="xs" c="var(--mantine-color-error)" role="alert">{text(item.error)}</Text>
                    ) : item.id ? (
                      <Text fz="xs" c="dimmed">{bytes(item.size)} · {t('knowledge:add.uploaded')}</Text>
                    ) : (
                      <Progress value={item.file ? item.share * 100 : 100} animated={!item.file} size="xs" mt={6} aria-label={item.name} />
                    )}
                  </div>
                  {item.error ? <Button size="compact-xs" variant="default" onClick={() => patch(item.key, { error: undefined, share: 0 })}>{t('action.retry')}</Button> : null}
                  <ActionIcon aria-label={t('knowledge:add.remove', { name: item.name })} onClick={() => { aborts.current.get(item.key)?.abort(); setItems((all) => all.filter((i) => i.key !== item.key)); }}>
                    <IconX size={16} />
                  </ActionIcon>
                </Group>
              </Paper>
            ))}
          </Stack>
        ) : null}
        <Section title={t('knowledge:chunk.title')} description={t('knowledge:chunk.text')}>
          <Stack>
            <div style={{ overflowX: 'auto' }}>
              <SegmentedControl
                aria-label={t('knowledge:chunk.title')}
                value={chunking.mode}
                onChange={(mode) => set({ mode: mode })}
                data={(['automatic', 'custom', 'hierarchical'] as const).map((value) => ({ value, label: t(`knowledge:chunk.${value}`) }))}
              />
            </div>
            <Text fz="sm" c="dimmed">{t(`knowledge:chunk.${chunking.mode}Text`)}</Text>
            {chunking.mode === 'automatic' ? null : (
              <>
                <SimpleGrid cols={{ base: 1, sm: 3 }}>
                  <TextInput label={t('knowledge:chunk.separator')} value={chunking.separator} onChange={(event) => set({ separator: event.currentTarget.value })} ff="monospace" />
                  <NumberInput label={t('knowledge:chunk.max')} min={50} max={4000} value={chunking.maxTokens} onChange={(v) => set({ maxTokens: Number(v) || START.maxTokens })} />
                  {chunking.mode === 'custom' ? (
                    <NumberInput label={t('knowledge:chunk.overlap')} min={0} max={1000} value={chunking.overlap} onChange={(v) => set({ overlap: Number(v) || 0 })} />
                  ) : (
                    <NumberInput label={t('knowledge:chunk.child')} min={20} max={2000} value={chunking.childTokens} onChange={(v) => set({ childTokens: Number(v) || START.childTokens })} />
                  )}
                </SimpleGrid>
                {chunking.mode === 'hierarchical' ? (
                  <Select maw={320} label={t('knowledge:chunk.parent')} allowDeselect={false} value={chunking.parentMode} onChange={(v) => set({ parentMode: v === 'full-doc' ? 'full-doc' : 'paragraph' })} data={[{ value: 'paragraph', label: t('knowledge:chunk.paragraph') }, { value: 'full-doc', label: t('knowledge:chunk.fullDoc') }]} />
                ) : null}
                <Group>
                  <Checkbox label={t('knowledge:chunk.spaces')} checked={chunking.removeSpaces} onChange={(event) => set({ removeSpaces: event.currentTarget.checked })} />
                  <Checkbox label={t('knowledge:chunk.links')} checked={chunking.removeLinks} onChange={(event) => set({ removeLinks: event.currentTarget.checked })} />
                </Group>
              </>
            )}
            <Group>
              <Button variant="default" size="xs" disabled={!first} loading={estimate.isPending} onClick={() => (first ? estimate.mutate(first) : undefined)}>
                {t('knowledge:chunk.preview')}
              </Button>
              {preview ? <Text fz="sm" c="dimmed">{t('knowledge:chunk.total', { count: preview.total_segments })}</Text> : null}
            </Group>
            {preview?.preview.map((chunk, i) => (
              <div key={i} className={css.chunk}>
                <Text fz="xs" c="dimmed" mb={4}>{i + 1}</Text>
                {chunk.child_chunks?.length ? chunk.child_chunks.map((child, j) => <span key={j} className={css.child}>{child}</span>) : chunk.content}
              </div>
            ))}
          </Stack>
        </Section>
        <Group justify="flex-end">
          <Button size="md" disabled={ready.length === 0 || waiting} loading={start.isPending} onClick={() => start.mutate()}>
            {waiting ? t('knowledge:add.uploading') : t('knowledge:add.start', { count: ready.length })}
          </Button>
        </Group>
      </Stack>
    </Page>
  );
}
