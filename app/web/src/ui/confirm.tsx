import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import { createContext, useCallback, useContext, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from '@/i18n';

interface Question {
  title: string;
  text: ReactNode;
  confirm: string;
  /** Text that must be typed before the button works, for what cannot be undone. */
  type?: string;
}

const Context = createContext<(question: Question) => Promise<boolean>>(() => Promise.resolve(false));

/** Asks before something is destroyed; resolves to the answer. */
export function useConfirm() {
  return useContext(Context);
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [question, setQuestion] = useState<Question | null>(null);
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const answer = useRef<(yes: boolean) => void>(() => undefined);

  const ask = useCallback((next: Question) => {
    setQuestion(next);
    setTyped('');
    setOpen(true);
    return new Promise<boolean>((resolve) => {
      answer.current = resolve;
    });
  }, []);
  const close = (yes: boolean) => {
    setOpen(false);
    answer.current(yes);
  };

  return (
    <Context value={ask}>
      {children}
      <Modal opened={open} onClose={() => close(false)} title={question?.title} size="sm" closeButtonProps={{ 'aria-label': t('action.close') }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!question?.type || typed === question.type) close(true);
          }}
        >
          <Text component="div" fz="sm">{question?.text}</Text>
          {question?.type ? (
            <TextInput
              mt="md"
              data-autofocus
              label={t('confirm.type', { text: question.type })}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          ) : null}
          <Group justify="flex-end" mt="lg">
            <Button variant="default" onClick={() => close(false)} data-autofocus={question?.type ? undefined : true}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" color="brick" disabled={Boolean(question?.type) && typed !== question?.type}>
              {question?.confirm}
            </Button>
          </Group>
        </form>
      </Modal>
    </Context>
  );
}
