import { Anchor, Box, Group, Text, Title, VisuallyHidden } from '@mantine/core';
import { IconChevronLeft } from '@tabler/icons-react';
import { createContext, useContext, useEffect, type ReactNode } from 'react';
import { Link } from 'react-router';

/** The frame of a page: where am I, what is this, what can I do. */
export function Page({
  title,
  description,
  actions,
  back,
  wide,
  children,
}: {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  back?: { to: string; label: string };
  wide?: boolean;
  children: ReactNode;
}) {
  usePageTitle(title);
  return (
    <Box maw={wide ? 1880 : 1240} mx="auto" px={{ base: 'md', sm: 'xl' }} py={{ base: 'md', sm: 'xl' }} w="100%">
      {back ? (
        <Anchor component={Link} to={back.to} fz="sm" c="dimmed" mb={6} display="inline-flex" style={{ alignItems: 'center', gap: 2 }}>
          <IconChevronLeft size={16} aria-hidden /> {back.label}
        </Anchor>
      ) : null}
      <Group justify="space-between" align="flex-end" mb="lg" gap="sm">
        <div style={{ minWidth: 0, flex: '1 1 240px' }}>
          <Title order={1} fz={{ base: 24, sm: 28 }} style={{ overflowWrap: 'anywhere' }}>
            {title}
          </Title>
          {description ? (
            <Text c="dimmed" mt={4} maw={680}>
              {description}
            </Text>
          ) : null}
        </div>
        {actions ? <Group gap="xs">{actions}</Group> : null}
      </Group>
      {children}
    </Box>
  );
}

/** What the pages inside belong to: an app's or a knowledge base's name. */
export const Within = createContext('');

/** Names the browser's tab after the page and what it belongs to. */
export function usePageTitle(title: string): void {
  const within = useContext(Within);
  useEffect(() => {
    document.title = [title, within, 'Sparrow'].filter(Boolean).join(' · ');
  }, [title, within]);
}

/** The title of a page that shows none, for the browser's tab and for screen readers. */
export function HiddenTitle({ title }: { title: string }) {
  usePageTitle(title);
  return <VisuallyHidden component="h1">{title}</VisuallyHidden>;
}
