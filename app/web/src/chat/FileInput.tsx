import { Button, FileButton, Group, Input, Text } from '@mantine/core';
import { IconLink, IconUpload } from '@tabler/icons-react';
import { useEffect, useId } from 'react';

import { useTranslation } from '@/i18n';
import { useDrop } from '@/ui/useDrop';

import { AddUrl } from './AddUrl';
import { ChosenFiles } from './FileList';
import css from './Files.module.css';
import { accepted, fieldRules, type FileRef } from './files';
import { UPLOADING, type FormEntry, type InputValue } from './inputs';
import { useFiles, type Uploader } from './useFiles';

/** A form's field that takes one file or several. */
export function FileInput({ entry, upload, onChange, disabled }: { entry: FormEntry; upload?: Uploader; onChange: (value: InputValue) => void; disabled?: boolean }) {
  const { t } = useTranslation();
  const id = useId();
  const single = entry.kind === 'file';
  const rules = fieldRules(entry.kind, entry.field);
  const files = useFiles(rules, upload);
  const drop = useDrop(files.add);
  const full = files.files.length >= rules.limit;
  const refs = JSON.stringify(files.refs);
  useEffect(() => {
    const list = JSON.parse(refs) as FileRef[];
    onChange(files.busy ? UPLOADING : single ? list[0] : list.length ? list : undefined);
    // Only what was uploaded matters, not who listens.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [refs, single, files.busy]);
  return (
    <Input.Wrapper label={entry.field.label || entry.field.variable} required={entry.field.required} labelElement="div" id={id}>
      <div
        className={css.field}
        {...drop}
      >
        <Group gap="sm" mb={files.files.length ? 8 : 0}>
          {rules.local ? <FileButton multiple={!single} accept={accepted(rules)} disabled={disabled || full || !upload} onChange={(chosen) => files.add(Array.isArray(chosen) ? chosen : chosen ? [chosen] : [])}>
            {(props) => (
              <Button {...props} size="xs" variant="default" leftSection={<IconUpload size={16} />} disabled={disabled || full || !upload} aria-label={`${entry.field.label || entry.field.variable}: ${t('chat:files.choose')}`}>
                {t('chat:files.choose')}
              </Button>
            )}
          </FileButton> : null}
          {rules.remote ? (
            <AddUrl onAdd={files.addUrl}>
              {(open) => (
                <Button size="xs" variant="default" leftSection={<IconLink size={16} />} disabled={disabled || full} aria-label={`${entry.field.label || entry.field.variable}: ${t('chat:files.byAddress')}`} onClick={open}>
                  {t('chat:files.byAddress')}
                </Button>
              )}
            </AddUrl>
          ) : null}
          {rules.local ? <Text fz="xs" c="dimmed">{upload ? t('chat:files.dropHere') : t('chat:files.notHere')}</Text> : null}
        </Group>
        <ChosenFiles files={files} />
      </div>
    </Input.Wrapper>
  );
}
