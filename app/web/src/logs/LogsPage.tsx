import { Badge, Button, Drawer, Group, SegmentedControl, Stack, Table, Text, UnstyledButton } from '@mantine/core';
import { IconMessageCheck, IconRefresh, IconRoute } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { EditAnnotation } from '@/annotations/EditAnnotation';
import { http } from '@/api/http';
import type { Citation, Conversation, LogMessage, Page as PageOf } from '@/api/types';
import { Answer } from '@/chat/Answer';
import css from '@/chat/Chat.module.css';
import SourceDrawer from '@/chat/SourceDrawer';
import type { Turn } from '@/chat/turns';
import { useFrameApp } from '@/studio/AppFrame';
import { AppIcon } from '@/ui/AppIcon';
import { ago, count, dateTime } from '@/ui/format';
import { Listing, SearchField, useListing } from '@/ui/Listing';
import { Page } from '@/ui/Page';
import { Failed, RowSkeletons } from '@/ui/states';

import { RunDrawer, Runs } from './Runs';

/** A logged message as the chat shows it. */
export function toTurn(message: LogMessage): Turn {
  const failed = message.status === 'error' || Boolean(message.error);
  return {
    key: message.id,
    messageId: message.id,
    query: message.query,
    answer: message.answer,
    status: failed ? 'failed' : 'done',
    ...(failed ? { error: { code: 'completion_request_error', message: message.error ?? '' } } : {}),
    citations: message.retriever_resources ?? message.metadata?.retriever_resources ?? [],
    away: message.metadata?.knowledge_away,
    usage: message.metadata?.usage,
    thoughts: [],
    steps: [],
    rating: message.feedback?.rating ?? message.feedbacks?.[0]?.rating ?? null,
  };
}

function Detail({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const { t } = useTranslation();
  const app = useFrameApp();
  const [source, setSource] = useState<{ citation: Citation; query: string } | null>(null);
  const [run, setRun] = useState<string | null>(null);
  const [kept, setKept] = useState<LogMessage | null>(null);
  const messages = useQuery({
    queryKey: ['apps', 'messages', app.id, conversation.id],
    queryFn: () => http.get<{ data: LogMessage[] }>(`/apps/${app.id}/chat-messages`, { conversation_id: conversation.id, limit: 100 }),
  });
  return (
    <Drawer opened onClose={onClose} position="right" size="xl" title={conversation.name || t('logs:untitled')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Text c="dimmed" fz="sm" mb="lg">{dateTime(conversation.created_at)}</Text>
      {messages.isPending ? (
        <RowSkeletons />
      ) : messages.error ? (
        <Failed error={messages.error} retry={() => messages.refetch()} />
      ) : (
        messages.data.data.map((message) => (
          <div key={message.id} className={css.turn}>
            {message.query ? <div className={css.question}>{message.query}</div> : null}
            {message.workflow_run_id ? <Button size="compact-xs" variant="subtle" leftSection={<IconRoute size={14} />} onClick={() => setRun(message.workflow_run_id ?? null)}>{t('logs:trace')}</Button> : null}
            <Answer own turn={toTurn(message)} avatar={<AppIcon app={app} size={32} />} onCite={(citation) => setSource({ citation, query: message.query })} />
            {app.mode !== 'completion' && message.query && message.answer ? <Button ml={44} size="compact-xs" variant="subtle" leftSection={<IconMessageCheck size={14} />} onClick={() => setKept(message)}>{t('annotations:fromAnswer')}</Button> : null}
          </div>
        ))
      )}
      {kept ? <EditAnnotation appId={app.id} messageId={kept.id} question={kept.query} answer={kept.answer} onClose={() => setKept(null)} /> : null}
      {run ? <RunDrawer appId={app.id} runId={run} onClose={() => setRun(null)} /> : null}
      {source ? <SourceDrawer citation={source.citation} query={source.query} linked onClose={() => setSource(null)} /> : null}
    </Drawer>
  );
}

/** Conversations of a chat, runs of a workflow; a chatflow has both. */
export default function LogsPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const [view, setView] = useState('conversations');
  const chat = app.mode !== 'workflow';
  return (
    <Page
      title={t('logs:title')}
      description={t('logs:text')}
      actions={
        app.mode === 'advanced-chat' ? (
          <SegmentedControl
            aria-label={t('logs:view')}
            value={view}
            onChange={setView}
            data={[
              { value: 'conversations', label: t('logs:conversations') },
              { value: 'runs', label: t('logs:runs') },
            ]}
          />
        ) : null
      }
    >
      {chat && view === 'conversations' ? <Conversations /> : <Runs />}
    </Page>
  );
}

function Conversations() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const place = useListing();
  const { page, wanted } = place;
  const [open, setOpen] = useState<Conversation | null>(null);
  const list = useQuery({
    queryKey: ['apps', 'conversations', app.id, page, wanted],
    queryFn: () => http.get<PageOf<Conversation>>(`/apps/${app.id}/chat-conversations`, { page, limit: 20, keyword: wanted }),
    placeholderData: keepPreviousData,
  });
  return (
    <Stack>
      <Group justify="space-between">
        <SearchField label={t('logs:search')} place={place} />
        <Button variant="default" leftSection={<IconRefresh size={18} />} loading={list.isRefetching} onClick={() => void list.refetch()}>{t('logs:refresh')}</Button>
      </Group>
      <Listing
        query={list}
        place={place}
        filtered={Boolean(wanted)}
        none={t('logs:none')}
        noneText={t('logs:noneText')}
        head={
          <>
            <Table.Th>{t('logs:conversation')}</Table.Th>
            <Table.Th visibleFrom="sm">{t('logs:user')}</Table.Th>
            <Table.Th ta="right" visibleFrom="sm">{t('logs:messages')}</Table.Th>
            <Table.Th>{t('logs:time')}</Table.Th>
          </>
        }
      >
        {(row) => (
          <Table.Tr key={row.id}>
            <Table.Td maw={420}>
              <UnstyledButton onClick={() => setOpen(row)} fw={550} fz="sm">
                <span className="sp-clamp-2">{row.name || t('logs:untitled')}</span>
              </UnstyledButton>
            </Table.Td>
            <Table.Td visibleFrom="sm">
              <Group gap={6} wrap="nowrap">
                <Text fz="sm" c="dimmed" truncate maw={160}>{row.from_source === 'console' ? t('logs:console') : (row.from_end_user_session_id ?? t('logs:anonymous'))}</Text>
                {row.from_source === 'api' ? <Badge size="xs" variant="default">API</Badge> : null}
              </Group>
            </Table.Td>
            <Table.Td ta="right" className="sp-num" visibleFrom="sm">{count(row.message_count)}</Table.Td>
            <Table.Td>{ago(row.updated_at)}</Table.Td>
          </Table.Tr>
        )}
      </Listing>
      {open ? <Detail conversation={open} onClose={() => setOpen(null)} /> : null}
    </Stack>
  );
}
