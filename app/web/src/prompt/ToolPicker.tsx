import { Badge, Button, Checkbox, Group, Modal, Stack, Text, TextInput, UnstyledButton } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';

import { useTranslation } from '@/i18n';
import { type Tool, type ToolProvider, useTools, words } from '@/tools/api';
import { Failed, RowSkeletons } from '@/ui/states';

import type { AgentTool } from './AgentSection';
import css from './Prompt.module.css';

/** Chooses the tools an agent may use, out of all that the box has. */
export function ToolPicker({ tools, onChange, onClose }: { tools: AgentTool[]; onChange: (tools: AgentTool[]) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const all = useTools();
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  const is = (provider: ToolProvider, tool: Tool) => (item: AgentTool) => item.tool_name === tool.name && (item.provider_id === provider.id || item.provider_name === provider.name);
  const rows = (all.data?.data ?? []).flatMap((provider) => provider.tools.map((tool) => ({ provider, tool })));
  const shown = rows.filter(({ provider, tool }) => `${words(provider.label, provider.name)} ${words(tool.label, tool.name)} ${words(tool.description, '')}`.toLowerCase().includes(wanted));
  const toggle = (provider: ToolProvider, tool: Tool) => {
    const same = is(provider, tool);
    const added = {
      enabled: true, provider_id: provider.id, provider_name: provider.name, provider_type: provider.type, tool_name: tool.name,
      tool_label: words(tool.label, tool.name), tool_parameters: Object.fromEntries(tool.parameters.filter((p) => p.form === 'form').map((p) => [p.name, p.default ?? ''])),
    };
    onChange(tools.some(same) ? tools.filter((item) => !same(item)) : [...tools, added]);
  };
  return (
    <Modal opened onClose={onClose} size="lg" title={t('prompt:agent.pick')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <Stack gap="sm">
        <TextInput data-autofocus type="search" leftSection={<IconSearch size={16} />} aria-label={t('action.search')} placeholder={t('action.search')} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        {all.isPending ? <RowSkeletons n={4} /> : all.error ? <Failed error={all.error} retry={() => all.refetch()} /> : null}
        <div style={{ maxHeight: '52vh', overflowY: 'auto' }}>
          {shown.map(({ provider, tool }) => {
            const on = tools.some(is(provider, tool));
            return (
              <UnstyledButton key={`${provider.type}-${provider.id}-${tool.name}`} className={css.row} w="100%" role="checkbox" aria-checked={on} onClick={() => toggle(provider, tool)}>
                <Checkbox checked={on} readOnly tabIndex={-1} aria-hidden />
                <span style={{ minWidth: 0 }}>
                  <Text fz="sm" fw={550} truncate>{words(tool.label, tool.name)}</Text>
                  <Text fz="xs" c="dimmed" lineClamp={1}>{words(tool.description, '')}</Text>
                </span>
                <Group ml="auto" gap={6} wrap="nowrap" style={{ flex: 'none' }}>
                  {provider.authorized ? null : <Badge size="sm" color="gray" variant="light" tt="none">{t('tools:needsKey')}</Badge>}
                  <Text fz="xs" c="dimmed" pr="sm">{words(provider.label, provider.name)}</Text>
                </Group>
              </UnstyledButton>
            );
          })}
          {all.data && shown.length === 0 ? <Text c="dimmed" ta="center" py="md">{t('state.noMatch')}</Text> : null}
        </div>
        <Group justify="space-between">
          <Button component={Link} to="/tools" variant="subtle">{t('nav.tools')}</Button>
          <Button onClick={onClose}>{t('prompt:knowledge.done')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
