import { Stack } from '@mantine/core';

import { useTranslation } from '@/i18n';
import { useFrameApp } from '@/studio/AppFrame';
import { Page } from '@/ui/Page';

import { Keys } from './Keys';
import { McpServer } from './McpServer';
import { WebPage } from './WebPage';

/** The ways to an app: its page, the service API, its MCP server. */
export default function AccessPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  return (
    <Page title={t('access:title')} description={t('access:text')}>
      <Stack gap="lg">
        <WebPage app={app} />
        <Keys app={app} />
        <McpServer app={app} />
      </Stack>
    </Page>
  );
}
