import type { Away, Citation, MessageMetadata, Usage } from '@/api/types';
import type { StreamEvent } from '@/api/sse';

import type { SentFile } from './files';

export interface Thought {
  id: string;
  thought: string;
  tool: string;
  input: string;
  observation: string;
}

/** One step of a graph as the trace shows it. */
export interface Step {
  id: string;
  nodeId: string;
  type: string;
  title: string;
  status: 'running' | 'succeeded' | 'failed' | 'exception' | 'stopped' | 'paused';
  elapsed?: number;
  error?: string;
  inputs?: unknown;
  processData?: unknown;
  outputs?: unknown;
  tokens?: number;
  /** Runs inside this container's node (iteration or loop). */
  parent?: string;
  retries?: number;
}

/** A form that a run waits for. */
export interface Ask {
  nodeId: string;
  title: string;
  /** Null once nobody may fill it any more. */
  token: string | null;
  /** Markdown; `{{#$output.NAME#}}` stands where the input NAME goes. */
  content: string;
  inputs: { name: string; value: string }[];
  actions: { id: string; title: string; style: string }[];
  expires?: number;
  /** Title of the button that was pressed, or "timeout". */
  answer?: string;
}

/** A question and what became of it. */
export interface Turn {
  key: string;
  query: string;
  answer: string;
  status: 'waiting' | 'streaming' | 'done' | 'failed' | 'stopped' | 'paused';
  files?: SentFile[];
  asks?: Ask[];
  error?: { code: string; message: string };
  taskId?: string;
  messageId?: string;
  conversationId?: string;
  runId?: string;
  citations: Citation[];
  /** Knowledge bases that could not be asked. */
  away?: Away[];
  thoughts: Thought[];
  steps: Step[];
  usage?: Usage;
  elapsed?: number;
  outputs?: unknown;
  rating?: 'like' | 'dislike' | null;
}

/** Kind and number of the place that a citation names. */
export function placeOf(citation: Citation): [kind: string, place: string] {
  return citation.place_kind && citation.place ? [citation.place_kind, citation.place] : ['page', citation.page ? String(citation.page) : ''];
}

export function newTurn(query: string, files: SentFile[] = []): Turn {
  return { key: crypto.randomUUID(), query, files, answer: '', status: 'waiting', citations: [], thoughts: [], steps: [] };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const object = (value: unknown): Record<string, unknown> =>
  value && typeof value === 'object' ? (value as Record<string, unknown>) : {};

function withStep(steps: Step[], step: Step): Step[] {
  const at = steps.findIndex((s) => s.id === step.id);
  return at < 0 ? [...steps, step] : steps.map((s, i) => (i === at ? { ...s, ...step } : s));
}

function readStep(data: Record<string, unknown>, status: Step['status']): Step {
  const meta = object(data.execution_metadata);
  return {
    id: text(data.id) || text(data.node_id),
    nodeId: text(data.node_id),
    type: text(data.node_type),
    title: text(data.title),
    status,
    ...(typeof data.elapsed_time === 'number' ? { elapsed: data.elapsed_time } : {}),
    ...(text(data.error) ? { error: text(data.error) } : {}),
    ...(data.inputs === undefined ? {} : { inputs: data.inputs }),
    ...(data.process_data === undefined ? {} : { processData: data.process_data }),
    ...(data.outputs === undefined ? {} : { outputs: data.outputs }),
    ...(typeof meta.total_tokens === 'number' ? { tokens: meta.total_tokens } : {}),
    ...(text(data.iteration_id) || text(data.loop_id) ? { parent: text(data.iteration_id) || text(data.loop_id) } : {}),
  };
}

const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(object) : []);

/** A form as the event, or a message's `form_definition`, describes it. */
export function readAsk(data: Record<string, unknown>): Ask {
  const known = object(data.resolved_default_values);
  return {
    nodeId: text(data.node_id),
    title: text(data.node_title),
    token: text(data.form_token) || null,
    content: text(data.form_content),
    inputs: list(data.inputs).map((input) => {
      const name = text(input.output_variable_name);
      const value = known[name] ?? object(input.default).value;
      return { name, value: typeof value === 'string' || typeof value === 'number' ? String(value) : '' };
    }),
    actions: list(data.actions).map((action) => ({ id: text(action.id), title: text(action.title) || text(action.id), style: text(action.button_style) })),
    ...(typeof data.expiration_time === 'number' ? { expires: data.expiration_time } : {}),
  };
}

function answered(asks: Ask[] | undefined, nodeId: string, answer: string): Ask[] | undefined {
  return asks?.map((ask) => (ask.nodeId === nodeId && !ask.answer ? { ...ask, token: null, answer } : ask));
}

