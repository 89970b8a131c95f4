import { Button, Group, Stack } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import { PasswordFields, passwordReady } from '@/auth/PasswordFields';
import { SESSION_KEY } from '@/auth/session';
import { Secret } from '@/ui/Secret';
import { useErrorText } from '@/ui/errors';
import { done } from '@/ui/notify';
import { useAct } from '@/ui/useAct';

export function ChangePassword() {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [old, setOld] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const change = useAct(() => http.post('/account/password', { password: old, new_password: password }), {
    quiet: true,
    done: async () => {
      setOld('');
      setPassword('');
      setAgain('');
      done(t('box:password.changed'));
      // The session is a new one, with a new token.
      await client.refetchQueries({ queryKey: SESSION_KEY });
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (old && passwordReady(password, again)) change.mutate();
      }}
    >
      <Stack>
        <input type="text" name="username" autoComplete="username" value="admin" readOnly hidden />
        <Secret label={t('box:password.old')} autoComplete="current-password" value={old} error={change.error ? text(change.error) : undefined} onChange={(event) => setOld(event.currentTarget.value)} />
        <PasswordFields password={password} again={again} onPassword={setPassword} onAgain={setAgain} />
        <Group justify="flex-end">
          <Button type="submit" loading={change.isPending} disabled={!old || !passwordReady(password, again)}>{t('box:password.action')}</Button>
        </Group>
      </Stack>
    </form>
  );
}
