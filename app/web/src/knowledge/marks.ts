import { useLayoutEffect, useRef } from 'react';

import { highlight, keywords } from '@/chat/highlight';

/** Marks the words of `query` inside an element, however it is laid out; the element gets the ref that is returned. */
export function useMarks(query: string) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || keywords(query).length === 0 || element.dataset.marked) return;
    element.dataset.marked = '1';
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) texts.push(node as Text);
    for (const node of texts) {
      const pieces = highlight(node.data, query);
      if (!pieces.some((piece) => piece.hit)) continue;
      node.replaceWith(...pieces.map((piece) => {
        if (!piece.hit) return piece.text;
        const mark = document.createElement('mark');
        mark.textContent = piece.text;
        return mark;
      }));
    }
  });
  return box;
}
