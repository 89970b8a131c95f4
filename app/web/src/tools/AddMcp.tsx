import { Button, Group, Modal, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { toolApi } from './api';

/** Adds an MCP server; the box asks it for its tools before it is kept. */
export function AddMcp({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [identifier, setIdentifier] = useState('');
  const [url, setUrl] = useState('');
  const [headers, setHeaders] = useState('');
  const add = useAct(
    () => toolApi.addMcp({ name: name.trim(), server_identifier: identifier.trim(), server_url: url.trim(), headers: lines(headers) }),
    {
      quiet: true,
      done: async () => {
        await client.invalidateQueries({ queryKey: ['tools'] });
        onClose();
      },
    },
  );
  return (
    <Modal opened onClose={onClose} title={t('tools:mcp.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Stack>
          <TextInput label={t('tools:mcp.url')} description={t('tools:mcp.urlText')} placeholder="https://…/mcp" data-autofocus required withAsterisk={false} value={url} onChange={(event) => setUrl(event.currentTarget.value)} />
          <TextInput label={t('tools:name')} required withAsterisk={false} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <TextInput label={t('tools:mcp.identifier')} description={t('tools:mcp.identifierText')} required withAsterisk={false} value={identifier} onChange={(event) => setIdentifier(event.currentTarget.value)} />
          <Textarea label={t('tools:mcp.headers')} description={t('tools:mcp.headersText')} autosize minRows={2} value={headers} onChange={(event) => setHeaders(event.currentTarget.value)} />
          {add.error ? (
            <Text role="alert" c="brick" fz="sm">
              {text(add.error)}
            </Text>
          ) : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" loading={add.isPending}>
              {t('tools:add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Header lines as an object: `Name: value`, one a line. */
function lines(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return found;
}
