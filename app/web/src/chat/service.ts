import { http, send, upload } from '@/api/http';

/** What a chat may ask of the box besides answers; what is absent is not offered. */
export interface ChatService {
  upload?: (file: File, onProgress: (share: number) => void, signal: AbortSignal) => Promise<{ id: string }>;
  /** Writes down what is said in a recording. */
  transcribe?: (sound: File) => Promise<string>;
  /** Says an answer aloud; resolves to the sound. */
  speak?: (messageId: string) => Promise<Blob>;
  /** Questions to ask next. */
  suggest?: (messageId: string) => Promise<string[]>;
  /** Fills a form of a run that waits. */
  fill?: (token: string, inputs: Record<string, unknown>, action: string) => Promise<unknown>;
  /** Where the events of a run can be followed. */
  follow?: (runId: string) => string;
  /** Where another text like a written one comes from. */
  more?: (messageId: string) => string;
}

interface Served {
  speech: boolean;
  voice: boolean;
  followUps: boolean;
  more: boolean;
}

const nothing = () => undefined;

/** The service behind `base`: "/api" of a visitor, "/apps/{id}" of the console. */
export function chatService(base: string, has: Served): ChatService {
  const site = base === '/api';
  return {
    upload: (file, onProgress, signal) => upload<{ id: string }>(site ? '/api/files/upload' : '/files/upload', file, onProgress, signal),
    fill: (token, inputs, action) => http.post(site ? `/api/form/human_input/${token}` : `${base}/forms/${token}`, { inputs, action }),
    follow: (runId) => (site ? `/api/workflow/${runId}/events` : `${base}/workflow-runs/${runId}/events`),
    ...(has.speech ? { transcribe: async (sound: File) => (await upload<{ text: string }>(`${base}/audio-to-text`, sound, nothing)).text } : {}),
    ...(has.voice ? { speak: async (id: string) => (await send('POST', `${base}/text-to-audio`, { body: { message_id: id } })).blob() } : {}),
    ...(has.more ? { more: (id: string) => `${base}/messages/${id}/more-like-this` } : {}),
    ...(has.followUps ? { suggest: async (id: string) => (await http.get<{ data: string[] }>(`${base}/messages/${id}/suggested-questions`)).data } : {}),
  };
}

/** Which of the service's parts an app's configuration (or `/parameters`) switches on. */
export function served(features: Record<string, unknown>): Served {
  const on = (name: string) => (features[name] as { enabled?: boolean } | undefined)?.enabled === true;
  return { speech: on('speech_to_text'), voice: on('text_to_speech'), followUps: on('suggested_questions_after_answer'), more: on('more_like_this') };
}
