import { ActionIcon, Alert, Badge, Button, Group, Menu, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { IconDots, IconPlus, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { useConfirm } from '@/ui/confirm';
import { done } from '@/ui/notify';
import { Page } from '@/ui/Page';
import { serverText } from '@/ui/serverText';
import { CardSkeletons, Failed } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { ApiForm } from './ApiForm';
import { toolApi, type ToolKind, type ToolProvider, useTools, words } from './api';
import { EditTool } from './EditTool';
import { McpForm } from './McpForm';
import { Outbound } from './Outbound';
import { TryTool } from './TryTool';
import { WorkflowForm } from './WorkflowForm';

const KINDS: ToolKind[] = ['api', 'mcp', 'workflow', 'builtin'];
const ADD = { api: ApiForm, mcp: McpForm, workflow: WorkflowForm } as const;

export default function Tools() {
  const { t } = useTranslation();
  const tools = useTools();
  const [adding, setAdding] = useState<keyof typeof ADD | null>(null);
  const [trying, setTrying] = useState<ToolProvider | null>(null);
  const [editing, setEditing] = useState<ToolProvider | null>(null);
  const all = tools.data?.data ?? [];
  const Add = adding ? ADD[adding] : null;
  return (
    <Page
      title={t('tools:title')}
      description={t('tools:text')}
      actions={
        <Menu>
          <Menu.Target>
            <Button leftSection={<IconPlus size={16} aria-hidden />}>{t('tools:add')}</Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => setAdding('api')}>{t('tools:api.title')}</Menu.Item>
            <Menu.Item onClick={() => setAdding('mcp')}>{t('tools:mcp.title')}</Menu.Item>
            <Menu.Item onClick={() => setAdding('workflow')}>{t('tools:workflow.title')}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      }
    >
      {tools.isPending ? (
        <CardSkeletons n={6} height={120} />
      ) : tools.error ? (
        <Failed error={tools.error} retry={() => tools.refetch()} />
      ) : (
        <Stack gap="xl">
          {KINDS.map((kind) => {
            const some = all.filter((provider) => provider.type === kind);
            return some.length === 0 ? null : (
              <Stack key={kind} component="section" gap="md" aria-labelledby={`tools-${kind}`}>
                <Title order={2} fz={18} id={`tools-${kind}`}>
                  {t(`tools:kind.${kind}`)}
                </Title>
                <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
                  {some.map((provider) => (
                    <Card key={provider.id} provider={provider} onTry={() => setTrying(provider)} onEdit={() => setEditing(provider)} />
                  ))}
                </SimpleGrid>
              </Stack>
            );
          })}
          <Outbound />
        </Stack>
      )}
      {Add ? <Add onClose={() => setAdding(null)} /> : null}
      {editing ? <EditTool provider={editing} onClose={() => setEditing(null)} /> : null}
      {trying ? <TryTool provider={trying} onClose={() => setTrying(null)} /> : null}
    </Page>
  );
}

function Card({ provider, onTry, onEdit }: { provider: ToolProvider; onTry: () => void; onEdit: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const name = words(provider.label, provider.name);
  const again = () => client.invalidateQueries({ queryKey: ['tools'] });
  const remove = useAct(() => toolApi.remove(provider, provider.id), { done: again });
  const refresh = useAct(() => toolApi.refresh(provider.id), {
    done: async () => {
      await again();
      done(t('tools:refreshed', { name }));
    },
  });
  const settings = provider.type !== 'builtin' || provider.credentials_schema.length > 0;
  return (
    <Paper component="article" aria-label={name} p="md" withBorder radius="md">
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap" gap="xs">
          <Text fw={600} truncate>
            {name}
          </Text>
          {provider.authorized ? null : (
            <Badge color="gray" variant="light" tt="none">
              {t('tools:needsKey')}
            </Badge>
          )}
        </Group>
        {provider.error ? (
          <Alert color="brick" p="xs">
            {serverText(provider.error)}
          </Alert>
        ) : (
          <Text c="dimmed" fz="sm" lineClamp={3}>
            {words(provider.description, '') || provider.tools.map((tool) => words(tool.label, tool.name)).join(', ')}
          </Text>
        )}
        <Group gap="xs" mt="auto">
          <Button size="compact-sm" variant="default" onClick={onTry} disabled={provider.tools.length === 0} aria-label={t('tools:tryName', { name })}>
            {t('tools:try')}
          </Button>
          {settings ? (
            <Button size="compact-sm" variant="default" onClick={onEdit} aria-label={t('tools:editName', { name })}>
              {t(provider.type === 'builtin' ? 'tools:settings' : 'action.edit')}
            </Button>
          ) : null}
          {provider.type === 'builtin' ? null : (
            <Menu>
              <Menu.Target>
                <ActionIcon aria-label={t('tools:menu', { name })} loading={refresh.isPending || remove.isPending}>
                  <IconDots size={18} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                {provider.type === 'mcp' ? (
                  <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => refresh.mutate()}>{t('tools:refresh')}</Menu.Item>
                ) : null}
                <Menu.Item
                  color="brick"
                  leftSection={<IconTrash size={16} />}
                  onClick={async () => {
                    if (await confirm({ title: t('tools:removeName', { name }), text: t('tools:removeText'), confirm: t('tools:remove') })) remove.mutate();
                  }}
                >
                  {t('tools:remove')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
          <Text c="dimmed" fz="xs" ml="auto">
            {t('tools:tools', { count: provider.tools.length })}
          </Text>
        </Group>
      </Stack>
    </Paper>
  );
}
