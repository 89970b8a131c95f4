import { useQuery } from '@tanstack/react-query';

import { http, upload } from '@/api/http';
import type { Dataset, Doc, Estimate, HitTest, Page, ProcessRule, RetrievalModel, Segment, UploadedFile } from '@/api/types';

const at = (id: string) => `/datasets/${id}`;

export const knowledgeApi = {
  list: (page: number, keyword: string) => http.get<Page<Dataset>>('/datasets', { page, limit: 30, keyword }),
  create: (body: { name: string; description: string }) => http.post<Dataset>('/datasets', body),
  update: (id: string, body: Partial<Pick<Dataset, 'name' | 'description'>> & { retrieval_model?: RetrievalModel }) => http.patch<Dataset>(at(id), body),
  remove: (id: string) => http.delete(at(id)),
  documents: (id: string, page: number, keyword: string) => http.get<Page<Doc>>(`${at(id)}/documents`, { page, limit: 20, keyword }),
  indexing: (id: string) => http.get<{ data: Doc[] }>(`${at(id)}/indexing-status`),
  act: (id: string, doc: string, action: 'pause' | 'resume' | 'retry') => http.post(`${at(id)}/documents/${doc}/${action}`),
  removeDocument: (id: string, doc: string) => http.delete(`${at(id)}/documents/${doc}`),
  segments: (id: string, doc: string, page: number, keyword: string) =>
    http.get<Page<Segment>>(`${at(id)}/documents/${doc}/segments`, { page, limit: 20, keyword }),
  upload: (file: File, onProgress: (share: number) => void, signal: AbortSignal) => upload<UploadedFile>('/files/upload', file, onProgress, signal),
  addDocuments: (id: string, body: { file_ids: string[]; process_rule: ProcessRule; doc_form: string }) =>
    http.post<{ documents: Doc[]; batch: string }>(`${at(id)}/documents`, body),
  estimate: (file_id: string, process_rule: ProcessRule) => http.post<Estimate>('/datasets/indexing-estimate', { file_id, process_rule }),
  test: (id: string, query: string, retrieval_model?: RetrievalModel) =>
    http.post<HitTest>(`${at(id)}/hit-testing`, { query, ...(retrieval_model ? { retrieval_model } : {}) }),
};

export function useDataset(id: string) {
  return useQuery({ queryKey: ['datasets', 'one', id], queryFn: () => http.get<Dataset>(at(id)) });
}

const RESTING = new Set(['completed', 'error', 'paused']);

export function isWorking(doc: Doc): boolean {
  return !RESTING.has(doc.indexing_status);
}

/** Share of a document that is indexed, 0 to 100; null while it is unknown. */
export function progress(doc: Doc): number | null {
  if (doc.indexing_status === 'completed') return 100;
  if (!doc.total || doc.done === null || doc.done === undefined) return null;
  return Math.min(100, Math.round((doc.done / doc.total) * 100));
}
