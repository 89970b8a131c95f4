import { useTranslation } from '@/i18n';
import en from '@/locales/en/flow.json';

/** What a type of node is called. */
export function useKindName(): (kind: string) => string {
  const { t } = useTranslation();
  return (kind) => (Object.hasOwn(en.kind, kind) ? t(`flow:kind.${kind as keyof typeof en.kind}`) : kind);
}