/** The turn after one more event of the stream. Unknown events change nothing. */
export function applyEvent(before: Turn, event: StreamEvent): Turn {
  const turn: Turn = {
    ...before,
    taskId: text(event.task_id) || before.taskId,
    messageId: text(event.message_id) || before.messageId,
    conversationId: text(event.conversation_id) || before.conversationId,
    runId: text(event.workflow_run_id) || before.runId,
  };
  const data = object(event.data);
  switch (event.event) {
    case 'message':
    case 'agent_message':
      return { ...turn, status: 'streaming', answer: before.answer + text(event.answer) };
    case 'text_chunk':
      return { ...turn, status: 'streaming', answer: before.answer + text(data.text) };
    case 'message_replace':
      return { ...turn, answer: text(event.answer) };
    case 'text_replace':
      return { ...turn, answer: text(data.text) };
    case 'agent_thought': {
      const thought: Thought = {
        id: text(event.id),
        thought: text(event.thought),
        tool: text(event.tool),
        input: text(event.tool_input),
        observation: text(event.observation),
      };
      const at = before.thoughts.findIndex((t) => t.id === thought.id);
      const thoughts = at < 0 ? [...before.thoughts, thought] : before.thoughts.map((t, i) => (i === at ? thought : t));
      return { ...turn, thoughts, status: 'streaming' };
    }
    case 'message_file': {
      const address = text(event.url);
      return address ? { ...turn, answer: `${before.answer}\n\n![](${address})\n` } : turn;
    }
    case 'message_end': {
      const metadata = object(event.metadata) as MessageMetadata;
      return {
        ...turn,
        status: before.status === 'failed' || before.status === 'stopped' || before.status === 'paused' ? before.status : 'done',
        citations: metadata.retriever_resources ?? [],
        away: metadata.knowledge_away,
        usage: metadata.usage ?? before.usage,
      };
    }
    case 'workflow_started':
      return { ...turn, status: 'streaming', runId: text(data.id) || turn.runId };
    case 'node_started':
      return { ...turn, status: 'streaming', steps: withStep(before.steps, readStep(data, 'running')) };
    case 'node_retry': {
      const step = before.steps.find((s) => s.id === text(data.id));
      return step ? { ...turn, steps: withStep(before.steps, { ...step, retries: (step.retries ?? 0) + 1 }) } : turn;
    }
    case 'node_finished':
      return { ...turn, steps: withStep(before.steps, readStep(data, (text(data.status) || 'succeeded') as Step['status'])) };
    case 'human_input_required': {
      const ask = readAsk(data);
      const same = (other: Ask) => other.nodeId === ask.nodeId && other.token === ask.token;
      return before.asks?.some(same) ? turn : { ...turn, asks: [...(before.asks ?? []), ask] };
    }
    case 'human_input_form_filled':
      return { ...turn, status: 'streaming', asks: answered(before.asks, text(data.node_id), text(data.action_text) || text(data.action_id)) };
    case 'human_input_form_timeout':
      return { ...turn, status: 'streaming', asks: answered(before.asks, text(data.node_id), 'timeout') };
    case 'workflow_paused':
      return { ...turn, status: 'paused', steps: before.steps.map((s) => (s.status === 'running' ? { ...s, status: 'paused' } : s)) };
    case 'workflow_finished': {
      const status = text(data.status);
      const failed = status === 'failed';
      return {
        ...turn,
        status: failed ? 'failed' : status === 'stopped' ? 'stopped' : 'done',
        outputs: data.outputs,
        elapsed: typeof data.elapsed_time === 'number' ? data.elapsed_time : undefined,
        usage: typeof data.total_tokens === 'number' ? { ...before.usage, total_tokens: data.total_tokens } : before.usage,
        ...(failed ? { error: { code: 'workflow_failed', message: text(data.error) } } : {}),
      };
    }
    case 'error':
      return { ...turn, status: 'failed', error: { code: text(event.code), message: text(event.message) } };
    default:
      return turn;
  }
}

/** The turn when its stream has ended, however it ended. */
export function settle(turn: Turn, stopped: boolean): Turn {
  const steps = turn.steps.map((s) => (s.status === 'running' ? { ...s, status: 'stopped' as const } : s));
  if (stopped) return { ...turn, steps, status: 'stopped' };
  if (turn.status === 'waiting' || turn.status === 'streaming') {
    return { ...turn, steps, status: 'failed', error: { code: 'broken_stream', message: '' } };
  }
  return turn;
}

/** Splits an answer into what the model said and what it thought aloud between think tags. */
export function splitThinking(answer: string): { kind: 'text' | 'thinking'; text: string; open?: boolean }[] {
  const parts: { kind: 'text' | 'thinking'; text: string; open?: boolean }[] = [];
  let rest = answer;
  while (rest) {
    const start = rest.indexOf('<think>');
    if (start < 0) {
      parts.push({ kind: 'text', text: rest });
      break;
    }
    if (rest.slice(0, start).trim()) parts.push({ kind: 'text', text: rest.slice(0, start) });
    const body = rest.slice(start + 7);
    const end = body.indexOf('</think>');
    if (end < 0) {
      parts.push({ kind: 'thinking', text: body, open: true });
      break;
    }
    if (body.slice(0, end).trim()) parts.push({ kind: 'thinking', text: body.slice(0, end) });
    rest = body.slice(end + 8);
  }
  return parts;
}
