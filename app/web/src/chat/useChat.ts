import { useCallback, useEffect, useRef, useState } from 'react';

import { ApiError, http, send as request } from '@/api/http';
import { readEvents } from '@/api/sse';

import type { FileRef, SentFile } from './files';
import { applyEvent, newTurn, settle, type Ask, type Turn } from './turns';

export interface ChatPort {
  /** Address the question is posted to; the run's `{task_id}/stop` hangs below it unless `stop` says otherwise. */
  path: string;
  stop?: (taskId: string) => string;
  /** Fields of the body besides query, inputs, conversation_id and response_mode. */
  extra?: Record<string, unknown>;
  /** Runs before each question, for example to save what was edited. */
  before?: () => Promise<unknown>;
  /** A workflow has no query and no conversation. */
  single?: boolean;
  /** Where the events of a run that goes on after a form can be followed. */
  follow?: (runId: string) => string;
}

interface Run {
  abort: AbortController;
  stopped: boolean;
  taskId?: string;
  turn: Turn;
}

/** A running conversation with an app: sends questions, gathers the streamed answers, stops them. */
export function useChat(port: ChatPort) {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [busy, setBusy] = useState(false);
  const conversation = useRef('');
  const running = useRef<Run | null>(null);
  const latest = useRef(port);
  useEffect(() => {
    latest.current = port;
  });

  const replace = useCallback((turn: Turn) => setTurns((all) => all.map((t) => (t.key === turn.key ? turn : t))), []);

  /** Gathers the answer that `open` begins to send, into the run's turn. */
  const gather = useCallback(
    async (run: Run, open: (signal: AbortSignal) => Promise<Response>) => {
      running.current = run;
      setBusy(true);
      // The answer is drawn once a frame at most, however fast its pieces arrive.
      let frame = 0;
      const draw = () => {
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          replace(run.turn);
        });
      };
      try {
        const answer = await open(run.abort.signal);
        for await (const event of readEvents(answer)) {
          run.turn = applyEvent(run.turn, event);
          if (run.turn.conversationId) conversation.current = run.turn.conversationId;
          if (run.turn.taskId && !run.taskId) {
            run.taskId = run.turn.taskId;
            // Stop was pressed before the run had a name.
            if (run.stopped) void halt(latest.current, run.taskId);
          }
          draw();
        }
        run.turn = settle(run.turn, run.stopped);
      } catch (error) {
        if (run.stopped || (error instanceof DOMException && error.name === 'AbortError')) {
          run.turn = settle(run.turn, true);
        } else {
          const known = error instanceof ApiError ? error : new ApiError(0, 'broken_stream', '');
          run.turn = { ...run.turn, status: 'failed', error: { code: known.code, message: known.message } };
        }
      } finally {
        cancelAnimationFrame(frame);
        replace(run.turn);
        running.current = null;
        setBusy(false);
      }
    },
    [replace],
  );

  const ask = useCallback(
    async (query: string, inputs: Record<string, unknown>, files: { refs: FileRef[]; sent: SentFile[] } = { refs: [], sent: [] }) => {
      if (running.current) return;
      const run: Run = { abort: new AbortController(), stopped: false, turn: newTurn(query, files.sent) };
      setTurns((all) => (latest.current.single ? [run.turn] : [...all, run.turn]));
      await gather(run, async (signal) => {
        await latest.current.before?.();
        const { path, extra, single } = latest.current;
        return request('POST', path, {
          signal,
          body: {
            ...(single ? {} : { query, conversation_id: conversation.current }),
            inputs,
            response_mode: 'streaming',
            ...(files.refs.length ? { files: files.refs } : {}),
            ...extra,
          },
        });
      });
    },
    [gather],
  );

  /** Goes on with a turn whose form was filled: its run sends further events. */
  const goOn = useCallback(
    async (turn: Turn, ask: Ask, answer: string) => {
      const address = turn.runId ? latest.current.follow?.(turn.runId) : undefined;
      if (running.current || !address) return;
      const asks = turn.asks?.map((other) => (other.token === ask.token ? { ...other, token: null, answer } : other));
      const run: Run = { abort: new AbortController(), stopped: false, turn: { ...turn, asks, status: 'streaming' } };
      replace(run.turn);
      await gather(run, (signal) => request('GET', address, { signal }));
    },
    [gather, replace],
  );

  /** Adds another turn, whose answer comes from `address` without a question. */
  const more = useCallback(
    async (address: string) => {
      if (running.current) return;
      const run: Run = { abort: new AbortController(), stopped: false, turn: newTurn('', []) };
      setTurns((all) => [...all, run.turn]);
      await gather(run, (signal) => request('GET', address, { signal, query: { response_mode: 'streaming' } }));
    },
    [gather],
  );

  const stop = useCallback(() => {
    const run = running.current;
    if (!run) return;
    run.stopped = true;
    if (run.taskId) void halt(latest.current, run.taskId);
    // The server ends the stream itself; after two seconds without that the connection is cut.
    setTimeout(() => run.abort.abort(), run.taskId ? 2000 : 0);
  }, []);

  const reset = useCallback(() => {
    stop();
    conversation.current = '';
    setTurns([]);
  }, [stop]);

  /** Shows a conversation that happened earlier and goes on with it. */
  const resume = useCallback((id: string, earlier: Turn[]) => {
    conversation.current = id;
    setTurns(earlier);
  }, []);

  useEffect(() => () => running.current?.abort.abort(), []);

  return { turns, busy, ask, goOn, more, stop, reset, resume, replace };
}

async function halt(port: ChatPort, taskId: string): Promise<void> {
  const user = port.extra?.user;
  await http.post(port.stop ? port.stop(taskId) : `${port.path}/${taskId}/stop`, user ? { user } : {}).catch(() => undefined);
}
