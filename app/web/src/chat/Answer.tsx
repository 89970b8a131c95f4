import { ActionIcon, Alert, Text, Tooltip, UnstyledButton } from '@mantine/core';
import { IconAlertTriangle, IconCopyPlus, IconRefresh, IconThumbDown, IconThumbDownFilled, IconThumbUp, IconThumbUpFilled } from '@tabler/icons-react';
import { lazy, Suspense, type ReactNode } from 'react';
import { useTranslation } from '@/i18n';

import type { Citation } from '@/api/types';
import { Images } from '@/knowledge/Images';
import { usePlaceText } from '@/knowledge/places';
import { Copy } from '@/ui/Copy';
import { count } from '@/ui/format';
import { serverText } from '@/ui/serverText';

import { AskForm } from './AskForm';
import css from './Chat.module.css';
import { useRunErrorText } from './errors';
import { Speak } from './Speak';
import { placeOf, splitThinking, type Ask, type Turn } from './turns';

const Markdown = lazy(() => import('./Markdown'));

/** The answer of one turn: thoughts, text, sources, and what can be done with it. */
export function Answer({
  turn,
  avatar,
  trace,
  own,
  onCite,
  onRate,
  onRetry,
  onMore,
  onSpeak,
  onFill,
  onFilled,
}: {
  turn: Turn;
  avatar: ReactNode;
  trace?: ReactNode;
  /** The reader has the console: addresses and reasons may be told. */
  own?: boolean;
  onCite: (citation: Citation) => void;
  onRate?: (rating: 'like' | 'dislike' | null) => void;
  onRetry?: () => void;
  /** Has another text like this one written. */
  onMore?: () => void;
  /** Loads the answer as sound. */
  onSpeak?: (messageId: string) => Promise<Blob>;
  /** Fills a form that the run waits for. */
  onFill?: (token: string, inputs: Record<string, unknown>, action: string) => Promise<unknown>;
  onFilled?: (ask: Ask, answer: string) => void;
}) {
  const { t } = useTranslation();
  const placeText = usePlaceText();
  const errorText = useRunErrorText();
  const live = turn.status === 'waiting' || turn.status === 'streaming';
  const sources = turn.citations;
  const images = [...new Map(sources.flatMap((source) => source.files ?? []).map((image) => [image.id, image])).values()];
  const parts = splitThinking(turn.answer);
  return (
    <div className={css.answer}>
      {avatar}
      <div style={{ minWidth: 0, paddingTop: 3 }}>
        {trace}
        {turn.thoughts
          .filter((thought) => thought.tool)
          .map((thought) => (
            <details key={thought.id} className={css.tool}>
              <summary>{t(thought.observation ? 'chat:toolDone' : 'chat:toolRunning', { name: thought.tool.split(';').join(', ') })}</summary>
              <pre>{thought.input}</pre>
              {thought.observation ? <pre>{thought.observation}</pre> : null}
            </details>
          ))}
        <Suspense fallback={<Text style={{ whiteSpace: 'pre-wrap' }}>{turn.answer}</Text>}>
          {parts.map((part, i) =>
            part.kind === 'thinking' ? (
              <details key={i} className={css.thinking}>
                <summary>{t(part.open && live ? 'chat:thinkingNow' : 'chat:thoughts')}</summary>
                <Markdown text={part.text} />
              </details>
            ) : (
              <Markdown
                key={i}
                text={part.text}
                positions={sources.map((s) => s.position)}
                onCite={(position) => {
                  const source = sources.find((s) => s.position === position);
                  if (source) onCite(source);
                }}
              />
            ),
          )}
        </Suspense>
        {turn.asks?.map((ask, i) => (
          <AskForm key={`${ask.nodeId}-${i}`} ask={ask} fill={onFill} onFilled={(answer) => onFilled?.(ask, answer)} />
        ))}
        {live && !turn.answer ? (
          <span className={css.dots} role="status" aria-label={t('chat:working')}>
            <i />
            <i />
            <i />
          </span>
        ) : null}
        {turn.status === 'failed' ? (
          <Alert color="brick" variant="light" mt="xs" icon={<IconAlertTriangle size={20} />} title={t('chat:failed')} role="alert">
            {errorText(turn.error)}
          </Alert>
        ) : null}
        {turn.status === 'stopped' ? (
          <Text c="dimmed" fz="sm" mt={6}>
            {t('chat:stopped')}
          </Text>
        ) : null}
        {sources.length > 0 ? (
          <div className={css.cites} role="list" aria-label={t('chat:sources')}>
            {sources.map((source) => (
              <div key={source.segment_id || source.position} role="listitem" style={{ maxWidth: 'min(100%, 400px)' }}>
                <UnstyledButton className={css.cite} onClick={() => onCite(source)} data-testid="citation">
                  <b>{source.position}</b>
                  <span title={[source.document_name, source.heading].filter(Boolean).join(' · ')}>{[source.document_name, placeText(...placeOf(source)) ?? source.heading?.split(' > ').at(-1)].filter(Boolean).join(' · ')}</span>
                </UnstyledButton>
              </div>
            ))}
          </div>
        ) : null}
        <Images small images={images} />
        {turn.away?.map((base) => (
          <Text key={base.dataset_id} c="dimmed" fz="sm" mt={6} data-testid="away">
            {t(base.by_words ? 'chat:byWords' : 'chat:away', { name: base.dataset_name })} {own ? serverText(base.error) : null}
          </Text>
        ))}
        {live ? null : (
          <div className={css.actions}>
            {turn.answer ? <Copy value={turn.answer} label={t('chat:copyAnswer')} size="sm" /> : null}
            {onSpeak && turn.messageId && turn.answer && turn.status === 'done' ? <Speak load={() => onSpeak(turn.messageId ?? '')} /> : null}
            {onRate && turn.messageId && turn.status === 'done' ? (
              <>
                <Tooltip label={t('chat:like')}>
                  <ActionIcon size="sm" aria-label={t('chat:like')} aria-pressed={turn.rating === 'like'} onClick={() => onRate(turn.rating === 'like' ? null : 'like')}>
                    {turn.rating === 'like' ? <IconThumbUpFilled size={16} /> : <IconThumbUp size={16} />}
                  </ActionIcon>
                </Tooltip>
                <Tooltip label={t('chat:dislike')}>
                  <ActionIcon size="sm" aria-label={t('chat:dislike')} aria-pressed={turn.rating === 'dislike'} onClick={() => onRate(turn.rating === 'dislike' ? null : 'dislike')}>
                    {turn.rating === 'dislike' ? <IconThumbDownFilled size={16} /> : <IconThumbDown size={16} />}
                  </ActionIcon>
                </Tooltip>
              </>
            ) : null}
            {onMore && turn.messageId && turn.status === 'done' ? (
              <Tooltip label={t('chat:more')}>
                <ActionIcon size="sm" aria-label={t('chat:more')} onClick={onMore}>
                  <IconCopyPlus size={16} />
                </ActionIcon>
              </Tooltip>
            ) : null}
            {onRetry ? (
              <Tooltip label={t('chat:again')}>
                <ActionIcon size="sm" aria-label={t('chat:again')} onClick={onRetry}>
                  <IconRefresh size={16} />
                </ActionIcon>
              </Tooltip>
            ) : null}
            {turn.usage?.total_tokens ? (
              <Text span fz="xs" ml={8} className="sp-num">
                {t('chat:usage', { tokens: count(turn.usage.total_tokens) })}
                {turn.usage.latency ? ` · ${turn.usage.latency.toFixed(1)} s` : ''}
              </Text>
            ) : null}
          </div>
        )}
      </div>
    </div>
  );
}
