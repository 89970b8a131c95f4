import { Button, FileButton, Group, Select, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { Secret } from '@/ui/Secret';
import { useAct } from '@/ui/useAct';

import { type ApiCredentials, type StoredApi, toolApi, words } from './api';
import { ToolDialog, useSaveTool } from './ToolDialog';

const NONE: ApiCredentials = {
  auth_type: 'none',
  api_key_header: 'Authorization',
  api_key_header_prefix: 'bearer',
  api_key_query_param: 'key',
  api_key_value: '',
};

/** Reads an OpenAPI document that is pasted, chosen or fetched, shows its operations, and keeps it. */
export function ApiForm({ stored, onClose }: { stored?: StoredApi; onClose: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(stored?.name ?? '');
  const [schema, setSchema] = useState(stored?.schema ?? '');
  const [url, setUrl] = useState(stored?.source ?? '');
  const [source, setSource] = useState(stored?.source ?? '');
  const [baseUrl, setBaseUrl] = useState(stored?.base_url ?? '');
  const [auth, setAuth] = useState<ApiCredentials>({ ...NONE, ...stored?.credentials });
  const put = (patch: Partial<ApiCredentials>) => setAuth({ ...auth, ...patch });
  const read = useAct((from: { schema?: string; url?: string }) => toolApi.read({ ...from, base_url: baseUrl }), {
    quiet: true,
    done: (found, from) => {
      setSchema(found.schema);
      setSource(from.url ?? '');
      setName((now) => now || found.title);
    },
  });
  const save = useSaveTool(
    () =>
      toolApi.save('api', stored?.id, {
        name: name.trim(), schema, base_url: baseUrl.trim(), source, credentials: auth,
        // What the form does not show is kept as it was.
        description: stored?.description ?? '', icon: stored?.icon, privacy_policy: stored?.privacy_policy ?? '', labels: stored?.labels ?? [],
      }),
    onClose,
  );
  return (
    <ToolDialog title={t('tools:api.title')} size="lg" action={t(stored ? 'action.save' : 'tools:add')} save={save} problem={read.error} ready={schema.trim() !== '' && name.trim() !== ''} onClose={onClose}>
      <Group align="flex-end" wrap="nowrap">
        <TextInput flex={1} label={t('tools:api.url')} placeholder="https://…" value={url} onChange={(event) => setUrl(event.currentTarget.value)} />
        <Button variant="default" disabled={!url.trim()} loading={read.isPending} onClick={() => read.mutate({ url: url.trim() })}>
          {t('tools:api.fetch')}
        </Button>
        <FileButton accept=".json,.yaml,.yml" onChange={(file) => void file?.text().then((content) => read.mutate({ schema: content }))}>
          {(props) => <Button {...props} variant="default">{t('tools:api.file')}</Button>}
        </FileButton>
      </Group>
      <Textarea
        label={t('tools:api.schema')}
        description={t('tools:api.schemaText')}
        autosize
        minRows={6}
        maxRows={14}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
        value={schema}
        onChange={(event) => setSchema(event.currentTarget.value)}
        onBlur={() => (schema.trim() ? read.mutate({ schema }) : undefined)}
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
        onChange={(value) => put({ auth_type: value as ApiCredentials['auth_type'] })}
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
              <TextInput label={t('tools:api.header')} value={auth.api_key_header} onChange={(event) => put({ api_key_header: event.currentTarget.value })} />
              <Select
                label={t('tools:api.prefix')}
                allowDeselect={false}
                value={auth.api_key_header_prefix}
                onChange={(value) => put({ api_key_header_prefix: value as ApiCredentials['api_key_header_prefix'] })}
                data={[
                  { value: 'bearer', label: 'Bearer' },
                  { value: 'basic', label: 'Basic' },
                  { value: 'custom', label: t('tools:api.authNone') },
                ]}
              />
            </>
          ) : (
            <TextInput label={t('tools:api.param')} value={auth.api_key_query_param} onChange={(event) => put({ api_key_query_param: event.currentTarget.value })} />
          )}
          <Secret autoComplete="off" label={t('tools:api.key')} value={auth.api_key_value} onChange={(event) => put({ api_key_value: event.currentTarget.value })} />
        </Group>
      )}
    </ToolDialog>
  );
}
