import { Checkbox, NumberInput, Select, Stack, Textarea, TextInput } from '@mantine/core';

import { FileInput } from './FileInput';
import type { FormEntry, Inputs, InputValue } from './inputs';
import type { Uploader } from './useFiles';

/** The controls of an app's input form. */
export function InputsForm({
  form,
  values,
  onChange,
  disabled,
  upload,
}: {
  form: FormEntry[];
  values: Inputs;
  onChange: (change: (values: Inputs) => Inputs) => void;
  disabled?: boolean;
  upload?: Uploader;
}) {
  return (
    <Stack gap="sm">
      {form.map((entry) => {
        const { kind, field } = entry;
        const value = values[field.variable];
        const set = (next: InputValue) => onChange((now) => ({ ...now, [field.variable]: next }));
        const common = { label: field.label || field.variable, required: field.required, disabled };
        switch (kind) {
          case 'paragraph':
            return (
              <Textarea key={field.variable} {...common} autosize minRows={3} maxRows={10} maxLength={field.max_length} value={plain(value)} onChange={(event) => set(event.currentTarget.value)} />
            );
          case 'select':
            return (
              <Select key={field.variable} {...common} data={field.options ?? []} value={plain(value) || null} onChange={(next) => set(next ?? '')} />
            );
          case 'number':
            return (
              <NumberInput key={field.variable} {...common} value={value === undefined || value === '' ? '' : Number(value)} onChange={(next) => set(next)} />
            );
          case 'checkbox':
            return (
              <Checkbox key={field.variable} label={common.label} disabled={disabled} checked={Boolean(value)} onChange={(event) => set(event.currentTarget.checked)} />
            );
          case 'file':
          case 'file-list':
            return <FileInput key={field.variable} entry={entry} upload={upload} disabled={disabled} onChange={set} />;
          default:
            return (
              <TextInput key={field.variable} {...common} maxLength={field.max_length} value={plain(value)} onChange={(event) => set(event.currentTarget.value)} />
            );
        }
      })}
    </Stack>
  );
}

function plain(value: InputValue): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
