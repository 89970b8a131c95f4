import { Button, Group, SegmentedControl, Stack, Stepper, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { ApiError, http } from '@/api/http';
import { currentLanguage, serverLanguage, switchLanguage } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { LANGUAGES } from '@/ui/Preferences';

import { Frame } from './Frame';
import { PasswordFields, passwordReady } from './PasswordFields';
import { SESSION_KEY } from './session';

/** First visit: prove that you see the box's screen, choose a password, done. */
export default function Setup() {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [step, setStep] = useState(0);
  const [code, setCode] = useState('');
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const setup = useMutation({
    mutationFn: () =>
      http.post('/setup', {
        setup_code: code.trim(),
        password,
        language: serverLanguage(),
        ...(name.trim() ? { name: name.trim() } : {}),
      }),
    onSuccess: () => client.refetchQueries({ queryKey: SESSION_KEY }),
    onError: (error) => {
      if (error instanceof ApiError && error.code === 'wrong_setup_code') setStep(0);
    },
  });
  const error = setup.error ? text(setup.error) : undefined;
  return (
    <Frame title={t('auth:setup.title')} text={t('auth:setup.text')}>
      <Stepper active={step} size="xs" mb="lg" onStepClick={(to) => (to < step ? setStep(to) : undefined)} iconSize={28}>
        <Stepper.Step label={t('auth:setup.step1')} />
        <Stepper.Step label={t('auth:setup.step2')} />
      </Stepper>
      {step === 0 ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setup.reset();
            setStep(1);
          }}
        >
          <Stack>
            <div>
              <Text fz="sm" fw={500} mb={4} id="language-label">
                {t('language.label')}
              </Text>
              <SegmentedControl
                fullWidth
                aria-labelledby="language-label"
                data={LANGUAGES}
                value={currentLanguage()}
                onChange={(value) => void switchLanguage(value)}
              />
            </div>
            <TextInput
              label={t('auth:setup.code')}
              description={t('auth:setup.codeHint')}
              autoFocus
              autoComplete="one-time-code"
              autoCapitalize="characters"
              spellCheck={false}
              required
              withAsterisk={false}
              value={code}
              error={error}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', letterSpacing: '0.12em', fontSize: 18 } }}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            <Button type="submit" size="md" disabled={!code.trim()}>
              {t('action.next')}
            </Button>
          </Stack>
        </form>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (passwordReady(password, again)) setup.mutate();
          }}
        >
          <Stack>
            <input type="text" name="username" autoComplete="username" value="admin" readOnly hidden />
            <TextInput
              label={t('auth:setup.name')}
              description={t('auth:setup.nameHint')}
              autoComplete="name"
              maxLength={40}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <PasswordFields password={password} again={again} onPassword={setPassword} onAgain={setAgain} error={error} />
            <Group grow>
              <Button variant="default" size="md" onClick={() => setStep(0)}>
                {t('action.back')}
              </Button>
              <Button type="submit" size="md" loading={setup.isPending} disabled={!passwordReady(password, again)}>
                {t('auth:setup.action')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Frame>
  );
}
