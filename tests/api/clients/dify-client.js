// Runs every method of npm's dify-client against a server and prints what came back, as JSON.
//   node dify-client.js '{"url": …, "chat": KEY, "completion": KEY, "workflow": KEY}'
import { ChatClient, CompletionClient, DifyClient } from 'dify-client';

const { url, chat: chatKey, completion: completionKey, workflow: workflowKey } = JSON.parse(process.argv[2]);
const base = `${url}/v1`;
const said = (reply) => ({ status: reply.status, data: reply.data });
const refused = async (call) => {
  try {
    return said(await call);
  } catch (error) {
    return { status: error.response?.status, data: error.response?.data, failed: error.message };
  }
};

async function streamed(call) {
  const reply = await call;
  let text = '';
  for await (const piece of reply.data) text += piece.toString();
  return { type: reply.headers['content-type'], frames: text.split('\n\n').filter(Boolean) };
}

const chat = new ChatClient('app-wrong', base);
const seen = { wrongKey: await refused(chat.getApplicationParameters('u1')) };
chat.updateApiKey(chatKey);
seen.parameters = said(await chat.getApplicationParameters('u1'));
seen.first = said(await chat.createChatMessage({ who: 'Bob' }, 'hello there', 'u1'));
const conversation = seen.first.data.conversation_id;
const form = new FormData();
form.append('file', new Blob([Buffer.from('iVBORw0KGgo=', 'base64')], { type: 'image/png' }), 'dot.png');
form.append('user', 'u1');
seen.upload = said(await chat.fileUpload(form));
const file = { type: 'image', transfer_method: 'local_file', upload_file_id: seen.upload.data.id };
seen.stream = await streamed(chat.createChatMessage({ who: 'Bob' }, 'look', 'u1', true, conversation, [file]));
seen.messages = said(await chat.getConversationMessages('u1', conversation));
seen.page = said(await chat.getConversationMessages('u1', conversation, seen.messages.data.data[1].id, 1));
seen.feedback = said(await chat.messageFeedback(seen.first.data.message_id, 'dislike', 'u1'));
seen.unrated = said(await chat.messageFeedback(seen.first.data.message_id, null, 'u1'));
seen.conversations = said(await chat.getConversations('u1', null, 5, true));
seen.renamed = said(await chat.renameConversation(conversation, 'new name', 'u1', false));
seen.autoNamed = said(await chat.renameConversation(conversation, null, 'u1', true));
seen.missing = await refused(chat.createChatMessage({}, 'x', 'u1'));
seen.deleted = said(await chat.deleteConversation(conversation, 'u1'));
seen.gone = await refused(chat.getConversationMessages('u1', conversation));
seen.wrongMode = await refused(new CompletionClient(chatKey, base).runWorkflow({}, 'u1'));

const completion = new CompletionClient(completionKey, base);
seen.completion = said(await completion.createCompletionMessage({ query: 'abc' }, 'u1'));
seen.completionStream = await streamed(completion.createCompletionMessage({ query: 'abc' }, 'u1', true));
const workflow = new CompletionClient(workflowKey, base);
seen.run = said(await workflow.runWorkflow({ word: 'w' }, 'u1'));
seen.runStream = await streamed(workflow.runWorkflow({ word: 'w' }, 'u1', true));
seen.raw = said(await new DifyClient(workflowKey, base).sendRequest('GET', `/workflows/run/${seen.run.data.workflow_run_id}`));
console.log(JSON.stringify(seen));
