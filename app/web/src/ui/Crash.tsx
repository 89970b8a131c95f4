import { Button, Center } from '@mantine/core';
import { useTranslation } from '@/i18n';
import { useRouteError } from 'react-router';

import { Empty } from './states';

/** The last net: a page that failed to load or to draw. */
export function Crash() {
  const { t } = useTranslation();
  const error = useRouteError();
  // After an update of the box the files of the old version are gone; a reload brings the new ones.
  const stale = error instanceof TypeError && /import|module|fetch/i.test(error.message);
  return (
    <Center mih="60dvh">
      <Empty
        title={t(stale ? 'error.stale' : 'error.crash')}
        action={<Button onClick={() => window.location.reload()}>{t('action.reload')}</Button>}
      >
        {stale ? t('error.staleText') : error instanceof Error ? error.message : t('error.unknown')}
      </Empty>
    </Center>
  );
}
