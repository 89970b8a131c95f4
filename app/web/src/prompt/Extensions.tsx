import { ActionIcon, Button, Group, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { http } from '@/api/http';
import type { Extension } from '@/api/types';
import { useConfirm } from '@/ui/confirm';
import { useErrorText } from '@/ui/errors';
import { Secret } from '@/ui/Secret';
import { useAct } from '@/ui/useAct';

import css from './Prompt.module.css';

const KEY = ['extensions'];
const PATH = '/api-based-extension';

/** Chooses one of the admin's own HTTP services, and opens the list of them. */
export function ExtensionSelect({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const list = useQuery({ queryKey: KEY, queryFn: () => http.get<Extension[]>(PATH) });
  const data = (list.data ?? []).map(({ id, name }) => ({ value: id, label: name }));
  if (value && list.data && !data.some((entry) => entry.value === value)) data.push({ value, label: t('prompt:extension.gone') });
  return (
    <>
      <Group align="flex-end" gap="xs">
        <Select flex="1 1 200px" label={t('prompt:extension.label')} description={t('prompt:extension.text')} placeholder={t('prompt:extension.choose')} allowDeselect={false} data={data} value={value || null} disabled={data.length === 0} onChange={(id) => onChange(id ?? '')} />
        <Button variant="default" onClick={() => setOpen(true)}>{t('prompt:extension.manage')}</Button>
      </Group>
      {open ? <Extensions list={list.data ?? []} onAdded={onChange} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function Extensions({ list, onAdded, onClose }: { list: Extension[]; onAdded: (id: string) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [name, setName] = useState('');
  const [endpoint, setEndpoint] = useState('');
  const [apiKey, setApiKey] = useState('');
  const refresh = () => client.invalidateQueries({ queryKey: KEY });
  const add = useAct(() => http.post<Extension>(PATH, { name: name.trim(), api_endpoint: endpoint.trim(), api_key: apiKey }), {
    quiet: true,
    done: async (made) => {
      await refresh();
      onAdded(made.id);
      onClose();
    },
  });
  const remove = useAct((id: string) => http.delete(`${PATH}/${id}`), { done: refresh });
  const askRemove = async (one: Extension) => {
    if (await confirm({ title: t('prompt:extension.delete', { name: one.name }), text: t('prompt:extension.deleteText'), confirm: t('action.delete') })) remove.mutate(one.id);
  };
  return (
    <Modal opened onClose={onClose} title={t('prompt:extension.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack>
        <Text c="dimmed" fz="sm">{t('prompt:extension.intro')}</Text>
        {list.map((one) => (
          <div key={one.id} className={css.row}>
            <div style={{ minWidth: 0 }}>
              <Text fz="sm" fw={550} truncate>{one.name}</Text>
              <Text fz="xs" c="dimmed" truncate>{one.api_endpoint}</Text>
            </div>
            <ActionIcon ml="auto" aria-label={t('prompt:extension.remove', { name: one.name })} onClick={() => void askRemove(one)}><IconTrash size={16} /></ActionIcon>
          </div>
        ))}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate();
          }}
        >
          <Stack gap="sm">
            <TextInput data-autofocus label={t('prompt:extension.name')} maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <TextInput label={t('prompt:extension.endpoint')} placeholder="https://" inputMode="url" value={endpoint} onChange={(event) => setEndpoint(event.currentTarget.value)} />
            <Secret label={t('prompt:extension.key')} description={t('prompt:extension.keyText')} value={apiKey} onChange={(event) => setApiKey(event.currentTarget.value)} error={add.error ? text(add.error) : undefined} />
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>{t('action.close')}</Button>
              <Button type="submit" loading={add.isPending} disabled={!name.trim() || !endpoint.trim() || !apiKey}>{t('action.add')}</Button>
            </Group>
          </Stack>
        </form>
      </Stack>
    </Modal>
  );
}
