import { useQuery } from '@tanstack/react-query';

import { http } from '@/api/http';
import type { components } from '@/api/schema';
import { currentLanguage } from '@/i18n';
import { serverText } from '@/ui/serverText';

export type ToolKind = 'builtin' | 'api' | 'mcp' | 'workflow';
type Words = Partial<Record<'en_US' | 'zh_Hans', string>>;

export interface ToolParameter {
  name: string;
  label: Words;
  type: string;
  form: 'llm' | 'form';
  required: boolean;
  default: unknown;
  options: string[];
}

export interface Tool {
  name: string;
  label: Words;
  description: Words;
  parameters: ToolParameter[];
}

export interface ToolProvider {
  id: string;
  name: string;
  type: ToolKind;
  label: Words;
  description: Words;
  authorized: boolean;
  tools: Tool[];
  credentials_schema: ToolParameter[];
  error: string | null;
}

export interface Tried {
  ok: boolean;
  result: string;
  error: string | null;
  latency_ms: number;
}

export interface ApiCredentials {
  auth_type: 'none' | 'api_key_header' | 'api_key_query';
  api_key_header: string;
  api_key_header_prefix: 'basic' | 'bearer' | 'custom';
  api_key_query_param: string;
  api_key_value: string;
}

export interface DocumentRead {
  schema: string;
  title: string;
  base_url: string;
  tools: Tool[];
  warnings: string[];
}

type Schemas = components['schemas'];
export type StoredApi = Schemas['ApiTool'];
export type StoredMcp = Schemas['McpTool'];
export type StoredWorkflow = Schemas['WorkflowTool'];
export type ToolCredential = Schemas['ToolCredential'];

interface Bodies {
  api: Schemas['SaveApiTool'];
  mcp: Schemas['SaveMcpTool'];
  workflow: Schemas['SaveWorkflowTool'];
}

export function words(text: Words, fallback: string): string {
  return (currentLanguage() === 'zh' ? serverText(text.zh_Hans ?? text.en_US ?? '') : (text.en_US ?? text.zh_Hans)) || fallback;
}

export function useTools() {
  return useQuery({ queryKey: ['tools'], queryFn: () => http.get<{ data: ToolProvider[] }>('/tools') });
}

export const toolApi = {
  read: (body: { schema?: string; url?: string; base_url?: string }) => http.post<DocumentRead>('/tool-providers/api/schema', body),
  /** Stores a new tool, or changes the one with this id. */
  save: <K extends keyof Bodies>(kind: K, id: string | undefined, body: Bodies[K]) =>
    id ? http.put(`/tool-providers/${kind}/${id}`, body) : http.post(`/tool-providers/${kind}`, body),
  get: (provider: ToolProvider) => http.get<StoredApi | StoredMcp | StoredWorkflow>(`/tool-providers/${provider.type}/${provider.id}`),
  programs: () => http.get<{ data: string[] }>('/tool-providers/mcp/programs'),
  remove: (provider: ToolProvider, id: string) => http.delete(`/tool-providers/${provider.type}/${id}`),
  refresh: (id: string) => http.post(`/tool-providers/mcp/${id}/refresh`, {}),
  test: (provider: ToolProvider, tool: string, parameters: Record<string, string>) =>
    http.post<Tried>('/tools/test', { provider_type: provider.type, provider_id: provider.id, tool_name: tool, parameters }),
  workflows: () => http.get<{ data: { id: string; name: string; published: boolean }[] }>('/apps', { mode: 'workflow', limit: 100 }),
};

export const credentialApi = {
  list: (provider: string) => http.get<{ data: ToolCredential[] }>(`/tool-providers/builtin/${provider}/credentials`),
  save: (provider: string, id: string | undefined, body: Schemas['SaveToolCredential']) =>
    id ? http.put(`/tool-providers/builtin/${provider}/credentials/${id}`, body) : http.post(`/tool-providers/builtin/${provider}/credentials`, body),
  remove: (provider: string, id: string) => http.delete(`/tool-providers/builtin/${provider}/credentials/${id}`),
};
