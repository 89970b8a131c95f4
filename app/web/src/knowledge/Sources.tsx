import { ActionIcon, Anchor, Breadcrumbs, Button, Group, Paper, SegmentedControl, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { IconArrowUp, IconFile, IconFolder, IconPlus, IconUsb } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { bytes } from '@/ui/format';
import { Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';
import { SiteSource, useCrawlParam } from './Site';

export interface Found {
  name: string;
  size: number;
  place?: string;
  path?: string;
  url?: string;
  /** The file, where the box has it already. */
  id?: string;
}

/** Text typed or pasted: becomes a small file like any other. */
export function TextSource({ add }: { add: (files: File[]) => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState('');
  const [text, setText] = useState('');
  return (
    <Stack>
      <TextInput label={t('knowledge:source.textName')} maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <Textarea label={t('knowledge:source.textBody')} autosize minRows={6} maxRows={16} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Group justify="flex-end">
        <Button
          variant="light"
          disabled={!name.trim() || !text.trim()}
          onClick={() => {
            add([new File([text], `${name.trim().replaceAll('/', ' ')}.md`, { type: 'text/markdown' })]);
            setName('');
            setText('');
          }}
        >
          {t('knowledge:source.take')}
        </Button>
      </Group>
    </Stack>
  );
}

/** Pages by their addresses, or those that are found on a site. */
export function WebSource({ datasetId, add }: { datasetId: string; add: (found: Found[]) => void }) {
  const { t } = useTranslation();
  const [kind, setKind] = useState<'pages' | 'site'>(useCrawlParam() ? 'site' : 'pages');
  return (
    <Stack>
      <SegmentedControl
        aria-label={t('knowledge:site.kind')}
        size="xs"
        w="fit-content"
        value={kind}
        onChange={setKind}
        data={[{ value: 'pages' as const, label: t('knowledge:site.single') }, { value: 'site' as const, label: t('knowledge:site.many') }]}
      />
      {kind === 'site' ? <SiteSource datasetId={datasetId} add={add} /> : <PagesSource add={add} />}
    </Stack>
  );
}

/** Addresses, one a line. */
function PagesSource({ add }: { add: (found: Found[]) => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const urls = text.split(/\s+/).filter((line) => /^https?:\/\/./.test(line));
  return (
    <Stack>
      <Textarea label={t('knowledge:source.urls')} description={t('knowledge:source.urlsText')} placeholder="https://" autosize minRows={3} maxRows={10} value={text} onChange={(event) => setText(event.currentTarget.value)} />
      <Group justify="flex-end">
        <Button
          variant="light"
          disabled={urls.length === 0}
          onClick={() => {
            add([...new Set(urls)].map((url) => ({ name: url, size: 0, url })));
            setText('');
          }}
        >
          {t('knowledge:source.fetch')}
        </Button>
      </Group>
    </Stack>
  );
}

/** The drop folder of the box, and USB sticks. */
export function BoxSource({ add }: { add: (found: Found[]) => void }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<string | null>(null);
  const [path, setPath] = useState('');
  const places = useQuery({ queryKey: ['places'], queryFn: () => knowledgeApi.places(), refetchInterval: 3000 });
  const sticks = places.data?.data ?? [];
  const place = sticks.find((p) => p.id === chosen) ?? sticks.find((p) => p.kind === 'usb') ?? sticks[0];
  const entries = useQuery({
    queryKey: ['places', place?.id, path],
    queryFn: () => knowledgeApi.browse(place?.id ?? '', path),
    enabled: Boolean(place),
    retry: false,
  });
  const takeFolder = useAct((folder: string) => knowledgeApi.browse(place?.id ?? '', folder, true), {
    done: (found) => add(found.data.filter((e) => e.supported).map((e) => ({ ...e, place: place?.id }))),
  });
  if (places.isPending) return <RowSkeletons n={2} />;
  if (!place) return <Text c="dimmed" fz="sm">{t('knowledge:source.noPlace')}</Text>;
  const parts = path ? path.split('/') : [];
  return (
    <Stack>
      <Text c="dimmed" fz="sm">{t('knowledge:source.boxText')}</Text>
      <Group align="flex-end">
        <Select
          label={t('knowledge:source.place')}
          allowDeselect={false}
          value={place.id}
          leftSection={place.kind === 'usb' ? <IconUsb size={16} /> : <IconFolder size={16} />}
          onChange={(value) => {
            setChosen(value);
            setPath('');
          }}
          data={sticks.map((p) => ({ value: p.id, label: p.kind === 'usb' ? t('knowledge:source.usb', { name: p.name }) : t('knowledge:source.dropFolder') }))}
        />
        <Button variant="light" loading={takeFolder.isPending} onClick={() => takeFolder.mutate(path)}>{t('knowledge:source.takeFolder')}</Button>
      </Group>
      {parts.length ? (
        <Group gap="xs">
          <ActionIcon aria-label={t('knowledge:source.up')} onClick={() => setPath(parts.slice(0, -1).join('/'))}><IconArrowUp size={18} /></ActionIcon>
          <Breadcrumbs>{parts.map((part, i) => <Anchor key={i} component="button" type="button" fz="sm" onClick={() => setPath(parts.slice(0, i + 1).join('/'))}>{part}</Anchor>)}</Breadcrumbs>
        </Group>
      ) : null}
      {entries.error ? (
        <Failed error={entries.error} retry={() => entries.refetch()} />
      ) : (
        <Stack gap={4} component="ul" p={0} m={0} mah={360} style={{ listStyle: 'none', overflowY: 'auto' }}>
          {entries.data?.data.length === 0 ? <Text component="li" c="dimmed" fz="sm">{t('knowledge:source.emptyFolder')}</Text> : null}
          {entries.data?.data.map((entry) => (
            <Paper key={entry.path} component="li" withBorder radius="md" px="sm" py={6} bg="var(--sp-card)">
              <Group wrap="nowrap" gap="sm">
                {entry.folder ? <IconFolder size={18} aria-hidden style={{ flex: 'none' }} /> : <IconFile size={18} aria-hidden style={{ flex: 'none' }} />}
                {entry.folder ? (
                  <Anchor component="button" type="button" fz="sm" ta="left" style={{ flex: 1, minWidth: 0 }} truncate onClick={() => setPath(entry.path)}>{entry.name}</Anchor>
                ) : (
                  <Text fz="sm" truncate style={{ flex: 1, minWidth: 0 }} c={entry.supported ? undefined : 'dimmed'}>{entry.name}</Text>
                )}
                {entry.folder ? null : <Text fz="xs" c="dimmed" className="sp-num">{entry.supported ? bytes(entry.size) : t('knowledge:source.unsupported')}</Text>}
                {entry.folder || entry.supported ? (
                  <ActionIcon aria-label={t('knowledge:source.addNamed', { name: entry.name })} onClick={() => (entry.folder ? takeFolder.mutate(entry.path) : add([{ ...entry, place: place.id }]))}><IconPlus size={16} /></ActionIcon>
                ) : null}
              </Group>
            </Paper>
          ))}
        </Stack>
      )}
    </Stack>
  );
}
