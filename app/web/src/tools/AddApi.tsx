import { Button, Group, Modal, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { type ApiCredentials, toolApi, words } from './api';

const NONE: ApiCredentials = {
  auth_type: 'none',
  api_key_header: 'Authorization',
  api_key_header_prefix: 'bearer',
  api_key_query_param: 'key',
  api_key_value: '',
};

/** Reads an OpenAPI document that is pasted, chosen or fetched, shows its operations, and keeps it. */
export function AddApi({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [schema, setSchema] = useState('');
  const [url, setUrl] = useState('');
  const [source, setSource] = useState('');
  const [baseUrl, setBaseUrl] = useState('');
  const [auth, setAuth] = useState(NONE);
  const read = useAct(
    (from: { schema?: string; url?: string }) => toolApi.read({ ...from, base_url: baseUrl }),
    {
      quiet: true,
      done: (found, from) => {
        setSchema(found.schema);
        setSource(from.url ?? '');
        setName((now) => now || found.title);
      },
    },
  );
  const add = useAct(() => toolApi.addApi({ name, schema, base_url: baseUrl, source, credentials: auth }), {
    quiet: true,
    done: async () => {
      await client.invalidateQueries({ queryKey: ['tools'] });
      onClose();
    },
  });
  const problem = add.error ?? read.error;
  return (
    <Modal opened onClose={onClose} size="lg" title={t('tools:api.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Stack>
          <Group align="flex-end" wrap="nowrap">
            <TextInput style={{ flex: 1 }} label={t('tools:api.url')} placeholder="https://…" value={url} onChange={(event) => setUrl(event.currentTarget.value)} />
            <Button variant="default" disabled={!url} loading={read.isPending} onClick={() => read.mutate({ url })}>
              {t('tools:api.fetch')}
            </Button>
          </Group>
          <Textarea
            label={t('tools:api.schema')}
            description={t('tools:api.schemaText')}
            autosize
            minRows={6}
            maxRows={14}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
            value={schema}
            onChange={(event) => setSchema(event.currentTarget.value)}
            onBlur={() => (schema.trim() ? read.mutate({ schema }) : undefined)}
          />
          <input
            type="file"
            aria-label={t('tools:api.file')}
            accept=".json,.yaml,.yml"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              void file?.text().then((content) => read.mutate({ schema: content }));
            }}
          />
          {read.data ? (
            <Text fz="sm" c="dimmed">
              {t('tools:api.found', { n: read.data.tools.length, address: read.data.base_url })}{' '}
              {read.data.tools.map((tool) => words(tool.label, tool.name)).join(', ')}
            </Text>
          ) : null}
          <Group grow align="flex-start">
            <TextInput label={t('tools:name')} required withAsterisk={false} value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <TextInput label={t('tools:api.baseUrl')} placeholder={read.data?.base_url} value={baseUrl} onChange={(event) => setBaseUrl(event.currentTarget.value)} />
          </Group>
          <Select
            label={t('tools:api.auth')}
            allowDeselect={false}
            value={auth.auth_type}
            onChange={(value) => setAuth({ ...auth, auth_type: value as ApiCredentials['auth_type'] })}
            data={[
              { value: 'none', label: t('tools:api.authNone') },
              { value: 'api_key_header', label: t('tools:api.authHeader') },
              { value: 'api_key_query', label: t('tools:api.authQuery') },
            ]}
          />
          {auth.auth_type === 'none' ? null : (
            <Group grow align="flex-start">
              {auth.auth_type === 'api_key_header' ? (
                <>
                  <TextInput label={t('tools:api.header')} value={auth.api_key_header} onChange={(event) => setAuth({ ...auth, api_key_header: event.currentTarget.value })} />
                  <Select
                    label={t('tools:api.prefix')}
                    allowDeselect={false}
                    value={auth.api_key_header_prefix}
                    onChange={(value) => setAuth({ ...auth, api_key_header_prefix: value as ApiCredentials['api_key_header_prefix'] })}
                    data={['bearer', 'basic', 'custom']}
                  />
                </>
              ) : (
                <TextInput label={t('tools:api.param')} value={auth.api_key_query_param} onChange={(event) => setAuth({ ...auth, api_key_query_param: event.currentTarget.value })} />
              )}
              <TextInput type="password" autoComplete="off" label={t('tools:api.key')} value={auth.api_key_value} onChange={(event) => setAuth({ ...auth, api_key_value: event.currentTarget.value })} />
            </Group>
          )}
          {problem ? (
            <Text role="alert" c="brick" fz="sm">
              {text(problem)}
            </Text>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" loading={add.isPending} disabled={!schema.trim() || !name.trim()}>
              {t('tools:add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
