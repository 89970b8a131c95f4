import { Button, Divider, Group, ScrollArea, Stack, Text } from '@mantine/core';
import { IconPlayerPlayFilled, IconPlayerStopFilled } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';

import { Trace } from '@/canvas/Trace';
import { Answer } from '@/chat/Answer';
import { missing, type FormEntry, type Inputs } from '@/chat/inputs';
import { InputsForm } from '@/chat/InputsForm';
import { useChat } from '@/chat/useChat';
import { CodeBlock } from '@/ui/Copy';
import { failed } from '@/ui/notify';

/** Tries a text generator: the form above, the text below. */
export function CompletionPanel({
  appId,
  path,
  stop,
  form,
  values,
  onValues,
  before,
  disabled,
}: {
  appId: string;
  /** Where to run, when not the text generator's own address. */
  path?: string;
  stop?: (taskId: string) => string;
  form: FormEntry[];
  values: Inputs;
  onValues: (values: Inputs) => void;
  before: () => Promise<unknown>;
  disabled: boolean;
}) {
  const { t } = useTranslation();
  const chat = useChat({ path: path ?? `/apps/${appId}/completion-messages`, stop: stop ?? ((task) => `/apps/${appId}/chat-messages/${task}/stop`), before, single: true });
  const turn = chat.turns[0];
  const run = () => {
    const lack = missing(form, values);
    if (lack) failed(t('chat:inputs'), t('chat:missing', { name: lack.field.label || lack.field.variable }));
    else void chat.ask('', values);
  };
  return (
    <ScrollArea flex={1} p="md">
      <Stack maw={780} mx="auto">
        {form.length > 0 ? <InputsForm form={form} values={values} onChange={onValues} /> : <Text c="dimmed">{t('prompt:completion.noForm', { text: '{{text}}' })}</Text>}
        <Group>
          {chat.busy ? (
            <Button color="brick" leftSection={<IconPlayerStopFilled size={16} />} onClick={chat.stop}>{t('chat:stop')}</Button>
          ) : (
            <Button leftSection={<IconPlayerPlayFilled size={16} />} disabled={disabled} onClick={run}>{t('prompt:completion.run')}</Button>
          )}
        </Group>
        {turn ? (
          <>
            <Divider />
            <Trace steps={turn.steps} />
            <Answer turn={turn} avatar={<span />} onCite={() => undefined} />
            {turn.outputs && !turn.answer ? <CodeBlock code={JSON.stringify(turn.outputs, null, 2)} label={t('prompt:completion.outputs')} /> : null}
          </>
        ) : null}
      </Stack>
    </ScrollArea>
  );
}
