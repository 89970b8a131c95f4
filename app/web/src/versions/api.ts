import { http } from '@/api/http';
import type { Page, Version, VersionDiff } from '@/api/types';

const at = (app: string) => `/apps/${app}/workflows`;

/** Versions of an app, and its draft becoming one. */
export const versionApi = {
  list: (app: string, page: number) => http.get<Page<Version>>(at(app), { page, limit: 20 }),
  publish: (app: string, name: string, notes: string) =>
    http.post<{ id: string; number: number }>(`${at(app)}/publish`, { marked_name: name, marked_comment: notes }),
  describe: (app: string, id: string, name: string, notes: string) =>
    http.patch<Version>(`${at(app)}/${id}`, { marked_name: name, marked_comment: notes }),
  remove: (app: string, id: string) => http.delete(`${at(app)}/${id}`),
  /** What became of a version on the way to what the editor shows, or to another version. */
  diff: (app: string, id: string, to: string) => http.get<VersionDiff>(`${at(app)}/${id}/diff`, { to }),
  restore: (app: string, id: string) => http.post(`${at(app)}/${id}/restore`),
  export: (app: string, id: string) => http.get<{ data: string; name: string }>(`/apps/${app}/export`, { workflow_id: id }),
};
