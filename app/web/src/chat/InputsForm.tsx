import { Checkbox, NumberInput, Select, Stack, Textarea, TextInput } from '@mantine/core';

import type { FormEntry, Inputs } from './inputs';

/** The controls of an app's input form. */
export function InputsForm({
  form,
  values,
  onChange,
  disabled,
}: {
  form: FormEntry[];
  values: Inputs;
  onChange: (values: Inputs) => void;
  disabled?: boolean;
}) {
  return (
    <Stack gap="sm">
      {form.map(({ kind, field }) => {
        const value = values[field.variable];
        const set = (next: string | number | boolean) => onChange({ ...values, [field.variable]: next });
        const common = { label: field.label || field.variable, required: field.required, disabled };
        switch (kind) {
          case 'paragraph':
            return (
              <Textarea key={field.variable} {...common} autosize minRows={3} maxRows={10} maxLength={field.max_length} value={String(value ?? '')} onChange={(event) => set(event.currentTarget.value)} />
            );
          case 'select':
            return (
              <Select key={field.variable} {...common} data={field.options ?? []} value={value === undefined ? null : String(value)} onChange={(next) => set(next ?? '')} />
            );
          case 'number':
            return (
              <NumberInput key={field.variable} {...common} value={value === undefined ? '' : Number(value)} onChange={(next) => set(next)} />
            );
          case 'checkbox':
            return (
              <Checkbox key={field.variable} label={common.label} disabled={disabled} checked={Boolean(value)} onChange={(event) => set(event.currentTarget.checked)} />
            );
          default:
            return (
              <TextInput key={field.variable} {...common} maxLength={field.max_length} value={String(value ?? '')} onChange={(event) => set(event.currentTarget.value)} />
            );
        }
      })}
    </Stack>
  );
}
