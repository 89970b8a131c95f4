import { ActionIcon, Textarea, Tooltip } from '@mantine/core';
import { IconArrowUp, IconPlayerStopFilled } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { useTranslation } from '@/i18n';

import css from './Chat.module.css';

/** Where the question is typed. Enter sends, Shift+Enter breaks the line. */
export function Composer({
  busy,
  disabled,
  placeholder,
  autoFocus,
  onSend,
  onStop,
}: {
  busy: boolean;
  disabled?: boolean;
  placeholder?: string;
  autoFocus?: boolean;
  onSend: (query: string) => boolean;
  onStop: () => void;
}) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const submit = () => {
    const query = text.trim();
    if (!query || busy || disabled) return;
    if (onSend(query)) setText('');
    field.current?.focus();
  };
  return (
    <div className={css.composer}>
      <form
        className={css.box}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Textarea
          ref={field}
          variant="unstyled"
          flex={1}
          autosize
          minRows={1}
          maxRows={8}
          autoFocus={autoFocus}
          disabled={disabled}
          value={text}
          aria-label={placeholder ?? t('chat:placeholder')}
          aria-description={t('chat:hint')}
          placeholder={placeholder ?? t('chat:placeholder')}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            // Enter that ends the choice of a Chinese word is not meant for us.
            if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              submit();
            } else if (event.key === 'Escape' && busy) {
              onStop();
            }
          }}
        />
        {busy ? (
          <Tooltip label={t('chat:stop')}>
            <ActionIcon size={36} radius="xl" variant="filled" color="brick" aria-label={t('chat:stop')} onClick={onStop}>
              <IconPlayerStopFilled size={18} />
            </ActionIcon>
          </Tooltip>
        ) : (
          <ActionIcon size={36} radius="xl" variant="filled" color="sparrow" type="submit" aria-label={t('chat:send')} disabled={disabled || !text.trim()}>
            <IconArrowUp size={20} />
          </ActionIcon>
        )}
      </form>
    </div>
  );
}
