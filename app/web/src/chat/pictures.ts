/** What a picture from elsewhere is called: its text and its host. */
export type PictureLabel = (name: string, host: string) => string;

/** Where this box keeps files; the address may name the box as another client knows it. */
const OWN = /^\/(v1\/)?files\/[\w-]+\/(file|image)-preview$/;
const PICTURE = /\.(png|jpe?g|gif|webp|avif|svg)$/i;

/** Where the browser gets a file of this box; null for an address elsewhere. */
export function ownFile(source: string, page: string): string | null {
  if (!URL.canParse(source, page)) return null;
  const address = new URL(source, page);
  if (OWN.test(address.pathname)) return address.pathname + address.search;
  return address.origin === new URL(page).origin ? address.href : null;
}

function link(href: string, text: string): HTMLAnchorElement {
  const made = document.createElement('a');
  made.href = href;
  made.target = '_blank';
  made.rel = 'noopener noreferrer';
  made.textContent = text;
  return made;
}

function picture(src: string, alt: string): HTMLAnchorElement {
  const image = document.createElement('img');
  image.loading = 'lazy';
  image.alt = alt;
  image.src = src;
  const whole = link(src, '');
  whole.dataset.picture = 'shown';
  whole.setAttribute('aria-label', alt || src);
  whole.append(image);
  return whole;
}

/** Shows the box's own pictures. One from elsewhere would tell that place what was asked: it opens on a click. */
export function placePictures(root: DocumentFragment, label: PictureLabel): void {
  const page = window.location.href;
  for (const image of root.querySelectorAll('img')) {
    const [source, alt] = [image.getAttribute('src') ?? '', image.getAttribute('alt') ?? ''];
    const within = image.closest('a');
    const own = source.startsWith('data:') ? source : ownFile(source, page);
    if (own) {
      if (within) image.src = own;
      else if (source.startsWith('data:')) image.loading = 'lazy';
      else image.replaceWith(picture(own, alt));
      continue;
    }
    const host = URL.canParse(source, page) ? new URL(source, page).host : source;
    const text = label(alt || host, host);
    if (within) image.replaceWith(text);
    else {
      const away = link(source, text);
      away.dataset.picture = 'away';
      image.replaceWith(away);
    }
  }
  // A bare address of an own file may be a picture's; Markdown.tsx makes it a link again when it is none.
  for (const anchor of root.querySelectorAll('a')) {
    const href = anchor.getAttribute('href') ?? '';
    if (anchor.childElementCount > 0 || anchor.textContent !== href) continue;
    const own = ownFile(href, page);
    if (own && (OWN.test(own.split('?')[0] ?? '') || PICTURE.test(new URL(own, page).pathname))) anchor.replaceWith(picture(own, ''));
  }
}
