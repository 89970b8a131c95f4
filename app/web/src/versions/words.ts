import { useCallback } from 'react';

import { useTranslation } from '@/i18n';
import en from '@/locales/en/versions.json';

import { isFields, isNothing, SILENT } from './changes';

/** Says fields and values of a node or a configuration in the reader's words; `titles` are those of nodes and knowledge bases by id. */
export function useWords(titles: Record<string, string>) {
  const { t } = useTranslation();
  const label = useCallback(
    (name: string): string => {
      if (Object.hasOwn(en.field, name)) return t(`versions:field.${name as keyof typeof en.field}`);
      // The names of code are words too; what people named themselves stays.
      const plain = /^[a-z][a-z0-9]*(_[a-z0-9]+)+$/.test(name) ? name.replaceAll('_', ' ') : name;
      return titles[plain] || plain.charAt(0).toUpperCase() + plain.slice(1);
    },
    [t, titles],
  );
  const named = useCallback((text: string) => text.replace(/\{\{#([\w-]+)\.([^#{}]+)#\}\}/g, (whole, id: string, rest: string) => (titles[id] ? `{{${titles[id]} › ${rest}}}` : whole)), [titles]);
  const value = useCallback(
    (found: unknown, depth = 0): string => {
      if (isNothing(found)) return t('versions:nothing');
      if (typeof found === 'boolean') return t(found ? 'versions:on' : 'versions:off');
      if (typeof found === 'string') return titles[found] || named(found);
      if (Array.isArray(found)) {
        const [first] = found as unknown[];
        // A variable of a node: its id, then the name.
        if (typeof first === 'string' && titles[first] && found.every((part) => typeof part === 'string')) return [titles[first], ...found.slice(1)].join(' › ');
        if (!found.some((item) => isFields(item) || Array.isArray(item))) return found.map((item) => value(item)).join(', ');
        return found.map((item) => `– ${value(item, depth + 1).trimStart()}`).join('\n');
      }
      if (isFields(found)) {
        const pad = '  '.repeat(depth);
        return Object.entries(found)
          .filter(([name, inner]) => !SILENT.has(name) && !isNothing(inner))
          .map(([name, inner]) => {
            const text = value(inner, depth + 1);
            return `${pad}${label(name)}: ${text.includes('\n') ? `\n${text.replace(/^(?!\s)/gm, '  '.repeat(depth + 1))}` : text}`;
          })
          .join('\n');
      }
      return String(found);
    },
    [t, titles, label, named],
  );
  return { label, value };
}
