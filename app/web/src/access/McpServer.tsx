import { ActionIcon, Alert, Button, Group, Stack, Switch, Text, Textarea, Tooltip } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { http } from '@/api/http';
import type { App, McpServer as Server } from '@/api/types';
import { useTranslation } from '@/i18n';
import { useConfirm } from '@/ui/confirm';
import { done } from '@/ui/notify';
import { Failed, RowSkeletons, Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { Address } from './Address';

/** The app as a tool for other programs: its MCP server's secret address. */
export function McpServer({ app }: { app: App }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const key = ['apps', 'mcp', app.id];
  const server = useQuery({ queryKey: key, queryFn: () => http.get<Server>(`/apps/${app.id}/server`) });
  const [draft, setDraft] = useState<string | null>(null);
  const data = server.data;
  const description = draft ?? (data?.description ?? '');
  const keep = (next: Server) => client.setQueryData(key, next);
  const save = useAct(
    (status: string) => http.post<Server>(`/apps/${app.id}/server`, { description: description || app.description, parameters: data?.parameters ?? {}, status }),
    {
      done: (next) => {
        keep(next);
        setDraft(null);
      },
    },
  );
  const renew = useAct(() => http.post<Server>(`/apps/${app.id}/server/refresh`), {
    done: (next) => {
      keep(next);
      done(t('access:mcp.renewed'));
    },
  });
  const on = save.isPending ? save.variables === 'active' : data?.status === 'active';
  return (
    <Section
      id="mcp"
      title={t('access:mcp.heading')}
      description={t('access:mcp.text')}
      action={data ? <Switch aria-label={t('access:mcp.switch')} checked={on} disabled={save.isPending || !app.published} onChange={(event) => save.mutate(event.currentTarget.checked ? 'active' : 'inactive')} /> : null}
    >
      {server.isPending ? (
        <RowSkeletons n={1} />
      ) : server.error ? (
        <Failed error={server.error} retry={() => server.refetch()} />
      ) : !app.published ? (
        <Alert color="sparrow">{t('access:unpublished')}</Alert>
      ) : on && server.data.server_url ? (
        <Stack gap="sm">
          <Address value={server.data.server_url} label={t('access:mcp.address')}>
            <Tooltip label={t('access:mcp.renew')}>
              <ActionIcon
                aria-label={t('access:mcp.renew')}
                loading={renew.isPending}
                onClick={async () => {
                  if (await confirm({ title: t('access:mcp.renew'), text: t('access:mcp.renewText'), confirm: t('access:mcp.renew') })) renew.mutate();
                }}
              >
                <IconRefresh size={16} />
              </ActionIcon>
            </Tooltip>
          </Address>
          <Text fz="sm" c="dimmed">{t('access:mcp.secret', { tool: server.data.tool_name })}</Text>
          <Textarea label={t('access:mcp.description')} description={t('access:mcp.descriptionText')} autosize minRows={2} maxLength={1000} value={description} onChange={(event) => setDraft(event.currentTarget.value)} />
          {draft !== null && draft !== server.data.description ? (
            <Group>
              <Button size="xs" loading={save.isPending} onClick={() => save.mutate('active')}>{t('action.save')}</Button>
            </Group>
          ) : null}
        </Stack>
      ) : (
        <Text fz="sm" c="dimmed">{t('access:mcp.off')}</Text>
      )}
    </Section>
  );
}
