import { ActionIcon, Button, Group, NumberInput, Select, SimpleGrid, Switch, Text } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import { Section } from '@/ui/states';

import type { SectionProps } from './InstructionSection';
import css from './Prompt.module.css';
import { ToolPicker } from './ToolPicker';

export interface AgentTool {
  enabled?: boolean;
  tool_name?: string;
  tool_label?: string;
  provider_name?: string;
  provider_id?: string;
  [key: string]: unknown;
}

interface AgentMode {
  enabled?: boolean;
  strategy?: string;
  max_iteration?: number;
  tools?: AgentTool[];
  [key: string]: unknown;
}

/** How the agent works and which of its tools it may use. */
export function AgentSection({ config, change }: SectionProps) {
  const { t } = useTranslation();
  const agent = (config.agent_mode ?? {}) as AgentMode;
  const set = (patch: Partial<AgentMode>) => change({ agent_mode: { enabled: true, ...agent, ...patch } });
  const tools = agent.tools ?? [];
  const [picking, setPicking] = useState(false);
  return (
    <Section id="agent" title={t('prompt:agent.title')} description={t('prompt:agent.text')}>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <Select
          label={t('prompt:agent.strategy')}
          allowDeselect={false}
          value={agent.strategy === 'react' ? 'react' : 'function_call'}
          onChange={(strategy) => set({ strategy: strategy ?? 'function_call' })}
          data={[
            { value: 'function_call', label: t('prompt:agent.functionCall') },
            { value: 'react', label: t('prompt:agent.react') },
          ]}
        />
        <NumberInput label={t('prompt:agent.rounds')} min={1} max={99} value={agent.max_iteration ?? 10} onChange={(value) => set({ max_iteration: Number(value) || 10 })} />
      </SimpleGrid>
      <div style={{ marginTop: 16 }}>
          <Group justify="space-between" mb={8}>
            <Text fz="sm" fw={550}>
              {t('prompt:agent.tools')}
            </Text>
            <Button size="xs" variant="default" leftSection={<IconPlus size={16} />} aria-label={t('prompt:agent.pick')} onClick={() => setPicking(true)}>
              {t('action.add')}
            </Button>
          </Group>
          {tools.length === 0 ? <Text fz="sm" c="dimmed">{t('prompt:agent.noTools')}</Text> : null}
          {tools.map((tool, index) => (
            <div key={`${tool.tool_name ?? ''}-${index}`} className={css.row}>
              <Switch
                label={tool.tool_label ?? tool.tool_name ?? '?'}
                checked={tool.enabled ?? false}
                onChange={(event) => {
                  const enabled = event.currentTarget.checked;
                  set({ tools: tools.map((other, i) => (i === index ? { ...other, enabled } : other)) });
                }}
              />
              <Text fz="xs" c="dimmed" ml="auto" pr="sm">
                {tool.provider_name}
              </Text>
              <ActionIcon aria-label={t('prompt:agent.remove', { name: tool.tool_label ?? tool.tool_name ?? '?' })} onClick={() => set({ tools: tools.filter((_, i) => i !== index) })}>
                <IconX size={16} />
              </ActionIcon>
            </div>
          ))}
      </div>
      {picking ? <ToolPicker tools={tools} onChange={(next) => set({ tools: next })} onClose={() => setPicking(false)} /> : null}
    </Section>
  );
}
