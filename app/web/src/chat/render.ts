import DOMPurify from 'dompurify';
import { marked } from 'marked';

import { placePictures, type PictureLabel } from './pictures';

marked.use({ gfm: true, breaks: true });

const purifier = DOMPurify();
purifier.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
});

/** Puts a button in place of each [n] that names a citation; code stays as it is. */
function linkCitations(root: DocumentFragment, positions: ReadonlySet<number>): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found: Text[] = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!(node.parentElement?.closest('pre, code, a')) && /\[\d{1,2}\]/.test(node.textContent ?? '')) found.push(node as Text);
  }
  for (const node of found) {
    const parts = node.textContent.split(/(\[\d{1,2}\])/);
    node.replaceWith(
      ...parts.map((part) => {
        const position = Number(/^\[(\d{1,2})\]$/.exec(part)?.[1] ?? Number.NaN);
        if (!positions.has(position)) return part;
        const button = document.createElement('button');
        button.type = 'button';
        button.dataset.cite = String(position);
        button.textContent = String(position);
        return button;
      }),
    );
  }
}

export interface Labels {
  copy: string;
  picture: PictureLabel;
}

/** Markdown to harmless HTML. */
export function render(markdown: string, positions: ReadonlySet<number>, labels: Labels): string {
  const html = marked.parse(markdown, { async: false });
  const fragment = purifier.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    FORBID_TAGS: ['style', 'form', 'input', 'button', 'textarea', 'select', 'iframe', 'video', 'audio', 'svg', 'math'],
    FORBID_ATTR: ['style', 'id', 'class', 'name'],
  });
  placePictures(fragment, labels.picture);
  linkCitations(fragment, positions);
  // Lists and tables run as a whole as their first words do, for their marks and columns stand aside; the style has
  // each paragraph run as its own.
  for (const part of fragment.children) part.setAttribute('dir', part.tagName === 'PRE' ? 'ltr' : 'auto');
  for (const table of fragment.querySelectorAll('table')) {
    const scroller = document.createElement('div');
    scroller.dataset.table = '';
    table.replaceWith(scroller);
    scroller.append(table);
  }
  for (const pre of fragment.querySelectorAll('pre')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.copy = '';
    button.textContent = labels.copy;
    pre.append(button);
  }
  const holder = document.createElement('div');
  holder.append(fragment);
  return holder.innerHTML;
}
