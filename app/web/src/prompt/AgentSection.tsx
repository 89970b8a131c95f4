import { NumberInput, Select, SimpleGrid, Switch, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';

import { Section } from '@/ui/states';

import type { SectionProps } from './InstructionSection';
import css from './Prompt.module.css';

interface AgentTool {
  enabled?: boolean;
  tool_name?: string;
  tool_label?: string;
  provider_name?: string;
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
      {tools.length > 0 ? (
        <div style={{ marginTop: 16 }}>
          <Text fz="sm" fw={550} mb={8}>
            {t('prompt:agent.tools')}
          </Text>
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
            </div>
          ))}
        </div>
      ) : null}
    </Section>
  );
}
