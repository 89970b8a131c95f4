import { ActionIcon, Alert, Button, Group, Modal, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import type { ApiKey } from '@/api/types';

import { useConfirm } from './confirm';
import { Copy } from './Copy';
import { ago } from './format';
import { Failed, RowSkeletons } from './states';
import { useAct } from './useAct';

/**
 * The API keys behind an address of the console's API: listed, made, shown once, withdrawn.
 * @param none what a program needs a key for, said while there is none
 */
export function KeyList({ path, none }: { path: string; none?: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [creating, setCreating] = useState(false);
  const [name, setName] = useState('');
  const [token, setToken] = useState('');
  const key = ['keys', path];
  const keys = useQuery({ queryKey: key, queryFn: () => http.get<{ data: ApiKey[] }>(path) });
  const refresh = () => client.invalidateQueries({ queryKey: key });
  const create = useAct(() => http.post<{ id: string; token: string }>(path, { name: name.trim() }), {
    done: async (made) => {
      setCreating(false);
      setName('');
      setToken(made.token);
      await refresh();
    },
  });
  const remove = useAct((id: string) => http.delete(`${path}/${id}`), { done: refresh });
  const askRemove = async (id: string) => {
    if (await confirm({ title: t('access:api.deleteTitle'), text: t('access:api.deleteText'), confirm: t('action.delete') })) {
      remove.mutate(id);
    }
  };
  const rows = keys.data?.data ?? [];
  return (
    <>
        <Group justify="space-between" mb={6}>
          <div>
            <Text fz="sm" fw={600}>{t('access:api.keys')}</Text>
            <Text fz="sm" c="dimmed">{t('access:api.keysText')}</Text>
          </div>
          <Button size="xs" leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>{t('access:api.create')}</Button>
        </Group>
      {keys.isPending ? (
        <RowSkeletons n={2} />
      ) : keys.error ? (
        <Failed error={keys.error} retry={() => keys.refetch()} />
      ) : rows.length === 0 ? (
        <Text fz="sm" c="dimmed">{none ?? t('access:api.noneText')}</Text>
      ) : (
        <Table.ScrollContainer minWidth={420}>
          <Table verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('access:api.key')}</Table.Th>
                <Table.Th>{t('access:api.created')}</Table.Th>
                <Table.Th>{t('access:api.used')}</Table.Th>
                <Table.Th w={48} aria-label={t('action.delete')} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((row) => (
                <Table.Tr key={row.id}>
                  <Table.Td>
                    {row.name ? <Text fz="sm" fw={550}>{row.name}</Text> : null}
                    <Text ff="monospace" fz="sm" c={row.name ? 'dimmed' : undefined}>{row.token_masked}</Text>
                  </Table.Td>
                  <Table.Td>{ago(row.created_at)}</Table.Td>
                  <Table.Td>{row.last_used_at ? ago(row.last_used_at) : t('access:api.never')}</Table.Td>
                  <Table.Td>
                    <ActionIcon aria-label={t('action.delete')} onClick={() => void askRemove(row.id)}>
                      <IconTrash size={18} />
                    </ActionIcon>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <Modal opened={creating} onClose={() => setCreating(false)} title={t('access:api.create')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate();
          }}
        >
          <TextInput data-autofocus label={t('access:api.keyName')} description={t('access:api.keyNameText')} maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Group justify="flex-end" mt="lg">
            <Button variant="default" onClick={() => setCreating(false)}>{t('action.cancel')}</Button>
            <Button type="submit" loading={create.isPending}>{t('action.create')}</Button>
          </Group>
        </form>
      </Modal>
      <Modal opened={token !== ''} onClose={() => setToken('')} title={t('access:api.madeTitle')} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <Stack>
          <Alert icon={<IconKey size={20} />} color="sparrow">
            {t('access:api.once')}
          </Alert>
          <Group wrap="nowrap" gap={6} p="sm" style={{ border: '1px solid var(--sp-line)', borderRadius: 10, background: 'var(--sp-sunken)' }}>
            <Text ff="monospace" fz="sm" flex={1} style={{ overflowWrap: 'anywhere' }} data-testid="api-token">
              {token}
            </Text>
            <Copy value={token} />
          </Group>
          <Group justify="flex-end">
            <Button onClick={() => setToken('')} data-autofocus>{t('access:api.keptIt')}</Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
