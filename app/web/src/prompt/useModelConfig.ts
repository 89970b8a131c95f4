import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';

import { http } from '@/api/http';
import type { ModelConfig } from '@/api/types';

export type SaveState = 'saved' | 'changed' | 'saving' | 'failed';

const PAUSE_MS = 1500;

/**
 * An app's configuration that saves itself: a change is sent when typing pauses, before a question is asked,
 * and when the page is left. Keys this console does not know stay as they are.
 */
export function useModelConfig(appId: string) {
  const client = useQueryClient();
  const key = ['apps', 'config', appId];
  const loaded = useQuery({
    queryKey: key,
    queryFn: () => http.get<ModelConfig>(`/apps/${appId}/model-config`),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  const [draft, setDraft] = useState<ModelConfig | null>(null);
  const [state, setState] = useState<SaveState>('saved');
  const [error, setError] = useState<unknown>(null);
  const pending = useRef<ModelConfig | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sending = useRef<Promise<void>>(Promise.resolve());

  const flush = useCallback((): Promise<void> => {
    clearTimeout(timer.current);
    const body = pending.current;
    if (!body) return sending.current;
    pending.current = null;
    setState('saving');
    // One after the other, so that the last change is the one that stays.
    sending.current = sending.current
      .catch(() => undefined)
      .then(() => http.post(`/apps/${appId}/model-config`, body))
      .then(
        () => {
          client.setQueryData(['apps', 'config', appId], body);
          setState(pending.current ? 'changed' : 'saved');
          setError(null);
        },
        (problem: unknown) => {
          pending.current ??= body;
          setState('failed');
          setError(problem);
          throw problem;
        },
      );
    return sending.current;
  }, [appId, client]);

  const config = draft ?? loaded.data;
  const current = useRef(config);
  useEffect(() => {
    current.current = config;
  });
  const change = useCallback(
    (patch: Partial<ModelConfig>) => {
      const next = { ...current.current, ...patch };
      current.current = next;
      pending.current = next;
      setDraft(next);
      setState('changed');
      clearTimeout(timer.current);
      timer.current = setTimeout(() => void flush().catch(() => undefined), PAUSE_MS);
    },
    [flush],
  );

  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => {
      if (pending.current) event.preventDefault();
    };
    window.addEventListener('beforeunload', warn);
    return () => {
      window.removeEventListener('beforeunload', warn);
      if (pending.current) void flush().catch(() => undefined);
    };
  }, [flush]);

  return { config, loading: loaded.isPending, loadError: loaded.error, reload: loaded.refetch, change, flush, state, error };
}
