/**
 * Shapes of the console API. Those that the server's document describes are taken from there (schema.d.ts, made by
 * `npm run api`); what is free-form there, because Dify's files define it, is described here. Times are Unix seconds.
 */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Session = Schemas['SessionInfo'];
export type App = Schemas['App'];
export type AppMode = App['mode'];
export type Annotation = Schemas['AnnotationShown'];
export type AnnotationSettings = Schemas['AnnotationSettings'];
export type ApiKey = Schemas['ApiKey'];
export type McpServer = Schemas['McpServer'];
export type CreatedKey = Schemas['CreatedKey'];
export type Model = Schemas['ModelInfo'];
export type ModelType = Model['type'];
export type ListedModel = Schemas['ModelChoice'];
export type Localised = Schemas['Label'];
export type Credential = Schemas['CredentialInfo'];
export type Provider = Schemas['ProviderInfo'];
export type ProviderTest = Schemas['TestResult'];
export type DefaultModels = Schemas['DefaultModels'];
export type UploadedFile = Schemas['File'];
export type ImportWarning = Schemas['Warning'];
export type ImportResult = Schemas['Import'];
export type Conversation = Schemas['Conversation'];
export type Run = Schemas['Run'];
export type RunDetail = Schemas['RunDetail'];
export type NodeRun = Schemas['NodeRun'];
export type Version = Schemas['Head'];
export type VersionDiff = Schemas['Diff'];
export type Dataset = Schemas['Dataset'];
export type ExportSize = Schemas['ExportSize'];
export type ImportEstimate = Schemas['ImportEstimate'];
export type Crawl = Schemas['Crawl'];
export type CrawlOptions = Schemas['CrawlOptions'];
export type CrawlPage = Schemas['CrawlPage'];
export type KnowledgeSettings = Schemas['KnowledgeSettings'];
export type Around = Schemas['Around'];

export interface Page<T> {
  data: T[];
  has_more: boolean;
  limit: number;
  page: number;
  total: number;
}

export interface Health {
  status: 'ok' | 'degraded' | 'error';
  version: string;
  programs: { name: string; state: string; since?: number | null; detail?: string | null }[];
  disk?: { total: number; free: number };
  memory?: { total?: number; available?: number; free?: number; used?: number };
  problems?: { level: string; what: string; message: string; detail: string }[];
}

export interface ModelRef {
  provider: string;
  name: string;
  mode: 'chat' | 'completion';
  completion_params: Record<string, unknown>;
}

export type InputKind = 'text-input' | 'paragraph' | 'select' | 'number' | 'checkbox';

export interface InputField {
  label: string;
  variable: string;
  required?: boolean;
  default?: unknown;
  max_length?: number;
  options?: string[];
  [key: string]: unknown;
}

/** An entry of `user_input_form`: an object with the control's kind as its single key. */
export type InputForm = Record<string, InputField>[];

export interface DatasetConfigs {
  retrieval_model?: 'single' | 'multiple';
  datasets?: { datasets: { dataset: { enabled: boolean; id: string } }[]; strategy?: string };
  top_k?: number;
  score_threshold?: number | null;
  score_threshold_enabled?: boolean;
  reranking_enable?: boolean;
  reranking_mode?: string | null;
  weights?: {
    vector_setting: { vector_weight: number; [key: string]: unknown };
    keyword_setting: { keyword_weight: number };
  } | null;
  [key: string]: unknown;
}

export interface ModelConfig {
  model?: ModelRef | null;
  prompt_type?: string;
  pre_prompt?: string | null;
  user_input_form?: InputForm;
  opening_statement?: string | null;
  suggested_questions?: string[];
  suggested_questions_after_answer?: { enabled: boolean };
  retriever_resource?: { enabled: boolean };
  dataset_configs?: DatasetConfigs;
  [key: string]: unknown;
}

/** The definition of an app without a graph as the editor shows it; `live_id` is the version clients use. */
export interface ConfigDraft {
  config: ModelConfig;
  hash: string;
  published: boolean;
  live_id: string | null;
}

export interface RetrievalModel {
  search_method: 'semantic_search' | 'full_text_search' | 'hybrid_search' | 'keyword_search';
  reranking_enable?: boolean;
  top_k: number;
  score_threshold_enabled: boolean;
  score_threshold: number | null;
  weights?: DatasetConfigs['weights'];
  [key: string]: unknown;
}

/** Dify's `summary_index_setting`: whether and by which model summaries are written. */
export interface SummarySetting {
  enable?: boolean | null;
  model_name?: string | null;
  model_provider_name?: string | null;
  summary_prompt?: string | null;
}

export interface SummaryEstimate {
  passages: number;
  characters: number;
  written: number;
  written_characters: number;
  model: { provider: string; model: string };
}

export interface Segmentation {
  separator: string;
  max_tokens: number;
  chunk_overlap: number;
}

export interface ProcessRule {
  mode: 'automatic' | 'custom' | 'hierarchical';
  rules?: {
    pre_processing_rules: { id: 'remove_extra_spaces' | 'remove_urls_emails'; enabled: boolean }[];
    segmentation: Segmentation;
    parent_mode?: 'paragraph' | 'full-doc';
    subchunk_segmentation?: Segmentation;
  };
}

