import { useCallback, useEffect, useRef, useState } from 'react';

import { ApiError, http, send as request } from '@/api/http';
import { readEvents } from '@/api/sse';

import { applyEvent, newTurn, settle, type Turn } from './turns';

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

  const ask = useCallback(
    async (query: string, inputs: Record<string, unknown>, files?: unknown[]) => {
      if (running.current) return;
      const run: Run = { abort: new AbortController(), stopped: false, turn: newTurn(query) };
      running.current = run;
      setBusy(true);
      setTurns((all) => (latest.current.single ? [run.turn] : [...all, run.turn]));
      // The answer is drawn once a frame at most, however fast its pieces arrive.
      let frame = 0;
      const draw = () => {
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          replace(run.turn);
        });
      };
      try {
        await latest.current.before?.();
        const { path, extra, single } = latest.current;
        const answer = await request('POST', path, {
          signal: run.abort.signal,
          body: {
            ...(single ? {} : { query, conversation_id: conversation.current }),
            inputs,
            response_mode: 'streaming',
            ...(files?.length ? { files } : {}),
            ...extra,
          },
        });
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

  return { turns, busy, ask, stop, reset, resume, replace };
}

async function halt(port: ChatPort, taskId: string): Promise<void> {
  const user = port.extra?.user;
  await http.post(port.stop ? port.stop(taskId) : `${port.path}/${taskId}/stop`, user ? { user } : {}).catch(() => undefined);
}
