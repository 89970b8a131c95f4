import { ApiError, send } from './http';

/** How much is gathered before it is handed to the browser, which keeps large blobs on disk. */
const PORTION = 16 << 20;

/** The name a `Content-Disposition` gives the file. */
export function fileNameOf(disposition: string | null): string {
  const coded = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? '')?.[1];
  if (coded) return decodeURIComponent(coded);
  return /filename="?([^";]+)"?/i.exec(disposition ?? '')?.[1] ?? 'download';
}

/** Hands a file to the browser as a download. */
export function save(name: string, file: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Downloads a file and saves it when it is whole: a line that breaks is an error, not half a file.
 * @param onProgress receives the bytes that have arrived
 */
export async function download(path: string, onProgress: (received: number) => void, signal: AbortSignal): Promise<void> {
  const answer = await send('GET', path, { signal });
  const reader = answer.body?.getReader();
  const portions: Blob[] = [];
  let loose: Uint8Array<ArrayBuffer>[] = [];
  let [received, gathered] = [0, 0];
  try {
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) break;
      loose.push(part.value);
      received += part.value.length;
      gathered += part.value.length;
      if (gathered >= PORTION) {
        portions.push(new Blob(loose));
        [loose, gathered] = [[], 0];
      }
      onProgress(received);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(0, 'network', '');
  }
  save(fileNameOf(answer.headers.get('Content-Disposition')), new Blob([...portions, ...loose], { type: answer.headers.get('Content-Type') ?? '' }));
}
