/** A piece of text; `hit` when the question or the answer speaks of it. */
export interface Piece {
  text: string;
  hit: boolean;
}

const STOP = new Set(
  ('the a an and or of to in on at for is are was were be it its this that with from by as how what when where which who ' +
    'why do does can must should not no yes you your i my we our they their there here has have had will would').split(' '),
);

/** The words worth marking: Chinese in pairs of characters, numbers and words of other scripts from two letters up. */
export function keywords(query: string): string[] {
  const found = new Set<string>();
  for (const [word] of query.toLowerCase().matchAll(/(?!\p{Script=Han})[\p{L}\d](?:(?!\p{Script=Han})[\p{L}\p{M}\d_./-])*/gu)) {
    const plain = word.replace(/[./-]+$/, '');
    if (plain.length >= 2 && !STOP.has(plain)) found.add(plain);
  }
  for (const [run] of query.matchAll(/\p{Script=Han}+/gu)) {
    const letters = [...run];
    for (let i = 0; i + 1 < letters.length; i += 1) {
      const pair = `${letters[i] ?? ''}${letters[i + 1] ?? ''}`;
      if (!/[的了是吗呢么怎什哪多少和与或在有要如何请为应该]/.test(pair)) found.add(pair);
    }
  }
  return [...found].sort((a, b) => b.length - a.length);
}

/** Splits a passage where the words of the question occur. */
export function highlight(passage: string, query: string): Piece[] {
  const words = keywords(query);
  if (words.length === 0) return [{ text: passage, hit: false }];
  const escaped = words.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  // Neighbouring hits grow together: 更换 and 换周 mark 更换周 in one piece.
  const marked = new Array<boolean>(passage.length).fill(false);
  for (const pattern of escaped) {
    const expression = new RegExp(/\p{Script=Han}/u.test(pattern) ? pattern : `(?<![\\p{L}\\d])${pattern}`, 'giu');
    for (const match of passage.matchAll(expression)) marked.fill(true, match.index, match.index + match[0].length);
  }
  const pieces: Piece[] = [];
  let start = 0;
  for (let i = 1; i <= passage.length; i += 1) {
    if (i === passage.length || marked[i] !== marked[start]) {
      pieces.push({ text: passage.slice(start, i), hit: marked[start] ?? false });
      start = i;
    }
  }
  return pieces;
}
