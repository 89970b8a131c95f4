import { useEffect, useMemo, useRef, type MouseEvent } from 'react';
import { useTranslation } from '@/i18n';

import css from './Markdown.module.css';
import { render } from './render';

/** An answer, laid out. */
export default function Markdown({
  text,
  positions,
  onCite,
}: {
  text: string;
  positions?: number[];
  onCite?: (position: number) => void;
}) {
  const { t } = useTranslation();
  const key = positions?.join(',') ?? '';
  const html = useMemo(
    () => render(text, new Set(key ? key.split(',').map(Number) : []), { copy: t('action.copy'), picture: (name, host) => t('chat:pictureAway', { name, host }) }),
    [text, key, t],
  );
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // What cannot be shown as a picture stays a link to it.
    const plain = (event: Event) => {
      const image = event.target as HTMLElement;
      const whole = image.closest<HTMLAnchorElement>('a[data-picture]');
      if (image.tagName !== 'IMG' || !whole) return;
      delete whole.dataset.picture;
      whole.removeAttribute('aria-label');
      whole.textContent = image.getAttribute('alt') ?? '';
      whole.textContent ||= whole.href;
    };
    const found = holder.current;
    found?.addEventListener('error', plain, true);
    return () => found?.removeEventListener('error', plain, true);
  }, []);
  const onClick = (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    if (target.dataset.cite) onCite?.(Number(target.dataset.cite));
    if (target.dataset.copy !== undefined) {
      const code = target.parentElement?.querySelector('code')?.textContent ?? '';
      void navigator.clipboard.writeText(code).then(() => {
        target.textContent = t('state.copied');
        setTimeout(() => (target.textContent = t('action.copy')), 1600);
      });
    }
  };
  // Its buttons are real buttons: the keyboard reaches them, this only listens.
  return <div ref={holder} className={css.markdown} onClick={onClick} dangerouslySetInnerHTML={{ __html: html }} />;
}
