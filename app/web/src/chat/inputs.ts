import type { InputField, InputForm, InputKind } from '@/api/types';

import type { FileRef } from './files';

export interface FormEntry {
  kind: string;
  field: InputField;
}

/** The fields of a form as pairs of kind and settings; entries without a name are left out. */
export function entries(form: InputForm | undefined): FormEntry[] {
  const list: FormEntry[] = [];
  for (const item of form ?? []) {
    const kind = Object.keys(item)[0];
    const field = kind ? item[kind] : undefined;
    if (kind && field?.variable) list.push({ kind, field });
  }
  return list;
}

export const INPUT_KINDS: InputKind[] = ['text-input', 'paragraph', 'select', 'number', 'checkbox'];

/** The value of a field whose files are still on their way to the box. */
export const UPLOADING = Symbol('uploading');

export type InputValue = typeof UPLOADING | string | number | boolean | FileRef | FileRef[] | undefined;
export type Inputs = Record<string, InputValue>;

/** The values a form starts with. */
export function defaults(form: FormEntry[]): Inputs {
  const values: Inputs = {};
  for (const { kind, field } of form) {
    const given = field.default;
    if (typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean') values[field.variable] = given;
    else if (kind === 'checkbox') values[field.variable] = false;
  }
  return values;
}

/** The first required field that is still empty. */
function missing(form: FormEntry[], values: Inputs): FormEntry | undefined {
  return form.find(({ kind, field }) => {
    const value = values[field.variable];
    return Boolean(field.required) && kind !== 'checkbox' && (value === undefined || value === '');
  });
}

/** Why the form cannot be sent yet, and the field it is about. */
export function obstacle(form: FormEntry[], values: Inputs): { why: 'uploading' | 'missing'; name: string } | undefined {
  const late = form.find(({ field }) => values[field.variable] === UPLOADING);
  const field = (late ?? missing(form, values))?.field;
  return field && { why: late ? 'uploading' : 'missing', name: field.label || field.variable };
}

/** Names written as {{name}} in a prompt, in order, each once. */
export function promptVariables(prompt: string): string[] {
  return [...new Set([...prompt.matchAll(/\{\{([A-Za-z_][A-Za-z0-9_]{0,29})\}\}/g)].map((m) => m[1] ?? ''))];
}