export interface Doc {
  id: string;
  name: string;
  indexing_status: string;
  display_status: string;
  stage?: string | null;
  done?: number | null;
  total?: number | null;
  speed?: number | null;
  error?: string | null;
  error_code?: string | null;
  word_count?: number | null;
  tokens?: number | null;
  hit_count?: number | null;
  created_at: number;
  enabled: boolean;
  archived: boolean;
  data_source_type?: string;
  data_source_info?: { url?: string } | null;
  mime_type?: string | null;
  size?: number | null;
  notices?: { code: string; message: string; pages?: number[]; total?: number }[] | null;
  segment_count?: number;
  doc_form?: string;
  doc_metadata?: { id: string; name: string; type: string; value: unknown }[] | null;
  summary_state?: string;
  summary_error?: string | null;
  summary_done?: number;
  summary_total?: number;
}

/** An image of a passage. */
export interface Attachment {
  id: string;
  name: string;
  size: number;
  extension: string;
  mime_type: string;
  source_url: string;
}

export interface Segment {
  id: string;
  position: number;
  content: string;
  answer?: string | null;
  word_count?: number;
  tokens?: number;
  keywords?: string[];
  enabled?: boolean;
  hit_count?: number;
  heading?: string[];
  place_kind?: string;
  place?: string;
  child_chunks?: { id: string; content: string; position?: number }[];
  attachments?: Attachment[];
  document?: { id: string; name: string };
  summary?: string | null;
  summary_due?: boolean;
}

export interface Memory {
  vectors: number;
  bytes_now: number;
  bytes_after: number;
  bytes_limit: number;
  bytes_per_10k: number;
  fits: boolean;
}

export interface Estimate {
  total_segments: number;
  partial: boolean;
  preview: { content: string; child_chunks?: string[] | null; heading?: string[] }[];
  qa_preview: { question: string; answer: string }[] | null;
  memory: Memory;
}

export interface HitTest {
  query: { content: string };
  records: { segment: Segment & { document: { id: string; name: string; doc_metadata?: Record<string, unknown> | null } }; score: number; scores?: { semantic_search?: number; full_text_search?: number }; child_chunks?: { id: string; content: string; score?: number }[] | null; files?: Attachment[] | null; summary?: string | null; by_summary?: boolean }[];
}

export interface Citation {
  position: number;
  dataset_id: string;
  dataset_name: string;
  document_id: string;
  document_name: string;
  segment_id: string;
  score: number | null;
  content: string;
  /** All that answers of earlier versions say of the place. */
  page?: number | null;
  place_kind?: string | null;
  place?: string | null;
  heading?: string | null;
  files?: Attachment[] | null;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  latency?: number;
}

/** A knowledge base that could not be asked. */
export interface Away {
  dataset_id: string;
  dataset_name: string;
  error: string;
  by_words?: boolean;
}

export interface MessageMetadata {
  usage?: Usage;
  retriever_resources?: Citation[];
  knowledge_away?: Away[];
}

export interface LogMessage {
  id: string;
  workflow_run_id?: string | null;
  conversation_id: string;
  query: string;
  answer: string;
  inputs?: Record<string, unknown>;
  feedback?: { rating: 'like' | 'dislike' | null } | null;
  feedbacks?: { rating: 'like' | 'dislike' | null; from_source?: string }[];
  retriever_resources?: Citation[];
  metadata?: MessageMetadata | null;
  status?: string;
  error?: string | null;
  created_at: number;
}

/** Conditions on documents' metadata, in Dify's form; times are Unix seconds. */
export interface Conditions {
  logical_operator: 'and' | 'or';
  conditions: { name: string; comparison_operator: string; value?: string | number | string[] | null }[];
}

export interface MetadataField {
  id: string;
  name: string;
  type: 'string' | 'number' | 'time';
  count: number;
}

export interface DatasetMetadata {
  doc_metadata: MetadataField[];
  built_in_field_enabled: boolean;
  built_in: { name: string; type: string }[];
}

export interface Statistics {
  documents: number;
  available_documents: number;
  segments: number;
  words: number;
  tokens: number;
  vectors: number;
  vectors_waiting: number;
  summaries: number;
  queries_30_days: number;
  hits: number;
  failed: number;
  apps: number;
  bytes_files: number;
  bytes_text: number;
  bytes_vectors: number;
  bytes_memory: number;
  most_found: { id: string; name: string; hits: number }[];
}

export interface Reindex {
  model: string;
  provider: string;
  done: number;
  total: number;
  state: string;
  error: string | null;
}

/** A piece of a document's running text. */
export interface TextPiece {
  segment_id: string;
  position: number;
  text: string;
  content: string;
  answer: string | null;
  kind: string;
  heading: string[];
  place_kind: string;
  place: string;
  images: Pick<Attachment, 'id' | 'name'>[];
}

export type Extension = Schemas['Extension'];
export type ExternalServer = Schemas['Server'];
