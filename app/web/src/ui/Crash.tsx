import { Button, Center } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from '@/i18n';
import { useRouteError } from 'react-router';

import { Empty } from './states';

/** The last net: a page that failed to load or to draw. */
export function Crash() {
  const { t } = useTranslation();
  const error = useRouteError();
  // After an update of the box the files of the old version are gone; a reload brings the new ones.
  const stale = error instanceof TypeError && /import|module|fetch/i.test(error.message);
  // They cannot be had either while the line is down.
  const answers = useQuery({ queryKey: ['answers'], queryFn: () => fetch('/health', { cache: 'no-store' }).then(() => true, () => false), enabled: stale, retry: false, staleTime: 0, networkMode: 'always' });
  const why = answers.data === false ? 'away' : 'stale';
  return (
    <Center mih="60dvh">
      <Empty
        title={t(stale ? `error.${why}` : 'error.crash')}
        action={<Button onClick={() => window.location.reload()}>{t('action.reload')}</Button>}
      >
        {stale ? t(why === 'away' ? 'error.network' : 'error.staleText') : error instanceof Error ? error.message : t('error.unknown')}
      </Empty>
    </Center>
  );
}
