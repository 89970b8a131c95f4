import { Button } from '@mantine/core';
import { useTranslation } from '@/i18n';
import { Link } from 'react-router';

import { usePageTitle } from './Page';
import { Empty } from './states';

export default function NotFound() {
  const { t } = useTranslation();
  usePageTitle(t('error.noPage'));
  return (
    <Empty title={t('error.noPage')} action={<Button component={Link} to="/apps">{t('nav.studio')}</Button>}>
      {t('error.noPageText')}
    </Empty>
  );
}
