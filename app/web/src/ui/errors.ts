import { useTranslation } from '@/i18n';

import { ApiError } from '@/api/http';
import en from '@/locales/en/errors.json';

import { serverText, translated } from './serverText';

type Code = keyof typeof en;

/** The reader's words for an error code; empty for codes that have none. */
export function useCodeText(): (code: string) => string {
  const { t } = useTranslation();
  return (code) => (Object.hasOwn(en, code) ? t(`errors:${code as Code}`) : '');
}

/** Whether what was asked for does not exist, or not any more: to try again is no use. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Says in plain words what went wrong and what to do about it. */
export function useErrorText(): (error: unknown) => string {
  const { t, i18n } = useTranslation();
  const byCode = useCodeText();
  return (error) => {
    if (!(error instanceof ApiError)) return error instanceof Error ? error.message : t('error.unknown');
    if (error.status === 0) return t('error.network');
    if (error.status === 413) return t('error.tooLarge');
    if (error.status === 429) return t('error.tooMany', { seconds: error.retryAfter ?? 10 });
    // The server's sentence says most; where it has no translation, its code may have one.
    const own = byCode(error.code);
    if (own && (!error.message || (i18n.language !== 'en' && !translated(error.message)))) return own;
    if (error.message) return serverText(error.message);
    if (error.status >= 502 && error.status <= 504) return t('error.starting');
    if (error.status === 404) return t('error.notFound');
    if (error.status >= 500) return t('error.server');
    return t('error.unknown');
  };
}
