import { Button, Group, Text } from '@mantine/core';
import { IconArrowDown } from '@tabler/icons-react';
import { lazy, Suspense, useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from '@/i18n';

import type { Citation } from '@/api/types';
import { failed } from '@/ui/notify';

import { Answer } from './Answer';
import css from './Chat.module.css';
import { Composer } from './Composer';
import { missing, type FormEntry, type Inputs } from './inputs';
import { InputsForm } from './InputsForm';
import type { Turn } from './turns';
import type { useChat } from './useChat';

const SourceDrawer = lazy(() => import('./SourceDrawer'));

export interface ChatProps {
  chat: ReturnType<typeof useChat>;
  avatar: ReactNode;
  opener?: string;
  suggestions?: string[];
  form?: FormEntry[];
  values: Inputs;
  onValues: (values: Inputs) => void;
  placeholder?: string;
  disabled?: boolean;
  autoFocus?: boolean;
  /** Sources can be opened in the knowledge base (console) or only shown (public page). */
  openSources?: boolean;
  trace?: (turn: Turn) => ReactNode;
  onRate?: (turn: Turn, rating: 'like' | 'dislike' | null) => void;
  empty?: ReactNode;
  files?: unknown[];
}

/** A conversation: what was said so far, and the place to say more. */
export function Chat(props: ChatProps) {
  const { chat, avatar, form = [], values, onValues } = props;
  const { t } = useTranslation();
  const [source, setSource] = useState<Citation | null>(null);
  const [query, setQuery] = useState('');
  const scroller = useRef<HTMLDivElement>(null);
  const [pinned, setPinned] = useState(true);

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
    const lack = missing(form, values);
    if (lack) {
      failed(t('chat:inputs'), t('chat:missing', { name: lack.field.label || lack.field.variable }));
      return false;
    }
    setPinned(true);
    void chat.ask(text, values, props.files);
    return true;
  };
  const fill = (text: string) => text.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => String(values[name] ?? whole));
  const openerText = props.opener ? fill(props.opener) : '';
  const started = chat.turns.length > 0;
  const opening: Turn | null = openerText
    ? { key: 'opener', query: '', answer: openerText, status: 'done', citations: [], thoughts: [], steps: [] }
    : null;
  const last = chat.turns.at(-1);

  return (
    <div className={css.chat}>
      <div className={css.scroll} ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label={t('chat:log')} aria-busy={chat.busy}>
        <div className={css.inner}>
          {form.length > 0 && !started ? (
            <div style={{ marginBottom: 24 }}>
              <InputsForm form={form} values={values} onChange={onValues} />
            </div>
          ) : null}
          {opening ? (
            <div className={css.turn}>
              <Answer turn={opening} avatar={avatar} onCite={setSource} />
            </div>
          ) : null}
          {!started && props.suggestions?.length ? (
            <div className={css.suggest} style={{ paddingLeft: opening ? 44 : 0 }}>
              {props.suggestions.filter(Boolean).map((text) => (
                <Button key={text} variant="default" size="xs" radius="xl" fw={500} h="auto" py={6} styles={{ label: { whiteSpace: 'normal', textAlign: 'left' } }} onClick={() => send(text)}>
                  {text}
                </Button>
              ))}
            </div>
          ) : null}
          {!started && !opening ? props.empty : null}
          {chat.turns.map((turn) => (
            <div key={turn.key} className={css.turn}>
              {turn.query ? <div className={css.question}>{turn.query}</div> : null}
              <Answer
                turn={turn}
                avatar={avatar}
                trace={props.trace?.(turn)}
                onCite={(citation) => {
                  setQuery(turn.query);
                  setSource(citation);
                }}
                onRate={props.onRate ? (rating) => props.onRate?.(turn, rating) : undefined}
                onRetry={turn === last && !chat.busy && turn.query ? () => send(turn.query) : undefined}
              />
            </div>
          ))}
        </div>
      </div>
      {!pinned && started ? (
        <Group justify="center" style={{ height: 0, position: 'relative', top: -44 }}>
          <Button size="compact-sm" radius="xl" variant="default" leftSection={<IconArrowDown size={14} />} onClick={() => setPinned(true)}>
            {t('chat:toBottom')}
          </Button>
        </Group>
      ) : null}
      <Composer busy={chat.busy} disabled={props.disabled} placeholder={props.placeholder} autoFocus={props.autoFocus} onSend={send} onStop={chat.stop} />
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
