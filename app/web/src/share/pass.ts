import { http, setPass } from '@/api/http';
import type { AppMode, InputForm } from '@/api/types';

/** What the page of a published app shows. */
export interface SharedApp {
  app_id: string;
  mode: AppMode;
  published: boolean;
  site: {
    title: string;
    description: string | null;
    icon: string;
    icon_type: string;
    icon_background: string | null;
    custom_disclaimer: string;
    copyright: string | null;
    privacy_policy: string | null;
  };
}

export interface SharedParameters {
  opening_statement: string;
  suggested_questions: string[];
  user_input_form: InputForm;
  file_upload?: unknown;
  [feature: string]: unknown;
}

export interface SharedTalk {
  id: string;
  name: string;
  inputs: Record<string, unknown>;
  created_at: number;
}

/** The visitor's pass for one app, kept in this browser; a stale one is replaced. */
export async function enter(code: string): Promise<SharedApp> {
  const store = `sparrow-pass-${code}`;
  const known = localStorage.getItem(store);
  if (known) {
    setPass(known);
    try {
      return await http.get<SharedApp>('/api/site');
    } catch (error) {
      if ((error as { status?: number }).status !== 401) throw error;
    }
  }
  const { access_token } = await http.get<{ access_token: string }>('/api/passport', { code });
  localStorage.setItem(store, access_token);
  setPass(access_token);
  return http.get<SharedApp>('/api/site');
}
