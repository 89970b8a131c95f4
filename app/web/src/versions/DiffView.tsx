import { Badge, Group, Stack, Text } from '@mantine/core';
import { IconArrowRight } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Fragment } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import type { Dataset, Page, VersionDiff } from '@/api/types';
import { Failed, RowSkeletons } from '@/ui/states';

import { versionApi } from './api';
import { compareLines, isNothing, leaves } from './changes';
import css from './Versions.module.css';
import { useWords } from './words';

type Change = VersionDiff['settings'][number];
type Words = ReturnType<typeof useWords>;

/** The longest value that is shown in one row with what it was. */
const SHORT = 60;

function Fields({ changes, words }: { changes: Change[]; words: Words }) {
  const { t } = useTranslation();
  return changes.flatMap(({ name, before, after }) => leaves(name, before, after)).map((leaf) => {
    const [old, now] = [words.value(leaf.before), words.value(leaf.after)];
    const short = old.length <= SHORT && now.length <= SHORT && !`${old}${now}`.includes('\n');
    return (
      <div key={leaf.path.join(' ')} className={css.change}>
        <Text fz="xs" c="dimmed">{leaf.path.map(words.label).join(' › ')}</Text>
        {short ? (
          <div className={css.short}>
            <del aria-label={t('versions:before')} data-nothing={isNothing(leaf.before) || undefined}>{old}</del>
            <IconArrowRight size={14} aria-hidden />
            <ins aria-label={t('versions:after')}>{now}</ins>
          </div>
        ) : (
          <div className={css.lines}>
            {compareLines(old, now).map(({ kind, text }, i) =>
              kind === 'out' ? <del key={i} aria-label={t('versions:before')}>{text || ' '}</del> : kind === 'in' ? <ins key={i} aria-label={t('versions:after')}>{text || ' '}</ins> : <span key={i} data-gap={kind === 'gap' || undefined}>{text || ' '}</span>,
            )}
          </div>
        )}
      </div>
    );
  });
}

/** What differs between a version and what is in the editor now (`to` = "draft") or another version. */
export function DiffView({ appId, from, to }: { appId: string; from: string; to: string }) {
  const diff = useQuery({ queryKey: ['apps', 'diff', appId, from, to], queryFn: () => versionApi.diff(appId, from, to), staleTime: 0 });
  const names = useQuery({
    queryKey: ['datasets', 'names'],
    queryFn: async () => Object.fromEntries((await http.get<Page<Dataset>>('/datasets', { page: 1, limit: 100 })).data.map(({ id, name }) => [id, name])),
  });
  if (diff.isPending || names.isLoading) return <RowSkeletons n={3} />;
  if (diff.error) return <Failed error={diff.error} retry={() => diff.refetch()} />;
  return <Differences diff={{ ...diff.data, titles: { ...names.data, ...diff.data.titles } }} />;
}

function Differences({ diff: { nodes, edges, settings, titles } }: { diff: VersionDiff }) {
  const { t } = useTranslation();
  const words = useWords(titles);
  // What only says how a node is drawn is no difference to a reader.
  const changed = nodes.changed.filter((node) => node.fields.some(({ name, before, after }) => leaves(name, before, after).length > 0));
  const links = [...edges.added.map((link) => ({ ...link, added: true })), ...edges.removed.map((link) => ({ ...link, added: false }))];
  const shown = settings.filter(({ name, before, after }) => leaves(name, before, after).length > 0);
  if (!nodes.added.length && !nodes.removed.length && !changed.length && !links.length && !shown.length) {
    return <Text c="dimmed">{t('versions:same')}</Text>;
  }
  return (
    <Stack gap="md">
      {([['added', nodes.added], ['removed', nodes.removed]] as const).map(([kind, list]) =>
        list.map((node) => (
          <Group key={node.id} gap={8}>
            <Badge variant="light" tt="none" color={kind === 'added' ? 'moss' : 'brick'}>{t(`versions:${kind}`)}</Badge>
            <Text fw={550}>{node.title || node.id}</Text>
          </Group>
        )),
      )}
      {changed.map((node) => (
        <div key={node.id}>
          <Group gap={8} mb={6}>
            <Badge variant="light" tt="none">{t('versions:changed')}</Badge>
            <Text fw={550}>{node.title || node.id}</Text>
          </Group>
          <Fields changes={node.fields} words={words} />
        </div>
      ))}
      {links.length ? (
        <div>
          <Text fw={550} mb={6}>{t('versions:edges')}</Text>
          {links.map((link) => (
            <Group key={link.id} gap={8} mb={4} fz="sm">
              <Badge variant="light" tt="none" color={link.added ? 'moss' : 'brick'}>{t(link.added ? 'versions:added' : 'versions:removed')}</Badge>
              <span>{titles[link.source] || link.source} → {titles[link.target] || link.target}</span>
            </Group>
          ))}
        </div>
      ) : null}
      {shown.length ? (
        <Fragment>
          <Text fw={550} mb={-8}>{t('versions:settings')}</Text>
          <div><Fields changes={shown} words={words} /></div>
        </Fragment>
      ) : null}
    </Stack>
  );
}
