import { Button, Code, Group, Modal, Select, Stack, Text, Textarea } from '@mantine/core';
import { useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { useAct } from '@/ui/useAct';

import { toolApi, type ToolProvider, words } from './api';

/** Calls one tool of a family with values typed here, and shows what it answers. */
export function TryTool({ provider, onClose }: { provider: ToolProvider; onClose: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const [name, setName] = useState(provider.tools[0]?.name ?? '');
  const [values, setValues] = useState<Record<string, string>>({});
  const tool = provider.tools.find((item) => item.name === name);
  const run = useAct(
    () => toolApi.test(provider, name, Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))),
    { quiet: true },
  );
  const answer = run.error ? text(run.error) : (run.data?.error ?? run.data?.result);
  return (
    <Modal opened onClose={onClose} size="lg" title={words(provider.label, provider.name)} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run.mutate();
        }}
      >
        <Stack>
          <Select
            label={t('tools:tool')}
            allowDeselect={false}
            value={name}
            onChange={(value) => {
              setName(value ?? '');
              setValues({});
              run.reset();
            }}
            data={provider.tools.map((item) => ({ value: item.name, label: words(item.label, item.name) }))}
          />
          {tool ? (
            <Text c="dimmed" fz="sm">
              {words(tool.description, '')}
            </Text>
          ) : null}
          {tool?.parameters.map((parameter) => (
            <Textarea
              key={`${name}-${parameter.name}`}
              label={parameter.name}
              description={words(parameter.label, '')}
              withAsterisk={parameter.required}
              autosize
              minRows={1}
              placeholder={typeof parameter.default === 'string' ? parameter.default : undefined}
              value={values[parameter.name] ?? ''}
              onChange={(event) => {
                const value = event.currentTarget.value;
                setValues((now) => ({ ...now, [parameter.name]: value }));
              }}
            />
          ))}
          {answer === undefined ? null : (
            <Stack gap={4}>
              <Text role="status" fz="sm" c={run.data?.ok ? 'moss' : 'brick'}>
                {run.data?.ok ? t('tools:answered', { ms: run.data.latency_ms }) : t('tools:failed')}
              </Text>
              <Code block style={{ maxHeight: 280, overflow: 'auto', whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
                {answer}
              </Code>
            </Stack>
          )}
          <Group justify="flex-end">
            <Button type="submit" loading={run.isPending} disabled={!tool}>
              {t('tools:run')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
