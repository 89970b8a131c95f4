import { Alert, Badge, Drawer, Group, Select, Stack, Table, Text, UnstyledButton } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import type { NodeRun, Page as PageOf, Run, RunDetail } from '@/api/types';
import { Trace } from '@/canvas/Trace';
import type { Step } from '@/chat/turns';
import { useFrameApp } from '@/studio/AppFrame';
import { CodeBlock } from '@/ui/Copy';
import { ago, count, dateTime } from '@/ui/format';
import { Listing, useListing } from '@/ui/Listing';
import { serverText } from '@/ui/serverText';
import { Failed, RowSkeletons } from '@/ui/states';

const STATES = ['running', 'succeeded', 'partial-succeeded', 'failed', 'stopped', 'paused'] as const;
const COLOURS: Record<string, string> = { succeeded: 'moss', 'partial-succeeded': 'sparrow', failed: 'brick', running: 'sparrow', paused: 'sparrow' };
const SOURCES = ['app-run', 'debugging', 'schedule', 'webhook'] as const;

function oneOf<T extends string>(values: readonly T[], value: string): T | undefined {
  return values.find((known) => known === value);
}

/** A recorded node as the trace shows it; an attempt that was repeated counts as failed. */
export function toStep(node: NodeRun): Step {
  const status = oneOf(['running', 'succeeded', 'failed', 'exception', 'stopped', 'paused'] as const, node.status) ?? 'failed';
  return {
    id: `${node.id}-${node.index}`,
    nodeId: node.node_id,
    type: node.node_type,
    title: node.title,
    status,
    elapsed: node.elapsed_time,
    ...(node.error ? { error: node.error } : {}),
    inputs: node.inputs,
    processData: node.process_data,
    outputs: node.outputs,
    ...(node.container_id ? { parent: node.container_id } : {}),
  };
}

function Status({ run }: { run: Run }) {
  const { t } = useTranslation();
  const known = oneOf(STATES, run.status);
  return <Badge size="sm" variant="light" tt="none" color={COLOURS[run.status] ?? 'gray'}>{known ? t(`logs:run.${known}`) : run.status}</Badge>;
}

/** One run: what went in and came out, and each of its steps. */
export function RunDrawer({ appId, runId, onClose }: { appId: string; runId: string; onClose: () => void }) {
  const { t } = useTranslation();
  const at = `/apps/${appId}/workflow-runs/${runId}`;
  const run = useQuery({
    queryKey: ['apps', 'run', appId, runId],
    queryFn: () => http.get<RunDetail>(at),
    refetchInterval: (query) => (query.state.data?.status === 'running' ? 2000 : false),
  });
  const state = run.data?.status;
  const nodes = useQuery({ queryKey: ['apps', 'nodes', appId, runId, state], queryFn: () => http.get<{ data: NodeRun[] }>(`${at}/node-executions`) });
  return (
    <Drawer opened onClose={onClose} position="right" size="xl" title={t('logs:run.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      {run.isPending ? (
        <RowSkeletons />
      ) : run.error ? (
        <Failed error={run.error} retry={() => run.refetch()} />
      ) : (
        <Stack>
          <Group gap="sm">
            <Status run={run.data} />
            <Text fz="sm" c="dimmed" className="sp-num">
              {dateTime(run.data.created_at)} · {run.data.elapsed_time.toFixed(2)} s · {t('chat:usage', { tokens: count(run.data.total_tokens) })}
            </Text>
          </Group>
          {run.data.error ? <Alert color="brick" icon={<IconAlertTriangle size={20} />} style={{ overflowWrap: 'anywhere' }}>{serverText(run.data.error)}</Alert> : null}
          <div>
            <Text fw={600} mb={6}>{t('flow:inputs')}</Text>
            <CodeBlock label={t('flow:inputs')} code={JSON.stringify(run.data.inputs, null, 2)} />
          </div>
          {run.data.outputs ? (
            <div>
              <Text fw={600} mb={6}>{t('flow:outputs')}</Text>
              <CodeBlock label={t('flow:outputs')} code={JSON.stringify(run.data.outputs, null, 2)} />
            </div>
          ) : null}
          {nodes.isPending ? <RowSkeletons n={3} /> : nodes.error ? <Failed error={nodes.error} retry={() => nodes.refetch()} /> : <Trace steps={nodes.data.data.map(toStep)} open />}
        </Stack>
      )}
    </Drawer>
  );
}

/** The runs of a workflow or chatflow, newest first. */
export function Runs() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const place = useListing();
  const { page, setPage } = place;
  const [status, setStatus] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const list = useQuery({
    queryKey: ['apps', 'runs', app.id, page, status],
    queryFn: () => http.get<PageOf<Run>>(`/apps/${app.id}/workflow-runs`, { page, limit: 20, status }),
    placeholderData: keepPreviousData,
  });
  return (
    <Stack>
      <Select
        maw={240}
        aria-label={t('logs:run.status')}
        placeholder={t('logs:run.all')}
        clearable
        clearButtonProps={{ 'aria-label': t('logs:run.all') }}
        data={STATES.map((value) => ({ value, label: t(`logs:run.${value}`) }))}
        value={status || null}
        onChange={(value) => {
          setStatus(value ?? '');
          setPage(1);
        }}
      />
      <Listing
        query={list}
        place={place}
        filtered={Boolean(status)}
        none={t('logs:run.none')}
        noneText={t('logs:run.noneText')}
        head={
          <>
            <Table.Th>{t('logs:time')}</Table.Th>
            <Table.Th>{t('logs:run.status')}</Table.Th>
            <Table.Th>{t('logs:run.source')}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">{t('logs:run.steps')}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">{t('logs:run.tokens')}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">{t('logs:run.seconds')}</Table.Th>
          </>
        }
      >
        {(run) => {
          const source = oneOf(SOURCES, run.triggered_from);
          return (
            <Table.Tr key={run.id}>
              <Table.Td>
                <UnstyledButton fw={550} fz="sm" onClick={() => setOpen(run.id)} title={dateTime(run.created_at)}>{ago(run.created_at)}</UnstyledButton>
              </Table.Td>
              <Table.Td><Status run={run} /></Table.Td>
              <Table.Td fz="sm" c="dimmed">{source ? t(`logs:source.${source}`) : run.triggered_from}</Table.Td>
              <Table.Td ta="right" className="sp-num" visibleFrom="sm">{count(run.total_steps)}</Table.Td>
              <Table.Td ta="right" className="sp-num" visibleFrom="sm">{count(run.total_tokens)}</Table.Td>
              <Table.Td ta="right" className="sp-num" visibleFrom="sm">{run.elapsed_time.toFixed(2)}</Table.Td>
            </Table.Tr>
          );
        }}
      </Listing>
      {open ? <RunDrawer appId={app.id} runId={open} onClose={() => setOpen(null)} /> : null}
    </Stack>
  );
}
