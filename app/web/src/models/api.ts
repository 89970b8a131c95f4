import { useQuery } from '@tanstack/react-query';

import { http } from '@/api/http';
import type { DefaultModels, ListedModel, Localised, ModelType, Provider, ProviderTest } from '@/api/types';
import { currentLanguage } from '@/i18n';

export const MODEL_TYPES: ModelType[] = ['llm', 'text-embedding', 'rerank', 'speech2text', 'tts', 'moderation'];

export function useProviders() {
  return useQuery({ queryKey: ['providers'], queryFn: () => http.get<{ data: Provider[] }>('/model-providers') });
}

export function useModels(type: ModelType) {
  return useQuery({
    queryKey: ['models', type],
    queryFn: () => http.get<{ data: ListedModel[] }>('/models', { type }),
  });
}

export function useDefaultModels() {
  return useQuery({ queryKey: ['default-models'], queryFn: () => http.get<DefaultModels>('/default-models') });
}

export interface CredentialInput {
  name: string;
  base_url: string;
  api_key?: string;
}

export interface ModelInput {
  model: string;
  type: ModelType;
  features: string[];
  context_size: number | null;
}

const at = (provider: string) => `/model-providers/${encodeURIComponent(provider)}`;

export const modelApi = {
  test: (provider: string, body: { base_url: string; api_key: string; model?: string; credential_id?: string }) =>
    http.post<ProviderTest>(`${at(provider)}/test`, body),
  addCredential: (provider: string, input: CredentialInput) => http.post<{ id: string }>(`${at(provider)}/credentials`, input),
  editCredential: (provider: string, id: string, input: CredentialInput) => http.patch(`${at(provider)}/credentials/${id}`, input),
  removeCredential: (provider: string, id: string) => http.delete(`${at(provider)}/credentials/${id}`),
  addModel: (provider: string, input: ModelInput) => http.post(`${at(provider)}/models`, input),
  removeModel: (provider: string, type: ModelType, model: string) =>
    http.delete(`${at(provider)}/models/${type}/${encodeURIComponent(model)}`),
  setDefaults: (defaults: DefaultModels) => http.post('/default-models', defaults),
};

export function localised(label: Localised | string | undefined, fallback: string): string {
  if (!label) return fallback;
  if (typeof label === 'string') return label;
  return (currentLanguage() === 'zh' ? label.zh || label.en : label.en || label.zh) || fallback;
}

/** What a model is for, judged by its name; the reader can correct it. */
export function guessType(model: string): ModelType {
  const name = model.toLowerCase();
  if (/rerank/.test(name)) return 'rerank';
  if (/embed|bge-|gte-|\be5\b|e5-|m3e|jina-clip|text-similarity/.test(name)) return 'text-embedding';
  if (/whisper|asr|sensevoice|transcrib|paraformer/.test(name)) return 'speech2text';
  if (/\btts\b|tts-|cosyvoice|speech-0/.test(name)) return 'tts';
  if (/moderation/.test(name)) return 'moderation';
  return 'llm';
}

/** Abilities of a chat model, judged by its name. */
export function guessFeatures(model: string): string[] {
  if (guessType(model) !== 'llm') return [];
  const name = model.toLowerCase();
  const features: string[] = [];
  if (!/instruct-0|base$|smollm|tinyllama/.test(name)) features.push('tool-call', 'multi-tool-call', 'stream-tool-call');
  if (/vision|-vl|gpt-4o|gpt-4\.1|gpt-5|claude|gemini|llava|pixtral|omni|4v\b|4\.5v/.test(name)) features.push('vision');
  if (/deepseek-r|reasoner|qwq|thinking|\bo[134]\b/.test(name)) features.push('agent-thought');
  return features;
}
