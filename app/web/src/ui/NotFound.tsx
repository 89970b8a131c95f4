import { Button } from '@mantine/core';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { usePageTitle } from './Page';
import { Empty } from './states';

/** There is nothing at this address; `back` is where what it may have shown is listed. */
export default function NotFound({ back }: { back?: { to: string; label: string } }) {
  const { t } = useTranslation();
  usePageTitle(t('error.noPage'));
  return (
    <Empty title={t('error.noPage')} action={<Button component={Link} to={back?.to ?? '/apps'}>{back?.label ?? t('nav.studio')}</Button>}>
      {t('error.noPageText')}
    </Empty>
  );
}
