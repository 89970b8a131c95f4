import type { AppMode } from '@/api/types';

export type ExampleKind = 'curl' | 'python' | 'openai';

/** The call an app of this kind answers: path and body of the service API. */
export function call(mode: AppMode, question: string): { path: string; body: Record<string, unknown> } {
  const user = 'anna';
  if (mode === 'workflow') return { path: '/workflows/run', body: { inputs: { text: question }, response_mode: 'blocking', user } };
  if (mode === 'completion') return { path: '/completion-messages', body: { inputs: { query: question }, response_mode: 'blocking', user } };
  // Agent apps answer as a stream only.
  const response_mode = mode === 'agent-chat' ? 'streaming' : 'blocking';
  return { path: '/chat-messages', body: { inputs: {}, query: question, response_mode, conversation_id: '', user } };
}

function python(value: unknown, indent: string): string {
  return JSON.stringify(value, null, 4).replace(/\n/g, `\n${indent}`);
}

/** A program that asks the app one question, ready to paste. */
export function example(kind: ExampleKind, mode: AppMode, base: string, question: string): string {
  const { path, body } = call(mode, question);
  if (kind === 'curl') {
    return [
      `curl --cacert sparrow-ca.crt '${base}${path}' \\`,
      `  -H 'Authorization: Bearer app-YOUR-KEY' \\`,
      `  -H 'Content-Type: application/json' \\`,
      `  -d '${JSON.stringify(body, null, 2).replace(/'/g, "'\\''")}'`,
    ].join('\n');
  }
  if (kind === 'openai') {
    return [
      'import httpx',
      'from openai import OpenAI',
      '',
      'client = OpenAI(',
      `    base_url="${base}",`,
      '    api_key="app-YOUR-KEY",',
      '    http_client=httpx.Client(verify="sparrow-ca.crt"),',
      ')',
      'answer = client.chat.completions.create(',
      '    model="app",',
      `    messages=[{"role": "user", "content": ${JSON.stringify(question)}}],`,
      ')',
      'print(answer.choices[0].message.content)',
    ].join('\n');
  }
  const field = mode === 'workflow' ? '["data"]["outputs"]' : '["answer"]';
  const streaming = body.response_mode === 'streaming';
  return [
    'import requests',
    '',
    'answer = requests.post(',
    `    "${base}${path}",`,
    '    headers={"Authorization": "Bearer app-YOUR-KEY"},',
    `    json=${python(body, '    ')},`,
    '    verify="sparrow-ca.crt",',
    ...(streaming ? ['    stream=True,'] : []),
    ')',
    'answer.raise_for_status()',
    ...(streaming ? ['for line in answer.iter_lines(decode_unicode=True):', '    print(line)'] : [`print(answer.json()${field})`]),
  ].join('\n');
}
