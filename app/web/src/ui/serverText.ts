/**
 * What the server says, in the reader's language. The server speaks English, as its API's clients expect; a catalogue
 * gives each of its sentences in another language. `{}` stands for what is filled in, `{0}`, `{1}` for the same in the
 * translation. tests/unit/test_translated.py keeps the catalogue complete.
 */
interface Sentence {
  pattern: RegExp;
  text: string;
}

let sentences: Sentence[] = [];

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** Sets the catalogue of the language that is shown; none for English. */
export function setCatalogue(catalogue: Record<string, string> | null): void {
  sentences = Object.entries(catalogue ?? {})
    .map(([english, text]) => ({ length: english.length, text, pattern: new RegExp(`^${english.split('{}').map(escape).join('([\\s\\S]*?)')}$`) }))
    // What says more is closer: "{}: {}" fits almost anything and comes last.
    .sort((a, b) => b.length - a.length);
}

/** A message of the server in the reader's language; null when the catalogue lacks it. */
export function translated(message: string): string | null {
  const said = message.trim();
  for (const { pattern, text } of sentences) {
    const match = pattern.exec(said);
    if (!match) continue;
    // A sentence may carry another one.
    return text.replace(/\{(\d)\}/g, (_, hole: string) => {
      const inside = match[Number(hole) + 1] ?? '';
      return (inside !== said && translated(inside)) || inside;
    });
  }
  return null;
}

/** A message of the server in the reader's language, as it stands where there is no translation. */
export function serverText(message: string): string {
  return translated(message) ?? message;
}
