import { useTranslation } from '@/i18n';

import { useCodeText } from '@/ui/errors';

/** Why a run failed, in plain words, with what to do. */
export function useRunErrorText(): (error: { code: string; message: string } | undefined) => string {
  const { t } = useTranslation();
  const byCode = useCodeText();
  return (error) => {
    if (!error) return t('error.unknown');
    const own = byCode(error.code);
    // The provider's own words follow: they name the key, the model or the limit.
    if (own && error.message) return `${own} (${error.message})`;
    return own || error.message || t('error.unknown');
  };
}
