import { ActionIcon, FileButton, Textarea, Tooltip } from '@mantine/core';
import { IconArrowUp, IconLink, IconMicrophone, IconPaperclip, IconPlayerStopFilled } from '@tabler/icons-react';
import { useRef, useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { failed } from '@/ui/notify';

import { AddUrl } from './AddUrl';
import css from './Chat.module.css';
import { ChosenFiles } from './FileList';
import fileCss from './Files.module.css';
import { accepted } from './files';
import type { Files } from './useFiles';
import { useWhenSent } from './useWhenSent';
import { canRecord, useRecorder } from './useRecorder';

/** Where the question is typed, spoken, and given files. Enter sends, Shift+Enter breaks the line. */
export function Composer({
  busy,
  disabled,
  placeholder,
  autoFocus,
  files,
  transcribe,
  onSend,
  onStop,
}: {
  busy: boolean;
  disabled?: boolean;
  placeholder?: string;
  autoFocus?: boolean;
  files: Files;
  transcribe?: (sound: File) => Promise<string>;
  onSend: (query: string) => boolean;
  onStop: () => void;
}) {
  const { t } = useTranslation();
  const errorText = useErrorText();
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const recorder = useRecorder(
    transcribe,
    (said) => {
      setText((now) => (now.trim() ? `${now.trimEnd()} ${said}` : said));
      field.current?.focus();
    },
    (error) => failed(t('chat:speech.failed'), error instanceof DOMException ? t('chat:speech.refused') : errorText(error)),
  );
  const ready = text.trim() !== '';
  const send = useWhenSent(files, () => {
    if (!ready || busy || disabled) return;
    if (onSend(text.trim())) setText('');
    field.current?.focus();
  });
  const spoken = t(recorder.state === 'recording' ? 'chat:speech.stop' : recorder.state === 'reading' ? 'chat:speech.reading' : 'chat:speech.start');
  return (
    <div className={css.composer}>
      <form
        className={css.box}
        onSubmit={(event) => {
          event.preventDefault();
          send.run();
        }}
      >
        <ChosenFiles files={files} />
        <div className={css.line}>
          {files.rules?.local ? (
            <FileButton multiple={files.rules.limit > 1} accept={accepted(files.rules)} disabled={disabled} onChange={(chosen) => files.add(Array.isArray(chosen) ? chosen : chosen ? [chosen] : [])}>
              {(props) => (
                <Tooltip label={t('chat:files.add')}>
                  <ActionIcon {...props} size={36} radius="xl" aria-label={t('chat:files.add')} disabled={disabled}>
                    <IconPaperclip size={20} stroke={1.7} />
                  </ActionIcon>
                </Tooltip>
              )}
            </FileButton>
          ) : null}
          {files.rules?.remote ? (
            <AddUrl onAdd={files.addUrl}>
              {(open) => (
                <ActionIcon size={36} radius="xl" aria-label={t('chat:files.byAddress')} title={t('chat:files.byAddress')} disabled={disabled} onClick={open}>
                  <IconLink size={20} stroke={1.7} />
                </ActionIcon>
              )}
            </AddUrl>
          ) : null}
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
            onPaste={(event) => {
              const pasted = [...event.clipboardData.files];
              if (files.rules && pasted.length > 0) {
                event.preventDefault();
                files.add(pasted);
              }
            }}
            onKeyDown={(event) => {
              // Enter that ends the choice of a Chinese word is not meant for us.
              if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
                event.preventDefault();
                send.run();
              } else if (event.key === 'Escape' && busy) {
                onStop();
              }
            }}
          />
          {transcribe && canRecord() ? (
            <Tooltip label={spoken}>
              <ActionIcon
                size={36}
                radius="xl"
                aria-label={spoken}
                aria-pressed={recorder.state === 'recording'}
                color={recorder.state === 'recording' ? 'brick' : 'gray'}
                variant={recorder.state === 'recording' ? 'light' : 'subtle'}
                className={recorder.state === 'recording' ? fileCss.recording : undefined}
                loading={recorder.state === 'reading'}
                disabled={disabled}
                onClick={() => (recorder.state === 'recording' ? recorder.stop() : void recorder.start())}
              >
                <IconMicrophone size={20} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
          ) : null}
          {busy ? (
            <Tooltip label={t('chat:stop')}>
              <ActionIcon size={36} radius="xl" variant="filled" color="brick" aria-label={t('chat:stop')} onClick={onStop}>
                <IconPlayerStopFilled size={18} />
              </ActionIcon>
            </Tooltip>
          ) : (
            <ActionIcon size={36} radius="xl" variant="filled" color="sparrow" type="submit" aria-label={t('chat:send')} loading={send.waiting} disabled={disabled || !ready}>
              <IconArrowUp size={20} />
            </ActionIcon>
          )}
        </div>
      </form>
    </div>
  );
}
