export const MIN_LENGTH = 8;

const COMMON = /^(password|passw0rd|qwerty|letmein|welcome|admin|sparrow|iloveyou|abc123|111111|123123|woaini)/i;

function isRun(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1;
}

/**
 * Judges a password: 0 refused (too short, or not both letters and digits), 1 weak, 2 fair, 3 good, 4 strong. Counts what is hard to guess:
 * length and variety, without runs ("1234", "aaaa") and well-known beginnings.
 */
export function strength(password: string): 0 | 1 | 2 | 3 | 4 {
  const letters = [...password];
  if (letters.length < MIN_LENGTH || !/\p{L}/u.test(password) || !/\d/.test(password)) return 0;
  let useful = 1;
  for (let i = 1; i < letters.length; i += 1) {
    const now = letters[i]?.codePointAt(0) ?? 0;
    const before = letters[i - 1]?.codePointAt(0) ?? 0;
    useful += isRun(now, before) ? 0.25 : 1;
  }
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(password)).length;
  let bits = useful * (2.2 + kinds * 0.9);
  if (COMMON.test(password)) bits -= 26;
  if (bits < 28) return 1;
  if (bits < 40) return 2;
  if (bits < 54) return 3;
  return 4;
}
