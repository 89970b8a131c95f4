import { Button, Group, Paper, Stack, Text, Textarea } from '@mantine/core';
import { IconCheck, IconClock } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { dateTime } from '@/ui/format';
import { useAct } from '@/ui/useAct';

import type { Ask } from './turns';

const Markdown = lazy(() => import('./Markdown'));
const PLACE = /\{\{#\$output\.([^#}]+)#\}\}/;

/** A form that a run waits for: text, fields where the text has their places, and a button for each way on. */
export function AskForm({ ask, fill, onFilled }: { ask: Ask; fill?: (token: string, inputs: Record<string, unknown>, action: string) => Promise<unknown>; onFilled: (answer: string) => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const [values, setValues] = useState<Record<string, string>>(() => Object.fromEntries(ask.inputs.map(({ name, value }) => [name, value])));
  const send = useAct((action: Ask['actions'][number]) => fill?.(ask.token ?? '', values, action.id) ?? Promise.resolve(), {
    quiet: true,
    done: (_, action) => onFilled(action.title),
  });
  const open = Boolean(ask.token && fill) && !ask.answer;
  const parts = ask.content.split(PLACE);
  const placed = parts.filter((_, i) => i % 2 === 1);
  const field = (name: string) => (
    <Textarea key={name} label={name} autosize minRows={1} maxRows={8} disabled={!open} value={values[name] ?? ''} onChange={(event) => {
      const { value } = event.currentTarget;
      setValues((now) => ({ ...now, [name]: value }));
    }} />
  );
  return (
    <Paper withBorder p="md" my="sm" component="section" aria-label={ask.title || t('chat:ask.title')} data-testid="ask">
      <Stack gap="sm">
        <Suspense fallback={null}>
          {parts.map((part, i) => (i % 2 ? field(part) : part.trim() ? <Markdown key={i} text={part} /> : null))}
        </Suspense>
        {ask.inputs.filter(({ name }) => !placed.includes(name)).map(({ name }) => field(name))}
        {send.error ? <Text role="alert" fz="sm" c="var(--mantine-color-error)">{text(send.error)}</Text> : null}
        {open ? (
          <Group gap="xs">
            {ask.actions.map((action) => (
              <Button key={action.id} variant={action.style === 'primary' || action.style === 'accent' ? 'filled' : action.style === 'ghost' ? 'subtle' : 'default'} loading={send.isPending && send.variables.id === action.id} disabled={send.isPending} onClick={() => send.mutate(action)}>
                {action.title}
              </Button>
            ))}
          </Group>
        ) : (
          <Group gap={6} c="dimmed">
            {ask.answer && ask.answer !== 'timeout' ? <IconCheck size={16} aria-hidden /> : <IconClock size={16} aria-hidden />}
            <Text fz="sm">{ask.answer === 'timeout' ? t('chat:ask.timeout') : ask.answer ? t('chat:ask.answered', { answer: ask.answer }) : t('chat:ask.elsewhere')}</Text>
          </Group>
        )}
        {open && ask.expires ? <Text fz="xs" c="dimmed">{t('chat:ask.until', { time: dateTime(ask.expires) })}</Text> : null}
      </Stack>
    </Paper>
  );
}
