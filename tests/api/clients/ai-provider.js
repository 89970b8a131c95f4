// Uses Vercel's AI SDK through dify-ai-provider against a server and prints what came back, as JSON.
//   node ai-provider.js '{"url": …, "chat": KEY, "flow": KEY}'
import { generateText, streamText } from 'ai';
import { createDifyProvider } from 'dify-ai-provider';

const { url, chat: apiKey, flow: flowKey } = JSON.parse(process.argv[2]);
const provider = createDifyProvider({ baseURL: `${url}/v1` });
const inputs = { who: 'Bob' };
const model = provider('any', { apiKey, responseMode: 'blocking', inputs, logger: false });
const user = { 'user-id': 'u1' };
const seen = {};

const first = await generateText({ model, messages: [{ role: 'user', content: 'hello there' }], headers: user });
const dify = first.providerMetadata.difyWorkflowData;
seen.first = { text: first.text, usage: first.usage, dify, finish: first.finishReason };
const second = await generateText({
  model,
  messages: [{ role: 'user', content: 'again' }],
  headers: { ...user, 'chat-id': dify.conversationId },
});
seen.second = { text: second.text, dify: second.providerMetadata.difyWorkflowData };

const png = Buffer.from('iVBORw0KGgo=', 'base64');
const picture = await generateText({
  model,
  headers: user,
  messages: [{ role: 'user', content: [{ type: 'text', text: 'look' }, { type: 'file', mediaType: 'image/png', data: png }] }],
});
seen.picture = picture.text;

async function stream(model, content) {
  const parts = [];
  const run = streamText({ model, messages: [{ role: 'user', content }], headers: user, onError: () => {} });
  for await (const part of run.fullStream) {
    parts.push({ type: part.type, text: part.text, error: part.error && String(part.error.message ?? part.error) });
  }
  return { parts, text: parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join('') };
}
const streaming = (key) => provider.chat('any', { apiKey: key, inputs, logger: false });
seen.stream = await stream(streaming(apiKey), 'hello there');
seen.flow = await stream(streaming(flowKey), 'hello there');
seen.failed = await stream(streaming(apiKey), '<<error:rate_limit>>');
try {
  await generateText({ model: provider('any', { apiKey: 'app-wrong', logger: false }), prompt: 'x', maxRetries: 0 });
} catch (error) {
  seen.wrongKey = { status: error.statusCode, message: error.message };
}
const tool = { name: 'find', description: 'Finds.', inputSchema: { type: 'object', properties: { q: { type: 'string' } } } };
const called = await provider('any', { apiKey, inputs, logger: false }).doGenerate({
  prompt: [{ role: 'user', content: [{ type: 'text', text: '<<say:{"name": "find", "arguments": {"q": "x"}}>>' }] }],
  tools: [{ type: 'function', ...tool }],
  headers: user,
});
seen.tool = { finish: called.finishReason, content: called.content.map(({ toolCallId: _, ...rest }) => rest) };
console.log(JSON.stringify(seen));
