import { useMemo, type MouseEvent } from 'react';
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
    () => render(text, new Set(key ? key.split(',').map(Number) : []), t('action.copy')),
    [text, key, t],
  );
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
  return <div className={css.markdown} onClick={onClick} dangerouslySetInnerHTML={{ __html: html }} />;
}
