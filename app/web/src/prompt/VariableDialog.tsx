import { Button, Checkbox, Group, Modal, NumberInput, Select, Stack, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from '@/i18n';

import type { InputKind } from '@/api/types';
import { INPUT_KINDS, type FormEntry } from '@/chat/inputs';

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,29}$/;

/** One variable that users fill in before they start. */
export function VariableDialog({
  entry,
  taken,
  onSave,
  onClose,
}: {
  entry: FormEntry;
  taken: string[];
  onSave: (entry: FormEntry) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [kind, setKind] = useState(entry.kind);
  const [field, setField] = useState(entry.field);
  const problem = taken.includes(field.variable)
    ? t('prompt:variables.taken')
    : field.variable && !NAME.test(field.variable)
      ? t('prompt:variables.badName')
      : undefined;
  return (
    <Modal opened onClose={onClose} title={t('prompt:variables.dialog')} closeButtonProps={{ 'aria-label': t('action.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!field.variable || problem) return;
          onSave({ kind, field: { ...field, label: field.label || field.variable } });
        }}
      >
        <Stack>
          <Select
            label={t('prompt:variables.kind')}
            allowDeselect={false}
            value={kind}
            onChange={(value) => setKind(value ?? kind)}
            data={[
              ...INPUT_KINDS.map((value: InputKind) => ({ value: value, label: t(`prompt:kind.${value}`) })),
              // A kind that only the file knows (files, external data) is kept.
              ...((INPUT_KINDS as string[]).includes(entry.kind) ? [] : [{ value: entry.kind, label: entry.kind }]),
            ]}
          />
          <TextInput
            label={t('prompt:variables.name')}
            description={t('prompt:variables.nameText', { name: '{{name}}' })}
            data-autofocus
            required
            withAsterisk={false}
            value={field.variable}
            error={problem}
            onChange={(event) => setField({ ...field, variable: event.currentTarget.value })}
          />
          <TextInput
            label={t('prompt:variables.label')}
            description={t('prompt:variables.labelText')}
            value={field.label}
            onChange={(event) => setField({ ...field, label: event.currentTarget.value })}
          />
          {kind === 'select' ? (
            <TagsInput label={t('prompt:variables.options')} description={t('prompt:variables.optionsText')} value={field.options ?? []} onChange={(options) => setField({ ...field, options })} />
          ) : null}
          {kind === 'text-input' || kind === 'paragraph' ? (
            <NumberInput label={t('prompt:variables.max')} min={1} max={100000} value={field.max_length ?? ''} onChange={(value) => setField({ ...field, max_length: typeof value === 'number' ? value : undefined })} />
          ) : null}
          <Checkbox label={t('prompt:variables.required')} checked={field.required ?? false} onChange={(event) => setField({ ...field, required: event.currentTarget.checked })} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t('action.cancel')}</Button>
            <Button type="submit" disabled={!field.variable || Boolean(problem)}>{t('action.save')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
