import { useLayoutEffect, useRef } from 'react';

import { keywords } from '@/chat/highlight';

/** Marks the words of `query` inside an element, however it is laid out; the element gets the ref that is returned. */
export function useMarks(query: string) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const [element, words] = [box.current, keywords(query)];
    if (!element || words.length === 0 || element.dataset.marked) return;
    element.dataset.marked = '1';
    const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(escaped.map((word) => (/\p{Script=Han}/u.test(word) ? word : `(?<![\\p{L}\\d])${word}`)).join('|'), 'giu');
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) texts.push(node as Text);
    for (const node of texts) {
      const parts: (string | Node)[] = [];
      let at = 0;
      for (const match of node.data.matchAll(pattern)) {
        parts.push(node.data.slice(at, match.index));
        const mark = document.createElement('mark');
        mark.textContent = match[0];
        parts.push(mark);
        at = match.index + match[0].length;
      }
      if (at) node.replaceWith(...parts, node.data.slice(at));
    }
  });
  return box;
}
