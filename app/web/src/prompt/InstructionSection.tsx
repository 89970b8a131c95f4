import { ActionIcon, Badge, Button, Group, Menu, Text } from '@mantine/core';
import { IconPencil, IconPlus, IconTrash, IconVariable } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { InputForm, ModelConfig } from '@/api/types';
import { entries, promptVariables, type FormEntry } from '@/chat/inputs';
import { Section } from '@/ui/states';

import { InstructionEditor } from './InstructionEditor';
import css from './Prompt.module.css';
import { VariableDialog } from './VariableDialog';

export interface SectionProps {
  config: ModelConfig;
  change: (patch: Partial<ModelConfig>) => void;
}

/** What the model is told, and the variables that users fill in. */
export function InstructionSection({ config, change }: SectionProps) {
  const { t } = useTranslation();
  const [editing, setEditing] = useState<{ index: number; entry: FormEntry } | null>(null);
  const form = config.user_input_form ?? [];
  const list = entries(form);
  const names = list.map((e) => e.field.variable);
  const prompt = config.pre_prompt ?? '';
  const unknown = promptVariables(prompt).filter((name) => !names.includes(name));

  const put = (index: number, entry: FormEntry) => {
    const next: InputForm = [...form];
    next[index < 0 ? form.length : index] = { [entry.kind]: entry.field };
    const old = index < 0 ? undefined : list[index]?.field.variable;
    // A new name of a variable is carried into the instructions.
    const renamed = old && old !== entry.field.variable ? prompt.replaceAll(`{{${old}}}`, `{{${entry.field.variable}}}`) : prompt;
    change({ user_input_form: next, pre_prompt: renamed });
  };
  const fresh = (name: string): FormEntry => ({ kind: 'text-input', field: { variable: name, label: name, required: true, max_length: 256 } });
  return (
    <Section
      id="instructions"
      title={t('prompt:instructions.title')}
      description={t('prompt:instructions.text')}
      action={
        <Menu>
          <Menu.Target>
            <Button size="xs" variant="default" leftSection={<IconVariable size={16} />} style={{ flex: 'none' }}>
              {t('prompt:variables.insert')}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {names.map((name) => (
              <Menu.Item key={name} ff="monospace" onClick={() => change({ pre_prompt: `${prompt}{{${name}}}` })}>
                {`{{${name}}}`}
              </Menu.Item>
            ))}
            <Menu.Item leftSection={<IconPlus size={16} />} onClick={() => setEditing({ index: -1, entry: fresh('') })}>
              {t('prompt:variables.new')}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      }
    >
      <InstructionEditor value={prompt} variables={names} onChange={(pre_prompt) => change({ pre_prompt })} />
      {unknown.length > 0 ? (
        <Group gap={8} mt="sm">
          <Text fz="sm" c="dimmed">
            {t('prompt:variables.unknown')}
          </Text>
          {unknown.map((name) => (
            <Button key={name} size="compact-xs" variant="light" leftSection={<IconPlus size={14} />} onClick={() => put(-1, fresh(name))}>
              {name}
            </Button>
          ))}
        </Group>
      ) : null}
      {list.length > 0 ? (
        <div style={{ marginTop: 16 }}>
          <Text fz="sm" fw={550} mb={8}>
            {t('prompt:variables.title')}
          </Text>
          {list.map((entry, index) => (
            <div key={entry.field.variable} className={css.row}>
              <Text ff="monospace" fz="sm" truncate>
                {entry.field.variable}
              </Text>
              <Text fz="sm" c="dimmed" truncate>
                {entry.field.label}
              </Text>
              {entry.field.required ? (
                <Badge size="sm" variant="light" tt="none">
                  {t('prompt:variables.required')}
                </Badge>
              ) : null}
              <ActionIcon ml="auto" aria-label={t('prompt:variables.edit', { name: entry.field.variable })} onClick={() => setEditing({ index, entry })}>
                <IconPencil size={16} />
              </ActionIcon>
              <ActionIcon
                aria-label={t('prompt:variables.remove', { name: entry.field.variable })}
                onClick={() => change({ user_input_form: form.filter((_, i) => i !== index) })}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </div>
          ))}
        </div>
      ) : null}
      {editing ? (
        <VariableDialog
          entry={editing.entry}
          taken={names.filter((_, i) => i !== editing.index)}
          onClose={() => setEditing(null)}
          onSave={(entry) => {
            put(editing.index, entry);
            setEditing(null);
          }}
        />
      ) : null}
    </Section>
  );
}
