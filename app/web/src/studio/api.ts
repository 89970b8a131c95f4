import { useQuery, type QueryClient } from '@tanstack/react-query';

import { save } from '@/api/download';
import { http } from '@/api/http';
import type { App, AppMode, ImportResult, Page } from '@/api/types';

/** What is imported from another Dify-compatible builder, at most. */
export const MAX_DSL_BYTES = 10 * 1024 * 1024;

export const MODES: AppMode[] = ['chat', 'agent-chat', 'completion', 'advanced-chat', 'workflow'];

export interface AppDraft {
  name: string;
  mode: AppMode;
  description?: string;
  icon?: string;
  icon_type?: string;
  icon_background?: string;
  enable_site?: boolean;
  enable_api?: boolean;
  site?: Record<string, unknown>;
  tags?: string[];
}

export function useAppTags() {
  return useQuery({ queryKey: ['apps', 'tags'], queryFn: () => http.get<string[]>('/app-tags') });
}

export function useApp(id: string) {
  return useQuery({ queryKey: ['apps', 'one', id], queryFn: () => http.get<App>(`/apps/${id}`) });
}

export const appApi = {
  list: (page: number, name: string, mode: string, tag: string) =>
    http.get<Page<App>>('/apps', { page, limit: 30, name, mode: mode === 'all' ? '' : mode, tag }),
  create: (draft: AppDraft) => http.post<App>('/apps', draft),
  update: (id: string, draft: Partial<AppDraft>) => http.put<App>(`/apps/${id}`, draft),
  copy: (id: string) => http.post<App>(`/apps/${id}/copy`),
  remove: (id: string) => http.delete(`/apps/${id}`),
  importDsl: (yaml: string) => http.post<ImportResult>('/apps/imports', { mode: 'yaml-content', yaml_content: yaml }),
  confirmImport: (id: string) => http.post<ImportResult>(`/apps/imports/${id}/confirm`),
  exportDsl: (id: string, secrets: boolean) =>
    http.get<{ data: string }>(`/apps/${id}/export`, { include_secret: secrets }),
};

export async function refreshApps(client: QueryClient): Promise<void> {
  await client.invalidateQueries({ queryKey: ['apps'] });
}

/** Hands a text to the browser as a download. */
export function saveText(name: string, text: string, type = 'text/plain'): void {
  save(name, new Blob([text], { type: `${type};charset=utf-8` }));
}

/** A file name from a title: no characters that a file system dislikes. */
export function fileName(title: string, extension: string): string {
  const base = title.replace(/[\\/:*?"<>|\p{Cc}]+/gu, ' ').trim().slice(0, 80) || 'app';
  return `${base}.${extension}`;
}
