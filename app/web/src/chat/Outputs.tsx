import { Stack, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';

import { useTranslation } from '@/i18n';
import { CodeBlock, Copy } from '@/ui/Copy';

const Markdown = lazy(() => import('./Markdown'));

/** The outputs of a workflow by their names: texts as text, the rest as JSON. */
export function Outputs({ outputs }: { outputs: unknown }) {
  const { t } = useTranslation();
  if (typeof outputs !== 'object' || outputs === null || Object.keys(outputs).length === 0) return null;
  return (
    <Stack gap="sm" role="group" aria-label={t('flow:outputs')}>
      {Object.entries(outputs).map(([name, value]) => (
        <div key={name}>
          <Text fz="sm" fw={600} c="dimmed" mb={4} display="flex" component="div" style={{ alignItems: 'center', gap: 4 }}>
            {name}
            {typeof value === 'string' && value ? <Copy value={value} size="sm" /> : null}
          </Text>
          {typeof value === 'string' ? (
            <Suspense fallback={<Text style={{ whiteSpace: 'pre-wrap' }}>{value}</Text>}>{value ? <Markdown text={value} /> : <Text c="dimmed">–</Text>}</Suspense>
          ) : typeof value === 'number' || typeof value === 'boolean' ? (
            <Text>{String(value)}</Text>
          ) : (
            <CodeBlock code={JSON.stringify(value, null, 2)} label={name} />
          )}
        </div>
      ))}
    </Stack>
  );
}
