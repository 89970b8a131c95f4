/** One error for everything that can go wrong between the browser and the box. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when no answer came at all. */
    readonly status: number,
    readonly code: string,
    message: string,
    /** Name of the field the server complains about. */
    readonly field?: string,
    /** Seconds to wait before the next attempt (429, 503). */
    readonly retryAfter?: number,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

const BASE = '/console/api';
let csrfToken = '';
let pass = '';
let onUnauthorised: () => void = () => undefined;

/** Remembers the token that every changing request must carry. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Calls back when the session has ended, so that the app can show the login page. */
export function setUnauthorisedHandler(handler: () => void): void {
  onUnauthorised = handler;
}

/** Remembers the pass of a visitor of an app's page; it goes with every request under /api. */
export function setPass(token: string): void {
  pass = token;
}

export function csrfHeader(): Record<string, string> {
  return csrfToken ? { 'X-CSRF-Token': csrfToken } : {};
}

function credentials(visitor: boolean, method: string): Record<string, string> {
  if (visitor) return pass ? { Authorization: `Bearer ${pass}` } : {};
  return method === 'GET' ? {} : csrfHeader();
}

/** Builds an address under the console API; empty query values are left out. */
export function url(path: string, query?: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return `${path.startsWith('/api/') ? '' : BASE}${path}${text ? `?${text}` : ''}`;
}

interface Envelope {
  code?: unknown;
  message?: unknown;
  params?: unknown;
}

/** Turns a failed answer into an ApiError; understands the error envelope and plain proxy pages. */
export function toError(status: number, body: string, retryAfter: string | null): ApiError {
  let envelope: Envelope = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === 'object') envelope = parsed;
  } catch {
    // Not JSON: a proxy's error page.
  }
  const wait = retryAfter === null ? Number.NaN : Number(retryAfter);
  return new ApiError(
    status,
    typeof envelope.code === 'string' ? envelope.code : `http_${status}`,
    typeof envelope.message === 'string' ? envelope.message : '',
    typeof envelope.params === 'string' ? envelope.params : undefined,
    Number.isFinite(wait) ? wait : undefined,
  );
}

async function refreshCsrf(): Promise<boolean> {
  const before = csrfToken;
  const answer = await fetch(url('/session'), { headers: { Accept: 'application/json' } });
  if (!answer.ok) return false;
  const session = (await answer.json()) as { csrf_token?: string; authenticated?: boolean };
  if (session.csrf_token) csrfToken = session.csrf_token;
  return Boolean(session.authenticated) && csrfToken !== before;
}

/** Sends a request and returns the raw answer; throws ApiError for anything but 2xx. */
export async function send(
  method: string,
  path: string,
  options: { query?: Query; body?: unknown; signal?: AbortSignal } = {},
): Promise<Response> {
  const visitor = path.startsWith('/api/');
  const attempt = () =>
    fetch(url(path, options.query), {
      method,
      signal: options.signal,
      credentials: 'same-origin',
      headers: {
        Accept: 'application/json, text/event-stream',
        ...credentials(visitor, method),
        ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
  let answer: Response;
  try {
    answer = await attempt();
    // The token changes with the session (another tab logged in again): fetch it and try once more.
    if (answer.status === 403 && method !== 'GET' && !visitor && (await refreshCsrf())) answer = await attempt();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'network', '');
  }
  if (answer.ok) return answer;
  const error = toError(answer.status, await answer.text(), answer.headers.get('Retry-After'));
  // A wrong password is a 401 too, with a code of its own.
  if (error.status === 401 && !visitor && error.code === 'unauthorized') onUnauthorised();
  throw error;
}

async function json<T>(method: string, path: string, options?: Parameters<typeof send>[2]): Promise<T> {
  const answer = await send(method, path, options);
  const text = await answer.text();
  return (text ? JSON.parse(text) : { result: 'success' }) as T;
}

export const http = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => json<T>('GET', path, { query, signal }),
  post: <T>(path: string, body: unknown = {}, query?: Query) => json<T>('POST', path, { body, query }),
  put: <T>(path: string, body: unknown = {}) => json<T>('PUT', path, { body }),
  patch: <T>(path: string, body: unknown = {}) => json<T>('PATCH', path, { body }),
  delete: <T>(path: string, body?: unknown) => json<T>('DELETE', path, { body }),
};

/**
 * Uploads one file with progress (fetch cannot report it).
 * @param onProgress receives the share sent so far, 0 to 1
 */
export function upload<T>(
  path: string,
  file: File,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append('file', file, file.name);
    const visitor = path.startsWith('/api/');
    request.open('POST', url(path));
    for (const [name, value] of Object.entries(credentials(visitor, 'POST'))) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText) as T);
      } else {
        if (request.status === 401 && !visitor) onUnauthorised();
        reject(toError(request.status, request.responseText, request.getResponseHeader('Retry-After')));
      }
    };
    request.onerror = () => reject(new ApiError(0, 'network', ''));
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}
