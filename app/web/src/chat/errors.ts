import { useTranslation } from '@/i18n';

import { useCodeText } from '@/ui/errors';
import { serverText } from '@/ui/serverText';

/** The code of what a provider refused, by the status its message names: each has its own remedy. */
export function cause(message: string): string {
  if (/\bHTTP 429\b|rate limit/i.test(message)) return 'provider_rate_limit';
  if (/\bHTTP 40[13]\b/.test(message)) return 'provider_key_refused';
  if (/timed? ?out/i.test(message)) return 'provider_timeout';
  return '';
}

/** Why a run failed, in plain words, with what to do. */
export function useRunErrorText(): (error: { code: string; message: string } | undefined) => string {
  const { t } = useTranslation();
  const byCode = useCodeText();
  return (error) => {
    if (!error) return t('error.unknown');
    const own = byCode(cause(error.message)) || byCode(error.code);
    // The provider's own words follow: they name the key, the model or the limit.
    if (own && error.message) return `${own} (${serverText(error.message)})`;
    return own || serverText(error.message) || t('error.unknown');
  };
}
