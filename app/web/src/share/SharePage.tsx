import { Anchor, Button, Center, Drawer, Group, Loader, NavLink, ScrollArea, Stack, Text, Title, Tooltip, ActionIcon } from '@mantine/core';
import { IconHistory, IconMessagePlus, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { useParams } from 'react-router';

import { http } from '@/api/http';
import { useTranslation } from '@/i18n';
import { Chat } from '@/chat/Chat';
import { messageRules, type SentFile, type FileKind } from '@/chat/files';
import { defaults, entries, type FormEntry, type Inputs } from '@/chat/inputs';
import { chatService, served, type ChatService } from '@/chat/service';
import { readAsk, type Turn } from '@/chat/turns';
import { useChat } from '@/chat/useChat';
import { CompletionPanel } from '@/prompt/CompletionPanel';
import { AppIcon } from '@/ui/AppIcon';
import { LanguageMenu, ThemeMenu } from '@/ui/Preferences';
import { useConfirm } from '@/ui/confirm';
import { dateTime } from '@/ui/format';
import { Empty, Failed } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { enter, type SharedApp, type SharedParameters, type SharedTalk } from './pass';
import css from './Share.module.css';

/** The public page of an app: a chat or a form, for visitors without an account. */
export default function SharePage() {
  const { code = '' } = useParams();
  const { t } = useTranslation();
  const app = useQuery({ queryKey: ['share', code], queryFn: () => enter(code), staleTime: Infinity });
  const parameters = useQuery({
    queryKey: ['share', code, 'parameters'],
    queryFn: () => http.get<SharedParameters>('/api/parameters'),
    enabled: app.data?.published === true,
    staleTime: Infinity,
  });
  useEffect(() => {
    if (app.data) document.title = app.data.site.title;
  }, [app.data]);
  if (app.error ?? parameters.error) {
    return <Failed error={app.error ?? parameters.error} retry={() => (app.error ? app.refetch() : parameters.refetch())} />;
  }
  if (app.data && !app.data.published) return <Empty title={app.data.site.title}>{t('share:unpublished')}</Empty>;
  if (!app.data || !parameters.data) {
    return (
      <Center h="100dvh">
        <Loader type="dots" />
      </Center>
    );
  }
  return <Shared key={code} app={app.data} parameters={parameters.data} />;
}

function Shared({ app, parameters }: { app: SharedApp; parameters: SharedParameters }) {
  const form = useMemo(() => entries(parameters.user_input_form), [parameters]);
  const [values, setValues] = useState<Inputs>(() => defaults(form));
  const service = useMemo(() => chatService('/api', served(parameters)), [parameters]);
  const props = { app, form, values, onValues: setValues, service };
  return app.mode === 'workflow' || app.mode === 'completion' ? <SharedForm {...props} /> : <SharedChat {...props} parameters={parameters} />;
}

interface Part {
  app: SharedApp;
  form: FormEntry[];
  values: Inputs;
  onValues: (change: (values: Inputs) => Inputs) => void;
  service: ChatService;
}

function SharedForm({ app, ...rest }: Part) {
  const { t } = useTranslation();
  const kind = app.mode === 'workflow' ? 'workflows' : 'completion';
  return (
    <div className={css.page}>
      <Head app={app} />
      <CompletionPanel
        appId={app.app_id}
        path={kind === 'workflows' ? '/api/workflows/run' : '/api/completion-messages'}
        stop={(task) => (kind === 'workflows' ? `/api/workflows/tasks/${task}/stop` : `/api/completion-messages/${task}/stop`)}
        {...rest}
        noForm={t('share:noForm')}
        runLabel={kind === 'workflows' ? t('flow:run') : undefined}
        onRate={kind === 'workflows' ? undefined : (turn, rating) => http.post(`/api/messages/${turn.messageId ?? ''}/feedbacks`, { rating })}
        disabled={false}
      />
      <Foot app={app} />
    </div>
  );
}

function SharedChat({ app, parameters, form, values, onValues, service }: Part & { parameters: SharedParameters }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const chat = useChat({ path: '/api/chat-messages', follow: service.follow });
  const fileRules = useMemo(() => messageRules(parameters.file_upload), [parameters]);
  const key = ['share', app.app_id, 'conversations'];
  const talks = useQuery({ queryKey: key, queryFn: () => http.get<{ data: SharedTalk[] }>('/api/conversations', { limit: 50 }), enabled: open });
  const rate = (turn: Turn, rating: 'like' | 'dislike' | null) => {
    chat.replace({ ...turn, rating });
    http.post(`/api/messages/${turn.messageId ?? ''}/feedbacks`, { rating }).catch(() => chat.replace(turn));
  };
  const confirm = useConfirm();
  const remove = useAct((talk: SharedTalk) => http.delete(`/api/conversations/${talk.id}`), {
    done: (_, talk) => {
      if (chat.turns.some((turn) => turn.conversationId === talk.id)) chat.reset();
      return client.invalidateQueries({ queryKey: key });
    },
  });
  const forget = async (talk: SharedTalk) => {
    if (await confirm({ title: t('share:deleteTitle'), text: talk.name, confirm: t('action.delete') })) remove.mutate(talk);
  };
  const resume = async (talk: SharedTalk) => {
    setOpen(false);
    const { data } = await http.get<{ data: Said[] }>('/api/messages', { conversation_id: talk.id, limit: 100 });
    chat.resume(talk.id, data.map(turnOf));
  };
  return (
    <div className={css.page}>
      <Head app={app}>
        <Tooltip label={t('share:history')}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size={36}
            aria-label={t('share:history')}
            onClick={() => {
              setOpen(true);
              void client.invalidateQueries({ queryKey: key });
            }}
          >
            <IconHistory size={20} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label={t('chat:fresh')}>
          <ActionIcon variant="subtle" color="gray" size={36} aria-label={t('chat:fresh')} disabled={chat.turns.length === 0} onClick={chat.reset}>
            <IconMessagePlus size={20} />
          </ActionIcon>
        </Tooltip>
      </Head>
      <div className={css.main}>
        <Chat
          chat={chat}
          avatar={<AppIcon app={{ mode: app.mode, ...look(app) }} size={32} />}
          opener={parameters.opening_statement}
          suggestions={parameters.suggested_questions}
          form={form}
          values={values}
          onValues={onValues}
          onRate={rate}
          service={service}
          fileRules={fileRules}
          autoFocus
          empty={
            <Stack align="center" gap="xs" py={48} ta="center">
              <AppIcon app={{ mode: app.mode, ...look(app) }} size={64} />
              <Title order={2} fz={22}>
                {app.site.title}
              </Title>
              {app.site.description ? <Text c="dimmed">{app.site.description}</Text> : null}
            </Stack>
          }
        />
      </div>
      <Foot app={app} />
      <Drawer opened={open} onClose={() => setOpen(false)} title={t('share:history')} size="sm" closeButtonProps={{ 'aria-label': t('action.close') }}>
        {talks.error ? <Failed error={talks.error} retry={() => talks.refetch()} /> : null}
        {talks.data?.data.length === 0 ? <Text c="dimmed">{t('share:none')}</Text> : null}
        <ScrollArea>
          {talks.data?.data.map((talk) => (
            <Group key={talk.id} gap={4} wrap="nowrap">
              <NavLink component="button" label={talk.name} description={dateTime(talk.created_at)} onClick={() => void resume(talk)} style={{ borderRadius: 10 }} />
              <ActionIcon aria-label={t('share:delete', { name: talk.name })} onClick={() => void forget(talk)}>
                <IconTrash size={16} />
              </ActionIcon>
            </Group>
          ))}
        </ScrollArea>
        <Button mt="md" fullWidth variant="default" leftSection={<IconMessagePlus size={16} />} onClick={() => { setOpen(false); chat.reset(); }}>
          {t('chat:fresh')}
        </Button>
      </Drawer>
    </div>
  );
}

function Head({ app, children }: { app: SharedApp; children?: React.ReactNode }) {
  return (
    <header className={css.head}>
      <AppIcon app={{ mode: app.mode, ...look(app) }} size={34} />
      <Title order={1} fz={17} lineClamp={1} flex={1} miw={0}>
        {app.site.title}
      </Title>
      <Group gap={2} wrap="nowrap">
        {children}
        <LanguageMenu />
        <ThemeMenu />
      </Group>
    </header>
  );
}

function Foot({ app }: { app: SharedApp }) {
  const { t } = useTranslation();
  const { custom_disclaimer: disclaimer, copyright, privacy_policy: policy } = app.site;
  if (!disclaimer && !copyright && !policy) return null;
  return (
    <Text component="footer" c="dimmed" fz="xs" ta="center" px="md" pb={8}>
      {[disclaimer, copyright].filter(Boolean).join(' · ')}
      {policy && /^https?:\/\//.test(policy) ? (
        <Anchor href={policy} target="_blank" rel="noreferrer" fz="xs" ml={6}>
          {t('share:privacy')}
        </Anchor>
      ) : null}
    </Text>
  );
}

