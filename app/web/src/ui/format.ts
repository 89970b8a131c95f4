import { currentLanguage } from '@/i18n';

function locale(): string {
  return currentLanguage() === 'zh' ? 'zh-CN' : 'en';
}

/** 1536 → "1.5 KB". */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let index = 0;
  let rest = value;
  while (rest >= 1024 && index < units.length - 1) {
    rest /= 1024;
    index += 1;
  }
  const digits = index === 0 || rest >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)} ${units[index] ?? ''}`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : new Intl.NumberFormat(locale()).format(value);
}

/** Time and date in the reader's language; input in Unix seconds. */
export function dateTime(seconds: number | null | undefined): string {
  if (!seconds) return '–';
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(seconds * 1000);
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
];

/** "3 minutes ago"; input in Unix seconds. */
export function ago(seconds: number | null | undefined, now = Date.now() / 1000): string {
  if (!seconds) return '–';
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  let rest = Math.min(0, seconds - now);
  for (const [unit, size] of STEPS) {
    if (Math.abs(rest) < size) return format.format(Math.round(rest), unit);
    rest /= size;
  }
  return format.format(Math.round(rest), 'year');
}

/** 95 → "1:35". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
