/** Shapes of the console API. Times are Unix seconds. */

export interface Page<T> {
  data: T[];
  has_more: boolean;
  limit: number;
  page: number;
  total: number;
}

export interface Session {
  setup: boolean;
  authenticated: boolean;
  csrf_token: string | null;
  version: string;
  language: string | null;
  name: string | null;
}

export interface Health {
  status: 'ok' | 'degraded' | 'error';
  version: string;
  programs: { name: string; state: string; since?: number | null; detail?: string | null }[];
  disk?: { total: number; free: number };
  memory?: { total?: number; available?: number; free?: number; used?: number };
  problems?: { level: string; what: string; message: string }[];
}

export type AppMode = 'chat' | 'completion' | 'agent-chat' | 'advanced-chat' | 'workflow';

export interface App {
  id: string;
  name: string;
  mode: AppMode;
  icon: string | null;
  icon_type: string | null;
  icon_background: string | null;
  description: string;
  created_at: number;
  updated_at: number;
  enable_site: boolean;
  enable_api: boolean;
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

export interface ImportWarning {
  code: string;
  node_id?: string | null;
  title?: string | null;
  message: string;
}

export interface ImportResult {
  id: string;
  status: 'completed' | 'completed-with-warnings' | 'pending' | 'failed';
  app_id: string | null;
  app_mode: AppMode | null;
  current_dsl_version: string;
  imported_dsl_version: string;
  error: string;
  warnings?: ImportWarning[];
}

export interface ApiKey {
  id: string;
  name?: string | null;
  token_masked: string;
  created_at: number;
  last_used_at: number | null;
}

export type ModelType = 'llm' | 'text-embedding' | 'rerank' | 'speech2text' | 'tts' | 'moderation';

export interface Model {
  model: string;
  type: ModelType;
  features: string[];
  context_size: number | null;
  enabled: boolean;
  /** The admin added it, and may take it away. */
  custom?: boolean;
}

export interface ListedModel extends Model {
  provider: string;
  provider_label?: Localised;
}

export interface Localised {
  zh?: string;
  en?: string;
}

export interface Credential {
  id: string;
  name: string;
  base_url: string;
  key_masked: string;
  created_at: number;
}

export interface Provider {
  provider: string;
  label: Localised;
  icon?: string | null;
  kind: 'preset' | 'custom';
  configured: boolean;
  credentials: Credential[];
  models: Model[];
  defaults: { base_url?: string | null; key_required?: boolean; help_url?: string | null };
}

export interface ProviderTest {
  ok: boolean;
  latency_ms?: number | null;
  models: (string | { model: string; type?: ModelType; features?: string[]; context_size?: number | null })[];
  error?: string | null;
}

export type DefaultModels = Partial<Record<ModelType, { provider: string; model: string } | null>>;

export interface RetrievalModel {
  search_method: 'semantic_search' | 'full_text_search' | 'hybrid_search' | 'keyword_search';
  reranking_enable?: boolean;
  top_k: number;
  score_threshold_enabled: boolean;
  score_threshold: number | null;
  weights?: DatasetConfigs['weights'];
  [key: string]: unknown;
}

export interface Dataset {
  id: string;
  name: string;
  description: string | null;
  indexing_technique: string | null;
  embedding_model?: string | null;
  embedding_model_provider?: string | null;
  document_count: number;
  word_count: number;
  app_count: number;
  created_at: number;
  updated_at?: number;
  retrieval_model_dict?: RetrievalModel;
  retrieval_model?: RetrievalModel;
}

export interface UploadedFile {
  id: string;
  name: string;
  size: number;
  extension: string;
  mime_type: string;
  created_at: number;
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
  word_count?: number | null;
  tokens?: number | null;
  hit_count?: number | null;
  created_at: number;
  enabled: boolean;
  archived: boolean;
  data_source_type?: string;
  mime_type?: string | null;
  size?: number | null;
  notices?: { code: string; message: string; pages?: number[]; total?: number }[] | null;
  segment_count?: number;
  doc_form?: string;
  doc_metadata?: { id: string; name: string; type: string; value: unknown }[] | null;
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
  document?: { id: string; name: string };
}

export interface Estimate {
  total_segments: number;
  preview: { content: string; child_chunks?: string[] }[];
}

export interface HitTest {
  query: { content: string };
  records: { segment: Segment & { document: { id: string; name: string } }; score: number; child_chunks?: { id: string; content: string; score?: number }[] | null }[];
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
  page?: number | null;
  heading?: string | null;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  latency?: number;
}

export interface MessageMetadata {
  usage?: Usage;
  retriever_resources?: Citation[];
}

export interface Conversation {
  id: string;
  name: string;
  status?: string;
  from_source?: string | null;
  from_end_user_session_id?: string | null;
  user?: string | null;
  message_count?: number;
  created_at: number;
  updated_at?: number;
}

export interface LogMessage {
  id: string;
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
