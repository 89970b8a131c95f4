import { ActionIcon, Autocomplete, Button, Group, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useTranslation } from '@/i18n';

import type { Conditions, Dataset } from '@/api/types';

type Kind = 'string' | 'number' | 'time';

export const BUILT_IN: Record<string, Kind> = { document_name: 'string', uploader: 'string', upload_date: 'time', last_update_date: 'time', source: 'string' };

const OPERATORS = {
  string: ['is', 'is not', 'contains', 'not contains', 'start with', 'end with', 'in', 'not in', 'empty', 'not empty'],
  number: ['=', '≠', '>', '<', '≥', '≤', 'empty', 'not empty'],
  time: ['before', 'after', 'empty', 'not empty'],
} as const;

type Operator = (typeof OPERATORS)[Kind][number];

const WORDS = {
  is: 'is', 'is not': 'isNot', contains: 'contains', 'not contains': 'notContains', 'start with': 'startsWith', 'end with': 'endsWith',
  in: 'in', 'not in': 'notIn', empty: 'empty', 'not empty': 'notEmpty', before: 'before', after: 'after',
} as const;

/** Unix seconds to the value of a date field, in the reader's own time. */
export function toDate(seconds: unknown): string {
  const value = typeof seconds === 'number' ? seconds : Number(seconds);
  if (!seconds || !Number.isFinite(value)) return '';
  const date = new Date(value * 1000);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function fromDate(text: string): number | null {
  const value = new Date(text).getTime();
  return Number.isFinite(value) ? Math.round(value / 1000) : null;
}

/** The metadata fields of some bases by name: their own and the built-in ones. */
export function fieldsOf(bases: Dataset[]): Record<string, Kind> {
  const found: Record<string, Kind> = { ...BUILT_IN };
  for (const base of bases) for (const field of base.doc_metadata) found[String(field.name)] = field.type as Kind;
  return found;
}

/** Conditions on documents' metadata: only documents that fulfil them are searched. */
export function Filter({ fields, value, onChange }: { fields: Record<string, Kind>; value: Conditions | null; onChange: (next: Conditions | null) => void }) {
  const { t } = useTranslation();
  const rows = value?.conditions ?? [];
  const set = (conditions: Conditions['conditions'], logical = value?.logical_operator ?? 'and') =>
    onChange(conditions.length ? { logical_operator: logical, conditions } : null);
  const patch = (index: number, change: Partial<Conditions['conditions'][number]>) => set(rows.map((row, i) => (i === index ? { ...row, ...change } : row)));
  const names = Object.keys(fields);
  const fieldLabel = (name: string) => (name in BUILT_IN ? t(`knowledge:metadata.builtIn.${name as 'source'}`) : name);
  const operatorLabel = (operator: Operator) => (operator in WORDS ? t(`knowledge:filter.${WORDS[operator as keyof typeof WORDS]}`) : operator);
  return (
    <Stack gap="xs">
      {rows.length > 1 ? (
        <SegmentedControl
          w="fit-content"
          size="xs"
          aria-label={t('knowledge:filter.join')}
          value={value?.logical_operator ?? 'and'}
          onChange={(joined) => set(rows, joined === 'or' ? 'or' : 'and')}
          data={[{ value: 'and', label: t('knowledge:filter.and') }, { value: 'or', label: t('knowledge:filter.or') }]}
        />
      ) : null}
      {rows.map((row, i) => {
        const kind = fields[row.name] ?? 'string';
        const open = row.comparison_operator === 'empty' || row.comparison_operator === 'not empty';
        return (
          <Group key={i} gap={6} wrap="wrap">
            <Select
              aria-label={t('knowledge:filter.field')} flex="1 1 130px" miw={0} allowDeselect={false} value={row.name}
              data={[...new Set([...names, row.name])].map((name) => ({ value: name, label: fieldLabel(name) }))}
              onChange={(name) => (name ? patch(i, { name, comparison_operator: OPERATORS[fields[name] ?? 'string'][0], value: '' }) : undefined)}
            />
            <Select
              aria-label={t('knowledge:filter.operator')} flex="1 1 110px" miw={0} allowDeselect={false} value={row.comparison_operator}
              data={[...new Set<string>([...OPERATORS[kind], row.comparison_operator])].map((operator) => ({ value: operator, label: operatorLabel(operator as Operator) }))}
              onChange={(operator) => (operator ? patch(i, { comparison_operator: operator }) : undefined)}
            />
            {open ? null : kind === 'time' ? (
              <TextInput aria-label={t('knowledge:filter.value')} flex="2 1 180px" miw={0} type="datetime-local" value={toDate(row.value)} onChange={(event) => patch(i, { value: fromDate(event.currentTarget.value) ?? '' })} />
            ) : (
              <Autocomplete
                aria-label={t('knowledge:filter.value')} flex="2 1 160px" miw={0} inputMode={kind === 'number' ? 'decimal' : undefined}
                value={Array.isArray(row.value) ? row.value.join(', ') : String(row.value ?? '')}
                data={row.name === 'source' ? ['upload_file', 'website_crawl', 'local_file'] : []}
                onChange={(text) => patch(i, { value: kind === 'number' && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text })}
              />
            )}
            <ActionIcon aria-label={t('knowledge:filter.remove')} onClick={() => set(rows.filter((_, other) => other !== i))}><IconX size={16} /></ActionIcon>
          </Group>
        );
      })}
      <Button
        w="fit-content" size="compact-sm" variant="subtle" leftSection={<IconPlus size={14} />}
        onClick={() => {
          const name = names.find((one) => !(one in BUILT_IN)) ?? 'document_name';
          set([...rows, { name, comparison_operator: OPERATORS[fields[name] ?? 'string'][0], value: '' }]);
        }}
      >
        {t('knowledge:filter.add')}
      </Button>
    </Stack>
  );
}
