import { Group, Progress, Stack, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';
import { Secret } from '@/ui/Secret';

import { MIN_LENGTH, strength } from './strength';

const COLOURS = ['brick', 'brick', 'sparrow.5', 'moss.5', 'moss'] as const;

/** A new password, typed twice, with its strength. */
export function PasswordFields({
  password,
  again,
  onPassword,
  onAgain,
  error,
}: {
  password: string;
  again: string;
  onPassword: (value: string) => void;
  onAgain: (value: string) => void;
  error?: string;
}) {
  const { t } = useTranslation();
  const level = strength(password);
  return (
    <Stack>
      <div>
        <Secret
          label={t('auth:newPassword')}
          description={t('auth:passwordHint', { n: MIN_LENGTH })}
          autoComplete="new-password"
          required
          withAsterisk={false}
          value={password}
          error={error}
          onChange={(event) => onPassword(event.currentTarget.value)}
        />
        {password ? (
          <Group mt={8} gap="sm" wrap="nowrap">
            <Progress value={(level + 1) * 20} color={COLOURS[level]} size={6} flex={1} aria-label={t('auth:strength.label')} />
            <Text fz="xs" c="dimmed" aria-live="polite">
              {t(`auth:strength.${level}`)}
            </Text>
          </Group>
        ) : null}
      </div>
      <Secret
        label={t('auth:again')}
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={again}
        error={again && again !== password ? t('auth:differ') : undefined}
        onChange={(event) => onAgain(event.currentTarget.value)}
      />
    </Stack>
  );
}

export function passwordReady(password: string, again: string): boolean {
  return strength(password) > 0 && password === again;
}
