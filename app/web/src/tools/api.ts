import { useQuery } from '@tanstack/react-query';

import { http } from '@/api/http';
import { currentLanguage } from '@/i18n';

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

interface Stored {
  id: string;
}

export function words(text: Words, fallback: string): string {
  return (currentLanguage() === 'zh' ? (text.zh_Hans ?? text.en_US) : (text.en_US ?? text.zh_Hans)) || fallback;
}

export function useTools() {
  return useQuery({ queryKey: ['tools'], queryFn: () => http.get<{ data: ToolProvider[] }>('/tools') });
}

export const toolApi = {
  read: (body: { schema?: string; url?: string; base_url?: string }) => http.post<DocumentRead>('/tool-providers/api/schema', body),
  addApi: (body: { name: string; schema: string; base_url: string; source: string; credentials: ApiCredentials }) =>
    http.post<Stored>('/tool-providers/api', body),
  addMcp: (body: { name: string; server_identifier: string; server_url: string; headers: Record<string, string> }) =>
    http.post<Stored>('/tool-providers/mcp', body),
  addWorkflow: (body: { workflow_app_id: string; name: string; label: string; description: string }) =>
    http.post<Stored>('/tool-providers/workflow', body),
  remove: (provider: ToolProvider, id: string) => http.delete(`/tool-providers/${provider.type}/${id}`),
  refresh: (id: string) => http.post(`/tool-providers/mcp/${id}/refresh`, {}),
  test: (provider: ToolProvider, tool: string, parameters: Record<string, string>) =>
    http.post<Tried>('/tools/test', { provider_type: provider.type, provider_id: provider.id, tool_name: tool, parameters }),
  workflows: () => http.get<{ data: { id: string; name: string; published: boolean }[] }>('/apps', { mode: 'workflow', limit: 100 }),
};
