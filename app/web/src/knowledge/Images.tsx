import { ActionIcon, Button, FileButton, Group, Input, Text } from '@mantine/core';
import { IconPhotoPlus, IconX } from '@tabler/icons-react';
import { useState, type ClipboardEvent } from 'react';

import { useTranslation } from '@/i18n';
import type { Attachment } from '@/api/types';
import { ChosenFiles } from '@/chat/FileList';
import type { FileRules } from '@/chat/files';
import type { Files } from '@/chat/useFiles';
import { useDrop } from '@/ui/useDrop';

import css from './Images.module.css';

export const MOST = 10;
const ENDINGS = '.jpg,.jpeg,.png,.gif,.webp';

/** What is taken as an image of a passage or a question; the server looks at its size and bytes. */
export const imageRules = (limit: number): FileRules => ({ kinds: ['image'], extensions: [], limit, local: true, remote: false });

/** The images of a passage that do not stand in its text. */
export function beside<T extends Pick<Attachment, 'id'>>(images: T[] | null | undefined, ...texts: (string | null | undefined)[]): T[] {
  return (images ?? []).filter((image) => !texts.some((text) => text?.includes(image.id)));
}

/** Adds the images that were pasted. */
export function pasteInto(files: Files) {
  return (event: ClipboardEvent) => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length === 0) return;
    event.preventDefault();
    files.add(pasted);
  };
}

function Picture({ image }: { image: Pick<Attachment, 'id' | 'name'> }) {
  const [gone, setGone] = useState(false);
  const address = `/files/${image.id}/image-preview`;
  if (gone) return null;
  return (
    <a href={address} target="_blank" rel="noreferrer" aria-label={image.name} title={image.name}>
      <img className={css.picture} src={address} alt={image.name} loading="lazy" onError={() => setGone(true)} />
    </a>
  );
}

/** Images of passages, small; each opens in whole. */
export function Images({ images, small }: { images: Pick<Attachment, 'id' | 'name'>[]; small?: boolean }) {
  const { t } = useTranslation();
  if (images.length === 0) return null;
  return (
    <ul className={css.list} data-small={small || undefined} aria-label={t('knowledge:images.list')} data-testid="images">
      {images.map((image) => <li key={image.id}><Picture image={image} /></li>)}
    </ul>
  );
}

/** Takes images by a button, by dragging and by pasting; `kept` are those that are there already. */
export function ImageField({ files, limit, text, kept = [], remove }: { files: Files; limit: number; text: string; kept?: Attachment[]; remove?: (image: Attachment) => void }) {
  const { t } = useTranslation();
  const drop = useDrop(files.add);
  return (
    <Input.Wrapper label={t('knowledge:images.label')} description={text} labelElement="div">
      <div
        className={css.field}
        data-testid="image-field"
        {...drop}
      >
        {kept.length ? (
          <ul className={css.list} aria-label={t('knowledge:images.list')}>
            {kept.map((image) => (
              <li key={image.id} className={css.kept}>
                <Picture image={image} />
                <ActionIcon size="sm" variant="default" className={css.remove} aria-label={t('chat:files.remove', { name: image.name })} onClick={() => remove?.(image)}>
                  <IconX size={14} />
                </ActionIcon>
              </li>
            ))}
          </ul>
        ) : null}
        <ChosenFiles files={files} />
        <Group gap="sm">
          <FileButton multiple accept={ENDINGS} disabled={files.files.length >= limit} onChange={files.add}>
            {(props) => <Button {...props} size="xs" variant="default" leftSection={<IconPhotoPlus size={16} />} disabled={files.files.length >= limit}>{t('knowledge:images.add')}</Button>}
          </FileButton>
          <Text fz="xs" c="dimmed">{t('knowledge:images.hint')}</Text>
        </Group>
      </div>
    </Input.Wrapper>
  );
}
