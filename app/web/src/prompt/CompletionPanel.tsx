import { Button, Divider, Group, ScrollArea, Stack, Text } from '@mantine/core';
import { IconPlayerPlayFilled, IconPlayerStopFilled } from '@tabler/icons-react';
import { Fragment } from 'react';
import { useTranslation } from '@/i18n';

import { Trace } from '@/canvas/Trace';
import { Answer } from '@/chat/Answer';
import { obstacle, type FormEntry, type Inputs } from '@/chat/inputs';
import { InputsForm } from '@/chat/InputsForm';
import { Outputs } from '@/chat/Outputs';
import type { ChatService } from '@/chat/service';
import type { Turn } from '@/chat/turns';
import { useChat } from '@/chat/useChat';
import { Mark } from '@/ui/Mark';
import { failed } from '@/ui/notify';

/** Tries a text generator: the form above, the text below. */
export function CompletionPanel({
  appId,
  path,
  stop,
  form,
  values,
  onValues,
  onRate,
  before,
  service = {},
  noForm,
  runLabel,
  disabled,
}: {
  appId: string;
  /** Where to run, when not the text generator's own address. */
  path?: string;
  stop?: (taskId: string) => string;
  form: FormEntry[];
  values: Inputs;
  onValues: (change: (values: Inputs) => Inputs) => void;
  before?: () => Promise<unknown>;
  service?: ChatService;
  onRate?: (turn: Turn, rating: 'like' | 'dislike' | null) => Promise<unknown>;
  /** What to say when the app asks for nothing. */
  noForm?: string;
  runLabel?: string;
  disabled: boolean;
}) {
  const { t } = useTranslation();
  const chat = useChat({ path: path ?? `/apps/${appId}/completion-messages`, stop: stop ?? ((task) => `/apps/${appId}/chat-messages/${task}/stop`), before, single: true, follow: service.follow });
  const run = () => {
    const lack = obstacle(form, values);
    if (lack) failed(t('chat:inputs'), t(`chat:${lack.why}`, { name: lack.name }));
    else void chat.ask('', values);
  };
  return (
    <ScrollArea flex={1} p="md">
      <Stack maw={780} mx="auto">
        {form.length > 0 ? <InputsForm form={form} values={values} onChange={onValues} upload={service.upload} /> : <Text c="dimmed">{noForm ?? t('prompt:completion.noForm', { text: '{{text}}' })}</Text>}
        <Group>
          {chat.busy ? (
            <Button color="brick" leftSection={<IconPlayerStopFilled size={16} />} onClick={chat.stop}>{t('chat:stop')}</Button>
          ) : (
            <Button leftSection={<IconPlayerPlayFilled size={16} />} disabled={disabled} onClick={run}>{runLabel ?? t('prompt:completion.run')}</Button>
          )}
        </Group>
        {chat.turns.map((turn) => (
          <Fragment key={turn.key}>
            <Divider />
            <Trace steps={turn.steps} />
            <Answer
              turn={turn}
              avatar={<Mark size={28} />}
              onCite={() => undefined}
              onSpeak={service.speak}
              onFill={service.fill}
              onFilled={(ask, answer) => void chat.goOn(turn, ask, answer)}
              onMore={service.more && !chat.busy ? () => void chat.more(service.more?.(turn.messageId ?? '') ?? '') : undefined}
              onRate={onRate ? (rating) => {
                chat.replace({ ...turn, rating });
                onRate(turn, rating).catch(() => chat.replace(turn));
              } : undefined}
            />
            {turn.answer ? null : <Outputs outputs={turn.outputs} />}
          </Fragment>
        ))}
      </Stack>
    </ScrollArea>
  );
}
