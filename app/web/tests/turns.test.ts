import { describe, expect, it } from 'vitest';

import { applyEvent, newTurn, settle, splitThinking, type Turn } from '../src/chat/turns';

const run = (events: ({ event: string } & Record<string, unknown>)[]): Turn => events.reduce(applyEvent, newTurn('q'));

describe('applyEvent', () => {
  it('gathers a chat answer with its sources', () => {
    const turn = run([
      { event: 'message', task_id: 't', conversation_id: 'c', message_id: 'm', answer: 'Hel' },
      { event: 'message', answer: 'lo' },
      { event: 'message_end', metadata: { usage: { total_tokens: 7 }, retriever_resources: [{ position: 1, segment_id: 's' }], knowledge_away: [{ dataset_id: 'd', dataset_name: 'There', error: 'gone' }] } },
    ]);
    expect(turn).toMatchObject({ answer: 'Hello', status: 'done', taskId: 't', conversationId: 'c', messageId: 'm' });
    expect(turn.usage?.total_tokens).toBe(7);
    expect(turn.citations[0]?.segment_id).toBe('s');
    expect(turn.away?.[0]?.dataset_name).toBe('There');
  });
  it('replaces an agent thought that is told again', () => {
    const turn = run([
      { event: 'agent_thought', id: 'a', tool: 'time' },
      { event: 'agent_thought', id: 'a', tool: 'time', observation: '12:00' },
    ]);
    expect(turn.thoughts).toHaveLength(1);
    expect(turn.thoughts[0]?.observation).toBe('12:00');
  });
  it('keeps a failure when the stream says more afterwards', () => {
    const turn = run([{ event: 'workflow_finished', data: { status: 'failed', error: 'boom' } }, { event: 'message_end', metadata: {} }]);
    expect(turn.status).toBe('failed');
    expect(turn.error?.message).toBe('boom');
  });
  it('follows the steps of a graph', () => {
    const turn = run([
      { event: 'node_started', data: { id: 'e1', node_id: 'n', node_type: 'llm', title: 'LLM' } },
      { event: 'node_retry', data: { id: 'e1' } },
      { event: 'node_finished', data: { id: 'e1', node_id: 'n', node_type: 'llm', title: 'LLM', status: 'succeeded', elapsed_time: 1 } },
    ]);
    expect(turn.steps).toMatchObject([{ status: 'succeeded', retries: 1, elapsed: 1 }]);
  });
});

describe('settle', () => {
  it('calls a stream that just ends broken, and one that was stopped stopped', () => {
    const open = applyEvent(newTurn('q'), { event: 'message', answer: 'x' });
    expect(settle(open, false)).toMatchObject({ status: 'failed', error: { code: 'broken_stream' } });
    expect(settle(open, true).status).toBe('stopped');
  });
});

describe('splitThinking', () => {
  it('separates thoughts, also unfinished ones', () => {
    expect(splitThinking('<think>a</think>b')).toEqual([{ kind: 'thinking', text: 'a' }, { kind: 'text', text: 'b' }]);
    expect(splitThinking('<think>a')).toEqual([{ kind: 'thinking', text: 'a', open: true }]);
    expect(splitThinking('plain')).toEqual([{ kind: 'text', text: 'plain' }]);
  });
});
