import { ActionIcon, Badge, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { useConfirm } from '@/ui/confirm';
import { Secret } from '@/ui/Secret';
import { useAct } from '@/ui/useAct';

import { credentialApi, type ToolCredential, type ToolProvider, words } from './api';
import { Stored, ToolDialog, useSaveTool } from './ToolDialog';

/** The settings a built-in family needs: an account, a robot's key, a database. */
export function Credentials({ provider, onClose }: { provider: ToolProvider; onClose: () => void }) {
  const stored = useQuery({ queryKey: ['tools', 'credentials', provider.name], queryFn: () => credentialApi.list(provider.name) });
  return (
    <Stored query={stored} title={words(provider.label, provider.name)} onClose={onClose}>
      {({ data }) => <Form key={data[0]?.id ?? 'new'} provider={provider} all={data} onClose={onClose} />}
    </Stored>
  );
}

function Form({ provider, all, onClose }: { provider: ToolProvider; all: ToolCredential[]; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [chosen, setChosen] = useState(all[0]?.id ?? 'new');
  const now = all.find((item) => item.id === chosen);
  const [name, setName] = useState(now?.name ?? 'default');
  const [values, setValues] = useState<Record<string, string>>(() => strings(now?.credentials));
  const choose = (id: string) => {
    const item = all.find((other) => other.id === id);
    setChosen(id);
    setName(item?.name ?? '');
    setValues(strings(item?.credentials));
  };
  const save = useSaveTool(() => credentialApi.save(provider.name, now?.id, { name: name.trim() || 'default', credentials: filled(values), is_default: now?.is_default ?? false }), onClose);
  const remove = useAct((id: string) => credentialApi.remove(provider.name, id), { done: () => client.invalidateQueries({ queryKey: ['tools'] }) });
  const missing = provider.credentials_schema.some((field) => field.required && !values[field.name]?.trim() && field.default === null);
  return (
    <ToolDialog title={words(provider.label, provider.name)} action={t('action.save')} save={save} ready={!missing} onClose={onClose}>
      {all.length > 0 ? (
        <Group align="flex-end" wrap="nowrap">
          <Select
            flex={1}
            label={t('tools:credentials.which')}
            allowDeselect={false}
            value={chosen}
            onChange={(id) => choose(id ?? 'new')}
            data={[...all.map((item) => ({ value: item.id, label: item.name })), { value: 'new', label: t('tools:credentials.another') }]}
          />
          {now?.is_default ? <Badge variant="light" mb={9} tt="none">{t('tools:credentials.default')}</Badge> : null}
          {now ? (
            <ActionIcon
              size={36}
              aria-label={t('tools:removeName', { name: now.name })}
              onClick={async () => {
                if (await confirm({ title: t('tools:removeName', { name: now.name }), text: t('tools:removeText'), confirm: t('tools:remove') })) remove.mutate(now.id);
              }}
            >
              <IconTrash size={18} />
            </ActionIcon>
          ) : null}
        </Group>
      ) : (
        <Text fz="sm" c="dimmed">{t('tools:credentials.text')}</Text>
      )}
      <TextInput label={t('tools:name')} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <Stack gap="sm">
        {provider.credentials_schema.map((field) => {
          const common = { label: words(field.label, field.name), required: field.required };
          const value = values[field.name] ?? '';
          const put = (next: string) => setValues((old) => ({ ...old, [field.name]: next }));
          if (field.type === 'select') {
            return <Select key={field.name} {...common} data={field.options} value={value || (typeof field.default === 'string' ? field.default : null)} onChange={(next) => put(next ?? '')} />;
          }
          const Field = field.type === 'secret' ? Secret : TextInput;
          return <Field key={field.name} {...common} autoComplete="off" value={value} onChange={(event) => put(event.currentTarget.value)} />;
        })}
      </Stack>
    </ToolDialog>
  );
}

function strings(values: Record<string, unknown> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, typeof value === 'string' || typeof value === 'number' ? String(value) : '']));
}

function filled(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value.trim() !== ''));
}
