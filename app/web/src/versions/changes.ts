/** What differs between two values of a field, in parts small enough to read. */

export interface Leaf {
  /** The field, and the way from it to what differs: names of fields, or what an item of a list is called. */
  path: string[];
  before: unknown;
  after: unknown;
}

export interface Line {
  kind: 'same' | 'out' | 'in' | 'gap';
  text: string;
}

type Fields = Record<string, unknown>;

/** What an item of a list is known by, so that it is compared with itself; the first that all items have. */
const IDENTITIES = ['id', 'case_id', 'variable', 'key', 'name', 'role', 'dataset_id', 'tool_name'];
/** How an item is called in front of people. */
const CALLED = ['label', 'name', 'variable', 'role', 'tool_label', 'key'];
/** Fields that only say how a node is drawn, or repeat another. */
export const SILENT = new Set(['selected', 'isInIteration', 'isInLoop', 'height', 'width', 'id', 'case_id', 'edition_type']);

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An entry of a form is wrapped in its kind: `{"paragraph": {…}}`. */
function unwrapped(item: Fields): Fields {
  const [only, ...others] = Object.values(item);
  return others.length === 0 && isFields(only) ? only : item;
}

function identity(items: Fields[]): string | null {
  return IDENTITIES.find((name) => items.every((item) => typeof item[name] === 'string' && item[name]) && new Set(items.map((item) => item[name])).size === items.length) ?? null;
}

function sameItems(before: unknown[], after: unknown[]): [string, Fields[], Fields[]] | null {
  const all = [...before, ...after];
  if (all.length === 0 || !all.every(isFields)) return null;
  const [old, now] = [before.filter(isFields).map(unwrapped), after.filter(isFields).map(unwrapped)];
  const by = IDENTITIES.find((name) => identity(old.length ? old : now) === name && identity(now.length ? now : old) === name);
  return by ? [by, old, now] : null;
}

function called(item: Fields, n: number): string {
  const name = CALLED.map((key) => item[key]).find((value) => typeof value === 'string' && value);
  if (typeof name === 'string') return name;
  return typeof item.id === 'string' ? item.id : `#${n}`;
}

function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isFields(a) || !isFields(b)) return false;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => equal(a[key], b[key]));
}

/** Nothing, as people see it: absent, null and empty are one. */
export function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0) || (isFields(value) && Object.keys(value).length === 0);
}

/** What is off is as good as absent. */
function isOff(value: unknown): boolean {
  return value === false || isNothing(value);
}

/** The smallest parts of a field that differ. */
export function leaves(name: string, before: unknown, after: unknown, path: string[] = []): Leaf[] {
  if (equal(before, after) || (isOff(before) && isOff(after)) || SILENT.has(name)) return [];
  const here = [...path, name];
  if (isFields(before) && isFields(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => leaves(key, before[key], after[key], here));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const found = sameItems(before, after);
    if (found) {
      const [by, old, now] = found;
      const was = new Map(old.map((item) => [item[by], item]));
      const is = new Map(now.map((item) => [item[by], item]));
      return [...new Set([...was.keys(), ...is.keys()])].flatMap((key, i) => {
        const [a, b] = [was.get(key), is.get(key)];
        return leaves(called(b ?? a ?? {}, i + 1), a, b, here);
      });
    }
  }
  return [{ path: here, before, after }];
}

/** How many lines around a change are shown. */
const CONTEXT = 1;
const MAX_CELLS = 4_000_000;

/** Compares two texts by lines; what stays the same far from a change is one gap. */
export function compareLines(before: string, after: string): Line[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  if (a.length * b.length > MAX_CELLS) return [...a.map<Line>((text) => ({ kind: 'out', text })), ...b.map<Line>((text) => ({ kind: 'in', text }))];
  const width = b.length + 1;
  // common[i][j]: how many lines a from i and b from j have in common.
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [down, right, both] = [common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0, common[(i + 1) * width + j + 1] ?? 0];
      common[i * width + j] = a[i] === b[j] ? both + 1 : Math.max(down, right);
    }
  }
  const all: Line[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const [old, now] = [a[i], b[j]];
    if (old !== undefined && old === now) {
      all.push({ kind: 'same', text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (now === undefined || (common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0))) {
      all.push({ kind: 'out', text: old });
      i += 1;
    } else {
      all.push({ kind: 'in', text: now ?? '' });
      j += 1;
    }
  }
  const near = (n: number) => all.slice(Math.max(0, n - CONTEXT), n + CONTEXT + 1).some((line) => line.kind !== 'same');
  return all.flatMap<Line>((line, n) => (near(n) ? [line] : n === 0 || near(n - 1) ? [{ kind: 'gap', text: '⋯' }] : []));
}
