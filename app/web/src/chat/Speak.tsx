import { ActionIcon, Tooltip } from '@mantine/core';
import { IconPlayerStop, IconVolume } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { failed } from '@/ui/notify';

/** Says an answer aloud. */
export function Speak({ load }: { load: () => Promise<Blob> }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const [state, setState] = useState<'idle' | 'loading' | 'playing'>('idle');
  const sound = useRef<HTMLAudioElement | null>(null);
  const address = useRef('');
  useEffect(
    () => () => {
      sound.current?.pause();
      URL.revokeObjectURL(address.current);
    },
    [],
  );
  const play = async () => {
    setState('loading');
    try {
      address.current ||= URL.createObjectURL(await load());
      sound.current ??= new Audio(address.current);
      sound.current.onended = () => setState('idle');
      sound.current.currentTime = 0;
      await sound.current.play();
      setState('playing');
    } catch (error) {
      setState('idle');
      failed(t('chat:speak.failed'), error instanceof DOMException ? t('chat:speak.noSound') : text(error));
    }
  };
  const stop = () => {
    sound.current?.pause();
    setState('idle');
  };
  const label = t(state === 'playing' ? 'chat:speak.stop' : 'chat:speak.play');
  return (
    <Tooltip label={label}>
      <ActionIcon size="sm" aria-label={label} loading={state === 'loading'} onClick={state === 'playing' ? stop : () => void play()}>
        {state === 'playing' ? <IconPlayerStop size={16} /> : <IconVolume size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}
