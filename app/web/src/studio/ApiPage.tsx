import { ActionIcon, Alert, Button, Group, Modal, SegmentedControl, Stack, Table, Text, TextInput } from '@mantine/core';
import { IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import type { ApiKey } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { CodeBlock, Copy } from '@/ui/Copy';
import { ago } from '@/ui/format';
import { Page } from '@/ui/Page';
import { Empty, Failed, RowSkeletons, Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { useFrameApp } from './AppFrame';
import { example, type ExampleKind } from './examples';

export default function ApiPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [creating, setCreating] = useState(false);
  const [name, setName] = useState('');
  const [token, setToken] = useState('');
  const [kind, setKind] = useState<ExampleKind>('curl');
  const key = ['apps', 'keys', app.id];
  const keys = useQuery({ queryKey: key, queryFn: () => http.get<{ data: ApiKey[] }>(`/apps/${app.id}/api-keys`) });
  const refresh = () => client.invalidateQueries({ queryKey: key });
  const create = useAct(() => http.post<{ id: string; token: string }>(`/apps/${app.id}/api-keys`, { name: name.trim() }), {
    done: async (made) => {
      setCreating(false);
      setName('');
      setToken(made.token);
      await refresh();
    },
  });
  const remove = useAct((id: string) => http.delete(`/apps/${app.id}/api-keys/${id}`), { done: refresh });
  const askRemove = async (id: string) => {
    if (await confirm({ title: t('studio:api.deleteTitle'), text: t('studio:api.deleteText'), confirm: t('action.delete') })) {
      remove.mutate(id);
    }
  };
  const base = `${window.location.origin}/v1`;
  const rows = keys.data?.data ?? [];
  return (
    <Page title={t('studio:api.title')} description={t('studio:api.text')}>
      <Stack gap="lg">
        <Section
          title={t('studio:api.keys')}
          description={t('studio:api.keysText')}
          action={
            <Button leftSection={<IconPlus size={18} />} onClick={() => setCreating(true)} style={{ flex: 'none' }}>
              {t('studio:api.create')}
            </Button>
          }
        >
          {keys.isPending ? (
            <RowSkeletons n={2} />
          ) : keys.error ? (
            <Failed error={keys.error} retry={() => keys.refetch()} />
          ) : rows.length === 0 ? (
            <Empty title={t('studio:api.none')}>{t('studio:api.noneText')}</Empty>
          ) : (
            <Table.ScrollContainer minWidth={420}>
              <Table verticalSpacing="sm">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('studio:api.key')}</Table.Th>
                    <Table.Th>{t('studio:api.created')}</Table.Th>
                    <Table.Th>{t('studio:api.used')}</Table.Th>
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
                      <Table.Td>{row.last_used_at ? ago(row.last_used_at) : t('studio:api.never')}</Table.Td>
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
        </Section>
        <Section title={t('studio:api.address')} description={t('studio:api.addressText')}>
          <Group gap={6}>
            <Text ff="monospace" style={{ overflowWrap: 'anywhere' }}>{base}</Text>
            <Copy value={base} />
          </Group>
        </Section>
        <Section
          title={t('studio:api.examples')}
          action={
            <SegmentedControl
              size="xs"
              aria-label={t('studio:api.examples')}
              value={kind}
              onChange={(value) => setKind(value)}
              data={[
                { value: 'curl', label: 'curl' },
                { value: 'python', label: 'Python' },
                { value: 'openai', label: 'OpenAI SDK' },
              ]}
            />
          }
        >
          <CodeBlock label={t('studio:api.examples')} code={example(kind, app.mode, base, t('studio:api.question'))} />
          <Text c="dimmed" fz="sm" mt="sm">
            {t('studio:api.ca')}
          </Text>
        </Section>
      </Stack>

      <Modal opened={creating} onClose={() => setCreating(false)} title={t('studio:api.create')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate();
          }}
        >
          <TextInput data-autofocus label={t('studio:api.keyName')} description={t('studio:api.keyNameText')} maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Group justify="flex-end" mt="lg">
            <Button variant="default" onClick={() => setCreating(false)}>{t('action.cancel')}</Button>
            <Button type="submit" loading={create.isPending}>{t('action.create')}</Button>
          </Group>
        </form>
      </Modal>

      <Modal opened={token !== ''} onClose={() => setToken('')} title={t('studio:api.madeTitle')} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <Stack>
          <Alert icon={<IconKey size={20} />} color="sparrow">
            {t('studio:api.once')}
          </Alert>
          <Group wrap="nowrap" gap={6} p="sm" style={{ border: '1px solid var(--sp-line)', borderRadius: 10, background: 'var(--sp-sunken)' }}>
            <Text ff="monospace" fz="sm" flex={1} style={{ overflowWrap: 'anywhere' }} data-testid="api-token">
              {token}
            </Text>
            <Copy value={token} />
          </Group>
          <Group justify="flex-end">
            <Button onClick={() => setToken('')} data-autofocus>{t('studio:api.keptIt')}</Button>
          </Group>
        </Stack>
      </Modal>
    </Page>
  );
}
