/** What an app takes as files, and how a chosen file is told to it. */

export type FileKind = 'image' | 'document' | 'audio' | 'video' | 'custom';

export interface FileRules {
  /** Kinds that are taken; empty: all. */
  kinds: FileKind[];
  /** Extensions of the kind "custom", in lower case without the dot; empty: all. */
  extensions: string[];
  /** How many files at most. */
  limit: number;
  /** Whether files of this device are taken, and whether addresses of files are. */
  local: boolean;
  remote: boolean;
}

/** A file of a message or an input as the server reads it. */
export type FileRef = { type: FileKind } & ({ transfer_method: 'local_file'; upload_file_id: string } | { transfer_method: 'remote_url'; url: string });

/** A file as a question shows it. */
export interface SentFile {
  name: string;
  kind: FileKind;
  /** Where the browser can load it from, when it can. */
  url?: string;
}

/** As the server sorts files (apps/attachment). */
const EXTENSIONS: Record<Exclude<FileKind, 'custom'>, string[]> = {
  image: ['jpg', 'jpeg', 'png', 'webp', 'gif', 'svg'],
  video: ['mp4', 'mov', 'mpeg', 'webm'],
  audio: ['mp3', 'm4a', 'wav', 'amr', 'mpga'],
  document: [
    'txt', 'markdown', 'md', 'mdx', 'pdf', 'html', 'htm', 'xlsx', 'xls', 'vtt', 'properties', 'doc', 'docx', 'csv',
    'eml', 'msg', 'pptx', 'ppt', 'xml', 'epub',
  ],
};
const KINDS = Object.keys(EXTENSIONS) as (keyof typeof EXTENSIONS)[];
const MAX_FILES = 10;

function extension(name: string): string {
  return /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
}

export function kindOf(file: { name: string; type: string }): FileKind {
  const known = KINDS.find((kind) => EXTENSIONS[kind].includes(extension(file.name)));
  if (known) return known;
  const main = file.type.split('/')[0];
  if (main === 'image' || main === 'video' || main === 'audio') return main;
  return main === 'text' ? 'document' : 'custom';
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function rules(kinds: unknown, extensions: unknown, limit: unknown, methods: unknown): FileRules {
  const named = strings(methods);
  return {
    local: named.length === 0 || named.includes('local_file'),
    remote: named.length === 0 || named.includes('remote_url'),
    kinds: strings(kinds) as FileKind[],
    extensions: strings(extensions).map((item) => item.toLowerCase().replace(/^\./, '')),
    limit: typeof limit === 'number' && limit > 0 ? limit : MAX_FILES,
  };
}

/** The rules of an app's `file_upload`; null when it takes no files. */
export function messageRules(setting: unknown): FileRules | null {
  if (!setting || typeof setting !== 'object') return null;
  const upload = setting as Record<string, unknown>;
  const image = (upload.image ?? {}) as Record<string, unknown>;
  if (upload.enabled) return rules(upload.allowed_file_types, upload.allowed_file_extensions, upload.number_limits, upload.allowed_file_upload_methods);
  return image.enabled ? rules(['image'], [], image.number_limits ?? 3, image.transfer_methods) : null;
}

/** The rules of a form's field of kind `file` or `file-list`. */
export function fieldRules(kind: string, field: Record<string, unknown>): FileRules {
  return rules(field.allowed_file_types, field.allowed_file_extensions, kind === 'file' ? 1 : (field.max_length ?? field.number_limits), field.allowed_file_upload_methods);
}

export function fits(file: { name: string; type: string }, { kinds, extensions }: FileRules): boolean {
  const kind = kindOf(file);
  if (kinds.length === 0 || (kind !== 'custom' && kinds.includes(kind))) return true;
  return kinds.includes('custom') && (extensions.length === 0 || extensions.includes(extension(file.name)));
}

/** Whether a file that fits is sent as "custom": its own kind is not among those taken. */
export function sentKind(file: { name: string; type: string }, { kinds }: FileRules): FileKind {
  const kind = kindOf(file);
  return kinds.length === 0 || kinds.includes(kind) ? kind : 'custom';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The name and kind of a file known by its address: what its ending says, else the first kind that is taken. */
export function fileAt(address: string, taken: FileRules): { name: string; kind: FileKind } | null {
  const path = URL.canParse(address) ? new URL(address).pathname : '';
  const last = path.split('/').pop() ?? '';
  const name = decoded(last) || address;
  if (!extension(name)) return { name, kind: taken.kinds[0] ?? 'document' };
  return fits({ name, type: '' }, taken) ? { name, kind: sentKind({ name, type: '' }, taken) } : null;
}

/** The `accept` of a file chooser. */
export function accepted({ kinds, extensions }: FileRules): string | undefined {
  if (kinds.length === 0) return undefined;
  return kinds.flatMap((kind) => (kind === 'custom' ? extensions : EXTENSIONS[kind]).map((item) => `.${item}`)).join(',') || undefined;
}
