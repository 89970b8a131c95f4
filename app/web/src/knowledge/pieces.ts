import { ApiError, http, send, url, csrfHeader, toError } from '@/api/http';
import type { UploadedFile } from '@/api/types';

interface State {
  id: string;
  offset: number;
  size: number;
  piece: number;
  file?: UploadedFile;
}

const TRIES = 6;

/** Where the id of an unfinished upload is remembered, so that it goes on after a reload. */
const memory = (file: File) => `sparrow.upload:${file.webkitRelativePath || file.name}:${file.size}:${file.lastModified}`;

async function begin(file: File): Promise<State> {
  const known = localStorage.getItem(memory(file));
  if (known) {
    try {
      return await http.get<State>(`/uploads/${known}`);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  const state = await http.post<State>('/uploads', { name: file.name, size: file.size, mime_type: file.type });
  localStorage.setItem(memory(file), state.id);
  return state;
}

function put(state: State, piece: Blob, onProgress: (sent: number) => void, signal: AbortSignal): Promise<State> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', url(`/uploads/${state.id}`, { offset: state.offset }));
    for (const [name, value] of Object.entries(csrfHeader())) request.setRequestHeader(name, value);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as State);
      else reject(toError(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    };
    request.onerror = () => reject(new ApiError(0, 'network', ''));
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(piece);
  });
}

/** Whether another try may help: the line broke, or the box was busy or being restarted. */
const passing = (error: unknown) => error instanceof ApiError && (error.status === 0 || error.status === 409 || error.status === 502 || error.status === 503);

/**
 * Uploads a file piece by piece; after a broken line or a reload it goes on where it was.
 * @param onProgress receives the share stored so far, 0 to 1
 */
export async function uploadInPieces(file: File, onProgress: (share: number) => void, signal: AbortSignal): Promise<UploadedFile> {
  let state = await begin(file);
  let tries = 0;
  for (;;) {
    try {
      const at = state.offset;
      const piece = file.slice(at, at + state.piece);
      state = await put(state, piece, (sent) => onProgress(Math.min(1, (at + sent) / file.size)), signal);
      tries = 0;
      onProgress(state.offset / file.size);
      if (state.file) {
        localStorage.removeItem(memory(file));
        return state.file;
      }
    } catch (error) {
      if (error instanceof DOMException) {
        // Taken off the list by hand: the box need not keep the pieces.
        localStorage.removeItem(memory(file));
        void send('DELETE', `/uploads/${state.id}`).catch(() => undefined);
        throw error;
      }
      if (!passing(error) || ++tries > TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
      state = await begin(file);
    }
  }
}
