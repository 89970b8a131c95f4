import { Button, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useTranslation } from '@/i18n';

import { useErrorText } from './errors';
import { Mark } from './Mark';

/** Nothing here yet: says why and offers the next step. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="sm" py={56} px="md" ta="center">
      <Mark size={72} />
      <Title order={3} fz={20} mt="xs">
        {title}
      </Title>
      {children ? (
        <Text c="dimmed" maw={460}>
          {children}
        </Text>
      ) : null}
      {action ? <Group mt="sm" justify="center">{action}</Group> : null}
    </Stack>
  );
}

/** Something failed: says what, and lets the reader try again. */
export function Failed({ error, retry }: { error: unknown; retry?: () => unknown }) {
  const { t } = useTranslation();
  const text = useErrorText();
  return (
    <Stack align="center" gap="sm" py={48} px="md" ta="center" role="alert">
      <IconAlertTriangle size={40} stroke={1.5} color="var(--mantine-color-error)" />
      <Title order={3} fz={18}>
        {t('error.title')}
      </Title>
      <Text c="dimmed" maw={480}>
        {text(error)}
      </Text>
      {retry ? (
        <Button variant="default" leftSection={<IconRefresh size={16} />} onClick={() => void retry()}>
          {t('action.retry')}
        </Button>
      ) : null}
    </Stack>
  );
}

export function CardSkeletons({ n = 6, height = 148 }: { n?: number; height?: number }) {
  const { t } = useTranslation();
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} aria-busy="true" aria-label={t('state.loading')}>
      {Array.from({ length: n }, (_, i) => (
        <Skeleton key={i} height={height} radius="lg" />
      ))}
    </SimpleGrid>
  );
}

export function RowSkeletons({ n = 5 }: { n?: number }) {
  const { t } = useTranslation();
  return (
    <Stack gap="xs" aria-busy="true" aria-label={t('state.loading')}>
      {Array.from({ length: n }, (_, i) => (
        <Skeleton key={i} height={52} radius="md" />
      ))}
    </Stack>
  );
}

/** A titled box of settings. */
export function Section({
  title,
  description,
  action,
  children,
  id,
}: {
  title: string;
  description?: ReactNode;
  action?: ReactNode;
  children?: ReactNode;
  id?: string;
}) {
  return (
    <Paper component="section" withBorder radius="lg" p={{ base: 'md', sm: 'lg' }} bg="var(--sp-card)" aria-labelledby={id}>
      <Group justify="space-between" align="flex-start" wrap="nowrap" mb={children ? 'md' : 0} gap="sm">
        <div>
          <Title order={2} fz={16} id={id}>
            {title}
          </Title>
          {description ? (
            <Text c="dimmed" fz="sm" mt={2}>
              {description}
            </Text>
          ) : null}
        </div>
        {action}
      </Group>
      {children}
    </Paper>
  );
}
