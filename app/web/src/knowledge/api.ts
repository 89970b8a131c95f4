import { useQuery } from '@tanstack/react-query';

import { http, upload } from '@/api/http';
import type { Crawl, CrawlOptions, Dataset, DatasetMetadata, Doc, Estimate, ExportSize, ExternalServer, HitTest, ImportEstimate, KnowledgeSettings, Memory, Page, ProcessRule, Reindex, RetrievalModel, Segment, Statistics, SummaryEstimate, SummarySetting, TextPiece, UploadedFile } from '@/api/types';

import { uploadInPieces } from './pieces';

export interface Place {
  id: string;
  kind: 'drop' | 'usb';
  name: string;
}

export interface Entry {
  name: string;
  path: string;
  folder: boolean;
  size: number;
  supported: boolean;
}

export interface ImportState {
  id: string;
  state: string;
  stage: string;
  done: number;
  total: number;
  error: string | null;
  dataset_id: string | null;
}

export interface SegmentInput {
  content: string;
  answer?: string;
  keywords?: string[];
  attachment_ids?: string[];
}

/** Bytes above which a file travels in pieces. */
const IN_PIECES = 16 << 20;

const at = (id: string) => `/datasets/${id}`;

export const knowledgeApi = {
  list: (page: number, keyword: string, tag_ids: string[] = []) => http.get<Page<Dataset>>('/datasets', { page, limit: 30, keyword, tag_ids: tag_ids.join(',') }),
  settings: () => http.get<KnowledgeSettings>('/datasets/settings'),
  setOcrModel: (ocr_model: KnowledgeSettings['ocr_model']) => http.put<KnowledgeSettings>('/datasets/settings', { ocr_model }),
  create: (body: { name: string; description: string; summary_index_setting?: SummarySetting }) => http.post<Dataset>('/datasets', body),
  update: (id: string, body: Partial<Pick<Dataset, 'name' | 'description' | 'embedding_model' | 'embedding_model_provider' | 'enable_api' | 'external_retrieval_model'>> & { retrieval_model?: RetrievalModel; summary_index_setting?: SummarySetting; external_knowledge_id?: string; external_knowledge_api_id?: string }) => http.patch<Dataset>(at(id), body),
  remove: (id: string) => http.delete(at(id)),
  documents: (id: string, page: number, keyword: string, status: string, sort: string) => http.get<Page<Doc>>(`${at(id)}/documents`, { page, limit: 50, keyword, sort, ...(status ? { status } : {}) }),
  indexing: (id: string) => http.get<Page<Doc>>(`${at(id)}/indexing-status`),
  act: (id: string, doc: string, action: 'pause' | 'resume' | 'cancel' | 'retry') => http.post(`${at(id)}/documents/${doc}/${action}`),
  removeDocument: (id: string, doc: string) => http.delete(`${at(id)}/documents/${doc}`),
  segments: (id: string, doc: string, page: number, keyword: string) =>
    http.get<Page<Segment>>(`${at(id)}/documents/${doc}/segments`, { page, limit: 20, keyword }),
  upload: (file: File, onProgress: (share: number) => void, signal: AbortSignal) =>
    file.size > IN_PIECES ? uploadInPieces(file, onProgress, signal) : upload<UploadedFile>('/files/upload', file, onProgress, signal),
  uploadImage: (file: File, onProgress: (share: number) => void, signal: AbortSignal) => upload<UploadedFile>('/datasets/attachments', file, onProgress, signal),
  fromUrl: (address: string) => http.post<{ file: UploadedFile; url: string; title: string }>('/files/from-url', { url: address }),
  crawl: (id: string, options: CrawlOptions) => http.post<Crawl>(`${at(id)}/crawls`, options),
  crawlState: (id: string, crawl: string) => http.get<Crawl>(`${at(id)}/crawls/${crawl}`),
  stopCrawl: (id: string, crawl: string) => http.delete(`${at(id)}/crawls/${crawl}`),
  crawlText: (id: string, crawl: string, page: string) => http.get<{ text: string }>(`${at(id)}/crawls/${crawl}/pages/${page}`),
  places: () => http.get<{ data: Place[] }>('/places'),
  browse: (place: string, path: string, deep = false) => http.get<{ data: Entry[] }>(`/places/${encodeURIComponent(place)}`, { path, ...(deep ? { deep } : {}) }),
  take: (place: string, path: string) => http.post<UploadedFile>(`/places/${encodeURIComponent(place)}/take`, { path }),
  exportSize: (id: string) => http.get<ExportSize>(`${at(id)}/export-size`),
  import: (file_id: string) => http.post<ImportState>('/datasets/import', { file_id }),
  importState: (job: string) => http.get<ImportState>(`/datasets/import/${job}`),
  stopImport: (job: string) => http.delete(`/datasets/import/${job}`),
  rename: (id: string, doc: string, name: string) => http.patch<Doc>(`${at(id)}/documents/${doc}`, { name }),
  status: (id: string, document_ids: string[], action: 'enable' | 'disable' | 'archive' | 'un_archive') => http.post(`${at(id)}/documents/status/${action}`, { document_ids }),
  removeDocuments: (id: string, document_ids: string[]) => http.post(`${at(id)}/documents/delete`, { document_ids }),
  sync: (id: string, doc: string) => http.post<Doc>(`${at(id)}/documents/${doc}/sync`),
  addSegment: (id: string, doc: string, segment: SegmentInput) => http.post(`${at(id)}/documents/${doc}/segments`, { segments: [segment] }),
  changeSegment: (id: string, doc: string, segment: string, change: Partial<SegmentInput> & { summary?: string | null; enabled?: boolean; regenerate_child_chunks?: boolean }) => http.patch<Segment>(`${at(id)}/documents/${doc}/segments/${segment}`, change),
  removeSegment: (id: string, doc: string, segment: string) => http.delete(`${at(id)}/documents/${doc}/segments/${segment}`),
  segmentsStatus: (id: string, doc: string, segment_ids: string[], action: 'enable' | 'disable') => http.post(`${at(id)}/documents/${doc}/segments/status/${action}`, { segment_ids }),
  removeSegments: (id: string, doc: string, segment_ids: string[]) => http.post(`${at(id)}/documents/${doc}/segments/delete`, { segment_ids }),
  addChild: (id: string, doc: string, segment: string, content: string) => http.post(`${at(id)}/documents/${doc}/segments/${segment}/child_chunks`, { content }),
  changeChild: (id: string, doc: string, segment: string, child: string, content: string) => http.patch(`${at(id)}/documents/${doc}/segments/${segment}/child_chunks/${child}`, { content }),
  removeChild: (id: string, doc: string, segment: string, child: string) => http.delete(`${at(id)}/documents/${doc}/segments/${segment}/child_chunks/${child}`),
  importSegments: (id: string, doc: string, file: File) => upload<{ added: number }>(`${at(id)}/documents/${doc}/segments/import`, file, () => undefined),
  queries: (id: string) => http.get<{ data: { id: string; content: string; source: string; created_at: number }[] }>(`${at(id)}/queries`, { limit: 10 }),
  addDocuments: (id: string, body: { file_ids: string[]; urls: Record<string, string>; process_rule: ProcessRule; doc_form: string; doc_language: string }) =>
    http.post<{ documents: Doc[]; batch: string }>(`${at(id)}/documents`, body),
  estimate: (body: { process_rule: ProcessRule; doc_form: string; doc_language: string } & ({ file_id: string } | { dataset_id: string; document_id: string })) => http.post<Estimate>('/datasets/indexing-estimate', body),
  forecast: (body: { file_ids: string[]; dataset_id: string; process_rule: ProcessRule; doc_form: string }) => http.post<ImportEstimate>('/datasets/import-estimate', body),
  rechunk: (id: string, document_ids: string[], process_rule: ProcessRule) => http.post(`${at(id)}/documents/rechunk`, { document_ids, process_rule }),
  summaryEstimate: (id: string, document_list: string[]) => http.post<SummaryEstimate>(`${at(id)}/documents/summary-estimate`, { document_list }),
  writeSummaries: (id: string, document_list: string[], again: boolean) => http.post(`${at(id)}/documents/generate-summary`, { document_list, again }),
  controlSummaries: (id: string, doc: string, action: 'pause' | 'resume' | 'cancel' | 'retry') => http.post(`${at(id)}/documents/${doc}/summary/${action}`),
  retryFailed: (id: string) => http.post<{ retried: number }>(`${at(id)}/documents/retry`),
  text: (id: string, doc: string, from: { segment?: string; start?: number }) => http.get<{ pieces: TextPiece[]; start: number; total: number; document: Doc }>(`${at(id)}/documents/${doc}/text`, from),
  statistics: (id: string) => http.get<Statistics>(`${at(id)}/statistics`),
  capacity: (id: string) => http.get<Memory>(`${at(id)}/capacity`),
  apps: (id: string) => http.get<{ data: { id: string; name: string; mode: string }[] }>(`${at(id)}/related-apps`),
  reindex: (id: string) => http.get<{ reindex: Reindex | null }>(`${at(id)}/reindex`),
  retryReindex: (id: string) => http.post(`${at(id)}/reindex`),
  stopReindex: (id: string) => http.delete(`${at(id)}/reindex`),
  tags: () => http.get<{ data: { id: string; name: string; binding_count: string }[] }>('/dataset-tags'),
  setTags: (id: string, names: string[]) => http.put(`${at(id)}/tags`, { names }),
  metadata: (id: string) => http.get<DatasetMetadata>(`${at(id)}/metadata`),
  addField: (id: string, name: string, type: string) => http.post(`${at(id)}/metadata`, { name, type }),
  renameField: (id: string, field: string, name: string) => http.patch(`${at(id)}/metadata/${field}`, { name }),
  removeField: (id: string, field: string) => http.delete(`${at(id)}/metadata/${field}`),
  builtIn: (id: string, on: boolean) => http.post(`${at(id)}/metadata/built-in/${on ? 'enable' : 'disable'}`),
  setMetadata: (id: string, operation_data: { document_id: string; partial_update: boolean; metadata_list: { id: string; name: string; value: string | number | null }[] }[]) => http.post(`${at(id)}/documents/metadata`, { operation_data }),
  servers: () => http.get<{ data: ExternalServer[] }>('/datasets/external-knowledge-api'),
  addServer: (body: { name: string; endpoint: string; api_key: string }) => http.post<ExternalServer>('/datasets/external-knowledge-api', body),
  changeServer: (id: string, body: { name: string; endpoint: string; api_key: string }) => http.patch<ExternalServer>(`/datasets/external-knowledge-api/${id}`, body),
  removeServer: (id: string) => http.delete(`/datasets/external-knowledge-api/${id}`),
  createExternal: (body: { name: string; description: string; external_knowledge_api_id: string; external_knowledge_id: string; external_retrieval_model: object }) => http.post<Dataset>('/datasets/external', body),
  test: (id: string, query: string, attachment_ids: string[], retrieval_model?: RetrievalModel) =>
    http.post<HitTest>(`${at(id)}/hit-testing`, { query, ...(attachment_ids.length ? { attachment_ids } : {}), ...(retrieval_model ? { retrieval_model } : {}) }),
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
  if (!doc.total) return null;
  return Math.min(100, Math.round(((doc.done ?? 0) / doc.total) * 100));
}
