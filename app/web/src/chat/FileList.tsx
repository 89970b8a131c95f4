import { ActionIcon, Loader } from '@mantine/core';
import { IconAlertTriangle, IconFile, IconFileMusic, IconPhoto, IconVideo, IconX } from '@tabler/icons-react';

import { useTranslation } from '@/i18n';

import css from './Files.module.css';
import type { FileKind, SentFile } from './files';
import type { Files } from './useFiles';

const ICONS: Record<FileKind, typeof IconFile> = { image: IconPhoto, document: IconFile, audio: IconFileMusic, video: IconVideo, custom: IconFile };

function Face({ kind, url }: { kind: FileKind; url?: string }) {
  const Icon = ICONS[kind];
  return kind === 'image' && url ? <img className={css.thumb} src={url} alt="" /> : <Icon size={20} stroke={1.6} aria-hidden style={{ flex: 'none' }} />;
}

/** Files that are chosen but not sent yet. */
export function ChosenFiles({ files }: { files: Files }) {
  const { t } = useTranslation();
  if (files.files.length === 0) return null;
  return (
    <ul className={css.list} aria-label={t('chat:files.chosen')}>
      {files.files.map((file) => (
        <li key={file.key} className={css.file} data-failed={file.error ? true : undefined}>
          <Face kind={file.kind} url={file.preview} />
          <span className={css.name} title={file.error ?? file.name}>
            {file.name}
            {file.error ? <small role="alert">{file.error}</small> : null}
          </span>
          {file.error ? <IconAlertTriangle size={16} aria-hidden /> : file.id || file.address ? null : <Loader size={14} aria-label={t('chat:files.sending', { percent: Math.round(file.progress * 100) })} />}
          <ActionIcon size="sm" aria-label={t('chat:files.remove', { name: file.name })} onClick={() => files.remove(file.key)}>
            <IconX size={14} />
          </ActionIcon>
        </li>
      ))}
    </ul>
  );
}

/** Whether the page may draw a picture: those of other sites are only linked, as its policy has it. */
function drawn({ kind, url }: SentFile): boolean {
  return kind === 'image' && Boolean(url) && (url?.startsWith('blob:') || new URL(url ?? '', window.location.href).origin === window.location.origin);
}

/** Files that went with a question. */
export function SentFiles({ files }: { files: SentFile[] }) {
  const { t } = useTranslation();
  if (files.length === 0) return null;
  return (
    <ul className={css.list} data-sent aria-label={t('chat:files.sent')}>
      {files.map((file, index) => (
        <li key={index}>
          {drawn(file) ? (
            <a href={file.url} target="_blank" rel="noreferrer" aria-label={file.name}>
              <img className={css.picture} src={file.url} alt={file.name} />
            </a>
          ) : file.url ? (
            <a className={css.file} href={file.url} target="_blank" rel="noreferrer">
              <Face kind={file.kind} />
              <span className={css.name}>{file.name}</span>
            </a>
          ) : (
            <span className={css.file}>
              <Face kind={file.kind} />
              <span className={css.name}>{file.name}</span>
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
