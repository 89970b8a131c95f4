import { Group, Paper, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

import { Mark } from '@/ui/Mark';
import { usePageTitle } from '@/ui/Page';
import { LanguageMenu, ThemeMenu } from '@/ui/Preferences';

import css from './Frame.module.css';

/** The quiet page before the console: mark, one card, nothing else. */
export function Frame({ title, text, children }: { title: string; text?: ReactNode; children: ReactNode }) {
  usePageTitle(title);
  return (
    <div className={css.frame}>
      <header className={css.top}>
        <LanguageMenu />
        <ThemeMenu />
      </header>
      <main className={css.main}>
        <Group gap={12} mb={28} justify="center">
          <Mark size={56} />
          <Text fz={30} fw={700} style={{ letterSpacing: '-0.03em' }}>
            Sparrow
          </Text>
        </Group>
        <Paper withBorder radius="lg" p={{ base: 24, sm: 36 }} bg="var(--sp-card)" className={css.card}>
          <Title order={1} fz={22} mb={4}>
            {title}
          </Title>
          {text ? (
            <Text c="dimmed" fz="sm" mb="lg">
              {text}
            </Text>
          ) : null}
          {children}
        </Paper>
      </main>
      <div className={css.branch} aria-hidden />
    </div>
  );
}
