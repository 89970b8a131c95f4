import { Badge, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';

import type { VersionDiff } from '@/api/types';
import { Failed, RowSkeletons } from '@/ui/states';

import { versionApi } from './api';
import css from './Versions.module.css';

type Change = VersionDiff['settings'][number];

function show(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

function Fields({ changes }: { changes: Change[] }) {
  const { t } = useTranslation();
  return changes.map(({ name, before, after }) => (
    <div key={name} className={css.change}>
      <Text fz="xs" ff="monospace" c="dimmed">{name}</Text>
      {show(before) ? <pre className={css.before} aria-label={t('versions:before')}>{show(before)}</pre> : null}
      {show(after) ? <pre className={css.after} aria-label={t('versions:after')}>{show(after)}</pre> : null}
    </div>
  ));
}

/** What differs between a version and what is in the editor now (`to` = "draft") or another version. */
export function DiffView({ appId, from, to }: { appId: string; from: string; to: string }) {
  const { t } = useTranslation();
  const diff = useQuery({ queryKey: ['apps', 'diff', appId, from, to], queryFn: () => versionApi.diff(appId, from, to), staleTime: 0 });
  if (diff.isPending) return <RowSkeletons n={3} />;
  if (diff.error) return <Failed error={diff.error} retry={() => diff.refetch()} />;
  const { nodes, edges, settings } = diff.data;
  const wires = edges.added.length + edges.removed.length;
  if (!nodes.added.length && !nodes.removed.length && !nodes.changed.length && !wires && !settings.length) {
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
      {nodes.changed.map((node) => (
        <div key={node.id}>
          <Group gap={8} mb={6}>
            <Badge variant="light" tt="none">{t('versions:changed')}</Badge>
            <Text fw={550}>{node.title || node.id}</Text>
          </Group>
          <Fields changes={node.fields} />
        </div>
      ))}
      {wires ? <Text fz="sm">{t('versions:edges', { added: edges.added.length, removed: edges.removed.length })}</Text> : null}
      {settings.length ? (
        <div>
          <Text fw={550} mb={6}>{t('versions:settings')}</Text>
          <Fields changes={settings} />
        </div>
      ) : null}
    </Stack>
  );
}
