import { Group, Stack, Text } from '@mantine/core';
import { useTranslation } from '@/i18n';

import { CodeBlock, Copy } from '@/ui/Copy';
import { KeyList } from '@/ui/KeyList';
import { Page } from '@/ui/Page';
import { Section } from '@/ui/states';

/** How programs, and other Difys, reach the knowledge of this box. */
export default function KnowledgeApi() {
  const { t } = useTranslation();
  const base = `${window.location.origin}/v1`;
  const code = `curl --cacert sparrow-ca.crt ${base}/datasets \\\n  -H 'Authorization: Bearer dataset-…'`;
  return (
    <Page title={t('knowledge:api.title')} description={t('knowledge:api.text')} back={{ to: '/knowledge', label: t('knowledge:title') }}>
      <Stack gap="lg">
        <Section title={t('knowledge:api.heading')}>
          <KeyList path="/dataset-keys" none={t('knowledge:api.keys')} />
        </Section>
        <Section title={t('access:api.address')}>
          <Group gap={6} mb="sm">
            <Text ff="monospace" style={{ overflowWrap: 'anywhere' }}>{base}</Text>
            <Copy value={base} />
          </Group>
          <CodeBlock label={t('access:api.examples')} code={code} />
        </Section>
        <Section title={t('knowledge:api.external')} description={t('knowledge:api.externalText')}>
          <Group gap={6}>
            <Text ff="monospace" style={{ overflowWrap: 'anywhere' }}>{`${base}/retrieval`}</Text>
          </Group>
        </Section>
      </Stack>
    </Page>
  );
}
