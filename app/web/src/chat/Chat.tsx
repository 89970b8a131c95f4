import { Button, Group, Text } from '@mantine/core';
import { IconArrowDown } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from '@/i18n';

import type { Citation } from '@/api/types';
import { failed } from '@/ui/notify';

import { Answer } from './Answer';
import css from './Chat.module.css';
import { Composer } from './Composer';
import { SentFiles } from './FileList';
import fileCss from './Files.module.css';
import type { FileRules } from './files';
import { obstacle, type FormEntry, type Inputs } from './inputs';
import { InputsForm } from './InputsForm';
import type { ChatService } from './service';
import type { Turn } from './turns';
import type { useChat } from './useChat';
import { useFiles } from './useFiles';

const SourceDrawer = lazy(() => import('./SourceDrawer'));

export interface ChatProps {
  chat: ReturnType<typeof useChat>;
  avatar: ReactNode;
  opener?: string;
  suggestions?: string[];
  form?: FormEntry[];
  values: Inputs;
  onValues: (change: (values: Inputs) => Inputs) => void;
  placeholder?: string;
  disabled?: boolean;
  autoFocus?: boolean;
  /** Sources can be opened in the knowledge base (console) or only shown (public page). */
  openSources?: boolean;
  trace?: (turn: Turn) => ReactNode;
  onRate?: (turn: Turn, rating: 'like' | 'dislike' | null) => void;
  empty?: ReactNode;
  service?: ChatService;
  /** What may be sent with a question; null: nothing. */
  fileRules?: FileRules | null;
}

/** A conversation: what was said so far, and the place to say more. */
export function Chat(props: ChatProps) {
  const { chat, avatar, form = [], values, onValues, service = {} } = props;
  const { t } = useTranslation();
  const [source, setSource] = useState<Citation | null>(null);
  const [query, setQuery] = useState('');
  const scroller = useRef<HTMLDivElement>(null);
  const [pinned, setPinned] = useState(true);
  const [over, setOver] = useState(false);
  const files = useFiles(props.fileRules ?? null, service.upload);
  const last = chat.turns.at(-1);
  const finished = !chat.busy && last?.status === 'done' ? (last.messageId ?? '') : '';
  // Nothing depends on them: when they fail there are none.
  const next = useQuery({
    queryKey: ['chat', 'next', finished],
    queryFn: () => service.suggest?.(finished) ?? [],
    enabled: Boolean(service.suggest) && finished !== '',
    staleTime: Infinity,
    retry: false,
  });

  // The view follows the answer, until the reader scrolls up.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && pinned) element.scrollTop = element.scrollHeight;
  }, [chat.turns, pinned]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => {
      if (pinned) element.scrollTop = element.scrollHeight;
    });
    if (element.firstElementChild) observer.observe(element.firstElementChild);
    return () => observer.disconnect();
  }, [pinned]);
  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (element) setPinned(element.scrollHeight - element.scrollTop - element.clientHeight < 60);
  }, []);

  const send = (text: string): boolean => {
    const lack = obstacle(form, values);
    if (lack) {
      failed(t('chat:inputs'), t(`chat:${lack.why}`, { name: lack.name }));
      return false;
    }
    setPinned(true);
    void chat.ask(text, values, files);
    files.clear();
    return true;
  };
  const fill = (text: string) => text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => {
    const value = values[name];
    return typeof value === 'object' ? whole : String(value ?? whole);
  });
  const openerText = props.opener ? fill(props.opener) : '';
  const started = chat.turns.length > 0;
  const opening: Turn | null = openerText
    ? { key: 'opener', query: '', answer: openerText, status: 'done', citations: [], thoughts: [], steps: [] }
    : null;
  return (
    <div
      className={css.chat}
      onDragOver={(event) => {
        if (!files.rules || !event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        setOver(false);
        if (!files.rules || event.defaultPrevented) return;
        event.preventDefault();
        files.add(event.dataTransfer.files);
      }}
    >
      {over ? <div className={fileCss.drop}>{t('chat:files.drop')}</div> : null}
      <div className={css.scroll} ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label={t('chat:log')} aria-busy={chat.busy}>
        <div className={css.inner}>
          {form.length > 0 && !started ? (
            <div style={{ marginBottom: 24 }}>
              <InputsForm form={form} values={values} onChange={onValues} upload={service.upload} />
            </div>
          ) : null}
          {opening ? (
            <div className={css.turn}>
              <Answer turn={opening} avatar={avatar} onCite={setSource} />
            </div>
          ) : null}
          {!started && props.suggestions?.length ? (
            <Questions label={t('chat:suggested')} questions={props.suggestions} indent={Boolean(opening)} onAsk={send} />
          ) : null}
          {!started && !opening ? props.empty : null}
          {chat.turns.map((turn) => (
            <div key={turn.key} className={css.turn}>
              <SentFiles files={turn.files ?? []} />
              {turn.query ? <div className={css.question}>{turn.query}</div> : null}
              <Answer
                turn={turn}
                avatar={avatar}
                trace={props.trace?.(turn)}
                own={props.openSources}
                onCite={(citation) => {
                  setQuery(turn.query);
                  setSource(citation);
                }}
                onRate={props.onRate ? (rating) => props.onRate?.(turn, rating) : undefined}
                onSpeak={service.speak}
                onFill={service.fill}
                onFilled={(ask, answer) => void chat.goOn(turn, ask, answer)}
                onRetry={turn === last && !chat.busy && turn.query ? () => send(turn.query) : undefined}
              />
            </div>
          ))}
          {finished && next.data?.length ? (
            <Questions label={t('chat:next')} questions={next.data} indent onAsk={send} />
          ) : null}
        </div>
      </div>
      {!pinned && started ? (
        <Group justify="center" style={{ height: 0, position: 'relative', top: -44 }}>
          <Button size="compact-sm" radius="xl" variant="default" leftSection={<IconArrowDown size={14} />} onClick={() => setPinned(true)}>
            {t('chat:toBottom')}
          </Button>
        </Group>
      ) : null}
      <Composer busy={chat.busy} disabled={props.disabled} placeholder={props.placeholder} autoFocus={props.autoFocus} files={files} transcribe={service.transcribe} onSend={send} onStop={chat.stop} />
      <Text className="sr-only" aria-live="polite" style={{ position: 'absolute', width: 1, height: 1, overflow: 'hidden', clipPath: 'inset(50%)' }}>
        {last && !chat.busy && last.status === 'done' ? last.answer : ''}
      </Text>
      {source ? (
        <Suspense fallback={null}>
          <SourceDrawer citation={source} query={query} linked={props.openSources ?? false} onClose={() => setSource(null)} />
        </Suspense>
      ) : null}
    </div>
  );
}

function Questions({ label, questions, indent, onAsk }: { label: string; questions: string[]; indent: boolean; onAsk: (question: string) => void }) {
  return (
    <div className={css.suggest} style={{ paddingLeft: indent ? 44 : 0 }} role="group" aria-label={label}>
      {questions.filter(Boolean).map((text) => (
        <Button key={text} variant="default" size="xs" radius="xl" fw={500} h="auto" py={6} styles={{ label: { whiteSpace: 'normal', textAlign: 'left' } }} onClick={() => onAsk(text)}>
          {text}
        </Button>
      ))}
    </div>
  );
}
