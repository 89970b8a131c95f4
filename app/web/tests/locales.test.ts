import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

type Tree = { [key: string]: string | Tree };
const root = new URL('../src/', import.meta.url).pathname;

function flat(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[`${path}${key}`, value] as [string, string]] : flat(value, `${path}${key}.`)));
}

function load(language: string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const file of readdirSync(join(root, 'locales', language)).filter((f) => f.endsWith('.json'))) {
    const tree = JSON.parse(readFileSync(join(root, 'locales', language, file), 'utf8')) as Tree;
    for (const [key, text] of flat(tree)) texts.set(`${file.slice(0, -5)}:${key}`, text);
  }
  return texts;
}

/** Plural forms count as one key: Chinese has one form, English two. */
const plain = (key: string) => key.replace(/_(one|other)$/, '');
const keys = (texts: Map<string, string>) => new Set([...texts.keys()].map(plain));
const holes = (text: string) => [...new Set([...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]))].sort();

const en = load('en');
const zh = load('zh');
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((f) => /\.tsx?$/.test(f))
  .map((f) => readFileSync(join(root, f), 'utf8'))
  .join('\n');

describe('texts', () => {
  it('exist in both languages', () => {
    expect([...keys(zh)].sort()).toEqual([...keys(en)].sort());
  });
  it('have the same holes in both languages', () => {
    for (const [key, text] of zh) expect([key, holes(text)]).toEqual([key, holes(en.get(key) ?? '')]);
  });
  it('are all used, and none is missing', () => {
    const literals = new Set([...sources.matchAll(/'([a-z]+:)?([A-Za-z0-9]+(?:[.-][A-Za-z0-9_-]+)*)'/g)].map((m) => `${m[1] ?? 'common:'}${m[2] ?? ''}`));
    const prefixes = [...sources.matchAll(/t\(`(?:([a-z]+):)?([A-Za-z.0-9]*)\$\{/g)].map((m) => `${m[1] ?? 'common'}:${m[2] ?? ''}`);
    const unused = [...keys(en)].filter((key) => !literals.has(key) && !prefixes.some((p) => key.startsWith(p)));
    expect(unused).toEqual([]);
    const wanted = [...sources.matchAll(/\bt\('(?:([a-z]+):)?([A-Za-z0-9._-]+)'/g)].map((m) => `${m[1] ?? 'common'}:${m[2] ?? ''}`);
    expect(wanted.filter((key) => !keys(en).has(key))).toEqual([]);
  });
});
