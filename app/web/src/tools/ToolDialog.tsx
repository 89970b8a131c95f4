import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { Failed, RowSkeletons } from '@/ui/states';
import { useAct } from '@/ui/useAct';

/** Stores what a tool's form says; afterwards every list of tools is read again, and the dialog closes. */
export function useSaveTool<T>(save: () => Promise<T>, onClose: () => void) {
  const client = useQueryClient();
  return useAct(save, {
    quiet: true,
    done: async () => {
      await client.invalidateQueries({ queryKey: ['tools'] });
      onClose();
    },
  });
}

/** The frame of every form about a tool: title, fields, what went wrong, and the two buttons. */
export function ToolDialog({
  title,
  size,
  action,
  save,
  problem,
  ready = true,
  onClose,
  children,
}: {
  title: string;
  size?: string;
  /** What the button that stores says. */
  action: string;
  save: ReturnType<typeof useSaveTool>;
  problem?: unknown;
  ready?: boolean;
  onClose: () => void;
  children: ReactNode;
}) {
  const { t } = useTranslation();
  const text = useErrorText();
  const wrong = save.error ?? problem;
  return (
    <Modal opened onClose={onClose} size={size} title={title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) save.mutate();
        }}
      >
        <Stack>
          {children}
          {wrong ? (
            <Text role="alert" c="var(--mantine-color-error)" fz="sm" style={{ overflowWrap: 'anywhere' }}>
              {text(wrong)}
            </Text>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" loading={save.isPending} disabled={!ready}>{action}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Waits for what is stored before its form is shown. */
export function Stored<T>({ query, title, onClose, children }: { query: { data?: T; error: unknown; refetch: () => unknown }; title: string; onClose: () => void; children: (stored: T) => ReactNode }) {
  const { t } = useTranslation();
  if (query.data) return children(query.data);
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ 'aria-label': t('action.close') }}>
      {query.error ? <Failed error={query.error} retry={query.refetch} /> : <RowSkeletons n={4} />}
    </Modal>
  );
}
