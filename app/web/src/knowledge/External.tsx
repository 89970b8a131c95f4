import { ActionIcon, Alert, Anchor, Button, Drawer, Group, Modal, NumberInput, Paper, Select, Slider, Stack, Switch, Text, Textarea, TextInput, Tooltip } from '@mantine/core';
import { IconPencil, IconPlus, IconServer2, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';
import { Link, useNavigate } from 'react-router';

import type { ExternalServer } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { useErrorText } from '@/ui/errors';
import { Failed, RowSkeletons } from '@/ui/states';
import { Secret } from '@/ui/Secret';
import { useAct } from '@/ui/useAct';

import { knowledgeApi } from './api';

export interface ExternalRetrieval {
  top_k: number;
  score_threshold: number;
  score_threshold_enabled: boolean;
}

const START: ExternalRetrieval = { top_k: 4, score_threshold: 0.5, score_threshold_enabled: false };

export function useServers() {
  return useQuery({ queryKey: ['external-servers'], queryFn: () => knowledgeApi.servers() });
}

/** How many passages an external server is asked for, and how good they must be. */
export function ExternalRetrievalForm({ value, onChange }: { value: ExternalRetrieval; onChange: (next: ExternalRetrieval) => void }) {
  const { t } = useTranslation();
  return (
    <Stack>
      <NumberInput label={t('prompt:retrieval.topK')} min={1} max={20} value={value.top_k} onChange={(next) => onChange({ ...value, top_k: Number(next) || START.top_k })} />
      <Switch label={t('prompt:retrieval.threshold')} checked={value.score_threshold_enabled} onChange={(event) => onChange({ ...value, score_threshold_enabled: event.currentTarget.checked })} />
      {value.score_threshold_enabled ? <Slider min={0} max={1} step={0.05} thumbLabel={t('prompt:retrieval.threshold')} value={value.score_threshold} onChange={(score_threshold) => onChange({ ...value, score_threshold })} /> : null}
    </Stack>
  );
}

/** Makes a base that stands on another server. */
export function CreateExternal({ close }: { close: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const servers = useServers();
  const [editing, setEditing] = useState(false);
  const [form, setForm] = useState({ name: '', description: '', api: '', id: '' });
  const [retrieval, setRetrieval] = useState(START);
  const list = servers.data?.data ?? [];
  const api = form.api || list[0]?.id || '';
  const create = useAct(
    () => knowledgeApi.createExternal({ name: form.name.trim(), description: form.description.trim(), external_knowledge_api_id: api, external_knowledge_id: form.id.trim(), external_retrieval_model: retrieval }),
    {
      quiet: true,
      done: async (made) => {
        await client.invalidateQueries({ queryKey: ['datasets'] });
        void navigate(`/knowledge/${made.id}/test`);
      },
    },
  );
  if (editing) return <ServerForm close={() => setEditing(false)} saved={(server) => setForm({ ...form, api: server.id })} />;
  return (
    <Modal opened onClose={close} title={t('knowledge:external.create')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Stack>
          <Text fz="sm" c="dimmed">{t('knowledge:external.text')}</Text>
          {create.error ? <Alert color="brick" role="alert">{text(create.error)}</Alert> : null}
          <TextInput data-autofocus label={t('knowledge:create.name')} maxLength={40} value={form.name} onChange={(event) => setForm({ ...form, name: event.currentTarget.value })} />
          <Group align="flex-end" wrap="nowrap">
            <Select flex={1} label={t('knowledge:external.server')} placeholder={t('knowledge:external.noServer')} allowDeselect={false} value={api || null} onChange={(value) => setForm({ ...form, api: value ?? '' })} data={list.map((server) => ({ value: server.id, label: server.name }))} />
            <Button variant="default" leftSection={<IconPlus size={16} />} onClick={() => setEditing(true)}>{t('knowledge:external.addServer')}</Button>
          </Group>
          <TextInput label={t('knowledge:external.id')} description={t('knowledge:external.idText')} maxLength={255} value={form.id} onChange={(event) => setForm({ ...form, id: event.currentTarget.value })} />
          <Textarea label={t('knowledge:create.description')} autosize minRows={1} maxLength={400} value={form.description} onChange={(event) => setForm({ ...form, description: event.currentTarget.value })} />
          <ExternalRetrievalForm value={retrieval} onChange={setRetrieval} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
            <Button type="submit" loading={create.isPending} disabled={!form.name.trim() || !api || !form.id.trim()}>{t('action.create')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Adds an external server, or changes one; it is called once before it is stored. */
function ServerForm({ server, close, saved }: { server?: ExternalServer; close: () => void; saved?: (server: ExternalServer) => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [form, setForm] = useState({ name: server?.name ?? '', endpoint: server?.endpoint ?? '', api_key: '' });
  const save = useAct(() => (server ? knowledgeApi.changeServer(server.id, form) : knowledgeApi.addServer(form)), {
    quiet: true,
    done: async (stored) => {
      await client.invalidateQueries({ queryKey: ['external-servers'] });
      saved?.(stored);
      close();
    },
  });
  return (
    <Modal opened onClose={close} title={t(server ? 'knowledge:external.editServer' : 'knowledge:external.addServer')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          {save.error ? <Alert color="brick" role="alert">{text(save.error)}</Alert> : null}
          <TextInput data-autofocus label={t('knowledge:create.name')} maxLength={40} value={form.name} onChange={(event) => setForm({ ...form, name: event.currentTarget.value })} />
          <TextInput label={t('knowledge:external.endpoint')} description={t('knowledge:external.endpointText')} placeholder="https://" value={form.endpoint} onChange={(event) => setForm({ ...form, endpoint: event.currentTarget.value })} />
          <Secret label={t('knowledge:external.key')} description={server ? t('knowledge:external.keyKept', { key: server.key_masked }) : undefined} autoComplete="off" value={form.api_key} onChange={(event) => setForm({ ...form, api_key: event.currentTarget.value })} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('action.cancel')}</Button>
            <Button type="submit" loading={save.isPending} disabled={!form.name.trim() || !form.endpoint.trim() || (!server && !form.api_key.trim())}>{t('action.save')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** The external servers this box asks. */
export function ServersDrawer({ close }: { close: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const servers = useServers();
  const [editing, setEditing] = useState<ExternalServer | 'new' | null>(null);
  const remove = useAct((id: string) => knowledgeApi.removeServer(id), { done: () => client.invalidateQueries({ queryKey: ['external-servers'] }) });
  const askRemove = async (server: ExternalServer) => {
    if (await confirm({ title: t('knowledge:external.delete', { name: server.name }), text: t('knowledge:external.deleteText'), confirm: t('action.delete') })) remove.mutate(server.id);
  };
  return (
    <>
      <Drawer opened onClose={close} position="right" size="md" title={t('knowledge:external.servers')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <Stack>
          <Text fz="sm" c="dimmed">{t('knowledge:external.serversText')}</Text>
          {servers.isPending ? <RowSkeletons n={2} /> : servers.error ? <Failed error={servers.error} retry={() => servers.refetch()} /> : servers.data.data.length === 0 ? (
            <Text fz="sm">{t('knowledge:external.noServer')}</Text>
          ) : servers.data.data.map((server) => (
            <Paper key={server.id} withBorder radius="md" p="sm" bg="var(--sp-card)">
              <Group wrap="nowrap" gap="sm" align="flex-start">
                <IconServer2 size={22} stroke={1.5} aria-hidden style={{ flex: 'none' }} />
                <div style={{ flex: 1, minWidth: 0 }}>
                  <Text fw={600} fz="sm">{server.name}</Text>
                  <Text fz="xs" c="dimmed" ff="monospace" style={{ overflowWrap: 'anywhere' }}>{server.endpoint}</Text>
                  <Text fz="xs" c="dimmed" ff="monospace">{server.key_masked}</Text>
                  {server.bases.map((base) => <Anchor key={base.id} component={Link} to={`/knowledge/${base.id ?? ''}`} fz="xs" mr={8}>{base.name}</Anchor>)}
                </div>
                <Tooltip label={t('action.edit')}><ActionIcon aria-label={t('knowledge:external.editNamed', { name: server.name })} onClick={() => setEditing(server)}><IconPencil size={16} /></ActionIcon></Tooltip>
                <Tooltip label={t('action.delete')}><ActionIcon aria-label={t('knowledge:external.deleteNamed', { name: server.name })} disabled={server.bases.length > 0} onClick={() => void askRemove(server)}><IconTrash size={16} /></ActionIcon></Tooltip>
              </Group>
            </Paper>
          ))}
          <Button w="fit-content" variant="light" leftSection={<IconPlus size={16} />} onClick={() => setEditing('new')}>{t('knowledge:external.addServer')}</Button>
        </Stack>
      </Drawer>
      {editing ? <ServerForm server={editing === 'new' ? undefined : editing} close={() => setEditing(null)} /> : null}
    </>
  );
}
