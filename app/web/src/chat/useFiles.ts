import { useCallback, useEffect, useRef, useState } from 'react';

import { useTranslation } from '@/i18n';
import { useErrorText } from '@/ui/errors';
import { failed } from '@/ui/notify';

import { fileAt, fits, sentKind, type FileKind, type FileRef, type FileRules, type SentFile } from './files';

export type Uploader = (file: File, onProgress: (share: number) => void, signal: AbortSignal) => Promise<{ id: string }>;

export interface Chosen {
  key: string;
  name: string;
  kind: FileKind;
  /** Share that was sent, 0 to 1. */
  progress: number;
  id?: string;
  /** Where the box fetches it, when it is not uploaded. */
  address?: string;
  error?: string;
  /** Address of a picture's preview in this page. */
  preview?: string;
}

let keys = 0;
const newKey = () => `file-${++keys}`;

/** Files that were chosen for a message or an input, on their way to the box. */
export function useFiles(rules: FileRules | null, upload: Uploader | undefined) {
  const { t } = useTranslation();
  const text = useErrorText();
  const [files, setFiles] = useState<Chosen[]>([]);
  const stops = useRef(new Map<string, AbortController>());
  const change = useCallback((key: string, patch: Partial<Chosen>) => setFiles((all) => all.map((f) => (f.key === key ? { ...f, ...patch } : f))), []);
  useEffect(() => {
    const all = stops.current;
    return () => all.forEach((stop) => stop.abort());
  }, []);

  const add = (list: Iterable<File>) => {
    if (!rules?.local || !upload) return;
    let room = rules.limit - files.length;
    for (const file of list) {
      if (!fits(file, rules)) {
        failed(file.name, t('chat:files.wrongKind'));
        continue;
      }
      if (room <= 0) {
        failed(file.name, t('chat:files.tooMany', { n: rules.limit }));
        break;
      }
      room -= 1;
      const kind = sentKind(file, rules);
      const key = newKey();
      const stop = new AbortController();
      stops.current.set(key, stop);
      setFiles((all) => [...all, { key, name: file.name, kind, progress: 0, ...(kind === 'image' ? { preview: URL.createObjectURL(file) } : {}) }]);
      upload(file, (progress) => change(key, { progress }), stop.signal).then(
        ({ id }) => change(key, { id, progress: 1 }),
        (error: unknown) => (stop.signal.aborted ? undefined : change(key, { error: text(error) })),
      );
    }
  };
  /** Adds a file by its address; tells whether it is taken. */
  const addUrl = (address: string): boolean => {
    const found = rules?.remote ? fileAt(address, rules) : null;
    if (!rules || !found) {
      failed(address, t('chat:files.wrongKind'));
      return false;
    }
    if (files.length >= rules.limit) {
      failed(found.name, t('chat:files.tooMany', { n: rules.limit }));
      return false;
    }
    setFiles((all) => [...all, { key: newKey(), ...found, progress: 1, address }]);
    return true;
  };
  const remove = (key: string) => {
    stops.current.get(key)?.abort();
    setFiles((all) => all.filter((f) => f.key !== key));
  };
  return {
    files,
    rules: upload ? rules : null,
    add,
    addUrl,
    remove,
    clear: () => setFiles([]),
    ids: files.flatMap((f) => f.id ?? []),
    busy: files.some((f) => !ready(f) && !f.error),
    refs: files.filter(ready).map<FileRef>((f) => (f.address ? { type: f.kind, transfer_method: 'remote_url', url: f.address } : { type: f.kind, transfer_method: 'local_file', upload_file_id: f.id ?? '' })),
    sent: files.filter(ready).map<SentFile>(({ name, kind, preview, address }) => {
      const url = preview ?? address;
      return { name, kind, ...(url ? { url } : {}) };
    }),
  };
}

function ready(file: Chosen): boolean {
  return Boolean(file.id ?? file.address);
}

export type Files = ReturnType<typeof useFiles>;
