import { Group, SegmentedControl, Stack, Switch, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { App } from '@/api/types';
import { appApi, refreshApps } from '@/studio/api';
import { CodeBlock } from '@/ui/Copy';
import { KeyList } from '@/ui/KeyList';
import { Section } from '@/ui/states';
import { useAct } from '@/ui/useAct';

import { Address } from './Address';
import { example, type ExampleKind } from './examples';

/** The service API: keys, address, examples, and whether it answers. */
export function Keys({ app }: { app: App }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [kind, setKind] = useState<ExampleKind>('curl');
  const turn = useAct((enable_api: boolean) => appApi.update(app.id, { enable_api }), { done: () => refreshApps(client) });
  const open = turn.isPending ? turn.variables : app.enable_api;
  const base = `${window.location.origin}/v1`;
  return (
    <Section
      id="api"
      title={t('access:api.heading')}
      description={t('access:api.text')}
      action={<Switch aria-label={t('access:api.switch')} checked={open} disabled={turn.isPending} onChange={(event) => turn.mutate(event.currentTarget.checked)} />}
    >
      {open ? (
        <Stack gap="lg">
          <div>
            <Text fz="sm" fw={600} mb={6}>{t('access:api.address')}</Text>
            <Address value={base} label={t('access:api.address')} />
          </div>
          <div>
            <KeyList path={`/apps/${app.id}/api-keys`} />
          </div>
          <div>
            <Group justify="space-between" mb={6}>
              <Text fz="sm" fw={600}>{t('access:api.examples')}</Text>
              <SegmentedControl
                size="xs"
                aria-label={t('access:api.examples')}
                value={kind}
                onChange={(value) => setKind(value)}
                data={[
                  { value: 'curl', label: 'curl' },
                  { value: 'python', label: 'Python' },
                  { value: 'openai', label: 'OpenAI SDK' },
                ]}
              />
            </Group>
          <CodeBlock label={t('access:api.examples')} code={example(kind, app.mode, base, t('access:api.question'))} />
          <Text c="dimmed" fz="sm" mt="sm">
            {t('access:api.ca')}
          </Text>
          </div>
        </Stack>
      ) : (
        <Text fz="sm" c="dimmed">{t('access:api.closed')}</Text>
      )}
    </Section>
  );
}
