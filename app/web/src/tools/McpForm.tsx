import { Group, NumberInput, SegmentedControl, Select, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { useTranslation } from '@/i18n';

import { type StoredMcp, toolApi } from './api';
import { ToolDialog, useSaveTool } from './ToolDialog';

/** An MCP server; the box asks it for its tools before it is kept. */
export function McpForm({ stored, onClose }: { stored?: StoredMcp; onClose: () => void }) {
  const { t } = useTranslation();
  const programs = useQuery({ queryKey: ['tools', 'programs'], queryFn: toolApi.programs });
  const [name, setName] = useState(stored?.name ?? '');
  const [identifier, setIdentifier] = useState(stored?.server_identifier ?? '');
  const [url, setUrl] = useState(stored?.server_url ?? '');
  const [local, setLocal] = useState(stored?.transport === 'stdio');
  const [program, setProgram] = useState<string | null>(stored?.program || null);
  const [headers, setHeaders] = useState(Object.entries(stored?.headers ?? {}).map(([key, value]) => `${key}: ${value}`).join('\n'));
  const [timeout, setTimeout] = useState<number>(stored?.timeout ?? 30);
  const save = useSaveTool(
    () =>
      toolApi.save('mcp', stored?.id, {
        name: name.trim(), server_identifier: identifier.trim(), server_url: local ? '' : url.trim(), headers: local ? {} : lines(headers),
        program: local ? (program ?? '') : '', transport: local ? 'stdio' : stored?.transport === 'sse' || stored?.transport === 'streamable_http' ? stored.transport : 'auto',
        timeout, read_timeout: stored?.read_timeout ?? 300, icon: stored?.icon,
      }),
    onClose,
  );
  const known = programs.data?.data ?? [];
  return (
    <ToolDialog title={t('tools:mcp.title')} action={t(stored ? 'action.save' : 'tools:add')} save={save} ready={name.trim() !== '' && identifier.trim() !== '' && (local ? program !== null : url.trim() !== '')} onClose={onClose}>
      {known.length > 0 || local ? (
        <SegmentedControl
          aria-label={t('tools:mcp.where')}
          value={local ? 'program' : 'address'}
          onChange={(value) => setLocal(value === 'program')}
          data={[
            { value: 'address', label: t('tools:mcp.url') },
            { value: 'program', label: t('tools:mcp.program') },
          ]}
        />
      ) : null}
      {local ? (
        <Select label={t('tools:mcp.program')} description={t('tools:mcp.programText')} value={program} onChange={setProgram} data={known} />
      ) : (
        <TextInput label={t('tools:mcp.url')} description={t('tools:mcp.urlText')} placeholder="https://…/mcp" data-autofocus required withAsterisk={false} value={url} onChange={(event) => setUrl(event.currentTarget.value)} />
      )}
      <TextInput label={t('tools:name')} required withAsterisk={false} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <Group grow align="flex-start">
        <TextInput label={t('tools:mcp.identifier')} description={t('tools:mcp.identifierText')} required withAsterisk={false} value={identifier} onChange={(event) => setIdentifier(event.currentTarget.value)} />
        <NumberInput label={t('tools:mcp.timeout')} description={t('tools:mcp.timeoutText')} min={1} max={600} value={timeout} onChange={(value) => setTimeout(Number(value) || 30)} />
      </Group>
      {local ? null : (
        <Textarea label={t('tools:mcp.headers')} description={t('tools:mcp.headersText')} autosize minRows={2} spellCheck={false} value={headers} onChange={(event) => setHeaders(event.currentTarget.value)} />
      )}
    </ToolDialog>
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
