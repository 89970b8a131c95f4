import { Alert, Button, Stack } from '@mantine/core';
import { IconClock } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from '@/i18n';

import { ApiError, http } from '@/api/http';
import { Secret } from '@/ui/Secret';
import { useErrorText } from '@/ui/errors';
import { clock } from '@/ui/format';

import { Frame } from './Frame';
import { SESSION_KEY } from './session';

/** Seconds left until a moment; ticks while there are any. */
function useCountdown(until: number): number {
  const [now, setNow] = useState(() => Date.now());
  const left = Math.max(0, (until - now) / 1000);
  const running = left > 0;
  useEffect(() => {
    setNow(Date.now());
    if (until <= Date.now()) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [until, running]);
  return left;
}

export default function Login() {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [password, setPassword] = useState('');
  const [until, setUntil] = useState(0);
  const left = useCountdown(until);
  const login = useMutation({
    mutationFn: () => http.post('/login', { password }),
    onSuccess: () => client.refetchQueries({ queryKey: SESSION_KEY }),
    onError: (error) => {
      if (error instanceof ApiError && error.status === 429) setUntil(Date.now() + (error.retryAfter ?? 5) * 1000);
      setPassword('');
    },
  });
  const wrong = login.error instanceof ApiError && login.error.status === 401;
  const limited = login.error instanceof ApiError && login.error.status === 429;
  return (
    <Frame title={t('auth:login.title')} text={t('auth:login.text')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (left === 0 && password) login.mutate();
        }}
      >
        <Stack>
          <input type="text" name="username" autoComplete="username" value="admin" readOnly hidden />
          <Secret
            label={t('auth:password')}
            autoComplete="current-password"
            autoFocus
            required
            withAsterisk={false}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            error={wrong ? t('auth:login.wrong') : login.error && !limited ? text(login.error) : undefined}
          />
          {left > 0 ? (
            <Alert color="brick" variant="light" icon={<IconClock size={18} />} role="timer">
              {t('auth:login.wait', { time: clock(left) })}
            </Alert>
          ) : null}
          <Button type="submit" loading={login.isPending} disabled={left > 0} size="md">
            {t('auth:login.action')}
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}
