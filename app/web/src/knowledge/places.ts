import { useTranslation } from '@/i18n';

const KINDS = ['page', 'slide', 'sheet', 'line', 'time', 'chapter'] as const;

/** Says where in its document a passage stands, as its kind of document counts; null where it does not count. */
export function usePlaceText(): (kind: string | null | undefined, place: string | null | undefined) => string | null {
  const { t } = useTranslation();
  return (kind, place) => {
    const known = KINDS.find((entry) => entry === kind);
    if (!known || !place) return null;
    const row = known === 'sheet' ? /^(.+)!(\d+)$/.exec(place) : null;
    return row ? t('knowledge:place.row', { sheet: row[1] ?? '', row: row[2] ?? '' }) : t(`knowledge:place.${known}`, { place });
  };
}
