import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';

import { NAV } from './places';

/** How long the second key of a pair may take, in ms. */
const PAIR = 1500;

/** Whether keys belong to what has the focus, or to a dialog that is open. */
function taken(target: EventTarget | null): boolean {
  const at = target instanceof HTMLElement ? target : null;
  return Boolean(at?.closest('input, textarea, select, [contenteditable=true], [role=menu], [role=listbox]') ?? document.querySelector('[aria-modal=true]'));
}

/** The console's keys: Ctrl+K opens the palette, ? the list of keys, / the page's search, G and a letter a page. */
export function useShortcuts({ onPalette, onHelp }: { onPalette: () => void; onHelp: () => void }) {
  const navigate = useNavigate();
  const latest = useRef({ onPalette, onHelp, navigate });
  useEffect(() => {
    latest.current = { onPalette, onHelp, navigate };
  });
  useEffect(() => {
    let going = 0;
    const onKey = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      if ((event.ctrlKey || event.metaKey) && !event.altKey && key === 'k') latest.current.onPalette();
      else if (modified || event.isComposing || taken(event.target)) return;
      else if (Date.now() - going < PAIR && NAV.some((place) => place.letter === key)) {
        going = 0;
        void latest.current.navigate(NAV.find((place) => place.letter === key)?.to ?? '/');
      } else if (key === 'g') {
        going = Date.now();
        return;
      } else if (key === '?') latest.current.onHelp();
      else if (key === '/') {
        const search = document.querySelector<HTMLInputElement>('main input[type=search]');
        if (!search) return;
        search.focus();
      } else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}