function look(app: SharedApp) {
  const { icon, icon_type, icon_background } = app.site;
  return { icon, icon_type, icon_background: icon_background ?? '' };
}

interface Said {
  id: string;
  conversation_id: string;
  query: string;
  answer: string;
  status: string;
  error: string | null;
  feedback: { rating: 'like' | 'dislike' } | null;
  retriever_resources: Turn['citations'];
  message_files?: { filename: string | null; type: FileKind; url: string | null }[];
  agent_thoughts?: { id: string; thought: string | null; tool: string | null; tool_input: string | null; observation: string | null }[];
  extra_contents?: { workflow_run_id: string; form_definition?: Record<string, unknown>; form_submission_data?: { action_text?: string } }[];
}

function turnOf(said: Said): Turn {
  return {
    key: said.id,
    query: said.query,
    answer: said.answer,
    status: said.status === 'error' ? 'failed' : said.status === 'paused' ? 'paused' : 'done',
    files: (said.message_files ?? []).map<SentFile>((file) => ({ name: file.filename ?? '', kind: file.type, ...(file.url ? { url: file.url } : {}) })),
    asks: (said.extra_contents ?? []).flatMap(({ form_definition: form, form_submission_data: sent }) => (form ? [{ ...readAsk(form), ...(sent?.action_text ? { answer: sent.action_text } : {}) }] : [])),
    ...(said.extra_contents?.[0] ? { runId: said.extra_contents[0].workflow_run_id } : {}),
    ...(said.error ? { error: { code: 'completion_request_error', message: said.error } } : {}),
    messageId: said.id,
    conversationId: said.conversation_id,
    citations: said.retriever_resources,
    thoughts: (said.agent_thoughts ?? []).map(({ id, thought, tool, tool_input: input, observation }) => ({ id, thought: thought ?? '', tool: tool ?? '', input: input ?? '', observation: observation ?? '' })),
    steps: [],
    rating: said.feedback?.rating ?? null,
  };
}
