import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';

import { ApiError, http } from '@/api/http';
import type { ConfigDraft, ModelConfig } from '@/api/types';
import { versionApi } from '@/versions/api';

/** `conflict`: the draft was changed somewhere else; `load` takes that state, `keep` replaces it. */
export type SaveState = 'saved' | 'changed' | 'saving' | 'failed' | 'conflict';

const PAUSE_MS = 1500;

const address = (appId: string) => `/apps/${appId}/model-config/draft`;
const keyOf = (appId: string) => ['apps', 'config', appId];

/** The draft of an app without a graph, and whether it is what clients use. */
export function useConfigDraft(appId: string, enabled = true) {
  return useQuery({
    queryKey: keyOf(appId),
    queryFn: () => http.get<ConfigDraft>(address(appId)),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    enabled,
  });
}

/**
 * An app's configuration whose draft saves itself: a change is sent when typing pauses, before a question is asked,
 * and when the page is left. Keys this console does not know stay as they are.
 */
export function useModelConfig(appId: string) {
  const client = useQueryClient();
  const loaded = useConfigDraft(appId);
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
      .then(() => http.post<ConfigDraft>(address(appId), { config: body, hash: client.getQueryData<ConfigDraft>(keyOf(appId))?.hash }))
      .then(
        (saved) => {
          client.setQueryData(keyOf(appId), saved);
          setState(pending.current ? 'changed' : 'saved');
          setError(null);
        },
        (problem: unknown) => {
          pending.current ??= body;
          setState(problem instanceof ApiError && problem.status === 409 ? 'conflict' : 'failed');
          setError(problem);
          throw problem;
        },
      );
    return sending.current;
  }, [appId, client]);

  const config = draft ?? loaded.data?.config;
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
      setState((old) => (old === 'conflict' ? old : 'changed'));
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

  const load = async () => {
    clearTimeout(timer.current);
    pending.current = null;
    sending.current = Promise.resolve();
    setDraft(null);
    setState('saved');
    setError(null);
    await client.refetchQueries({ queryKey: keyOf(appId) });
  };
  const keep = async () => {
    await client.refetchQueries({ queryKey: keyOf(appId) });
    await flush();
  };
  const publish = async () => {
    await flush();
    await versionApi.publish(appId, '', '');
    await client.invalidateQueries({ queryKey: ['apps'] });
  };
  const live = loaded.data?.live_id;
  const discard = async () => {
    clearTimeout(timer.current);
    pending.current = null;
    await sending.current.catch(() => undefined);
    if (live) await versionApi.restore(appId, live);
    await load();
  };

  return {
    config,
    loading: loaded.isPending,
    loadError: loaded.error,
    reload: loaded.refetch,
    change,
    flush,
    state,
    error,
    /** Clients use what is on the page. */
    published: state === 'saved' && (loaded.data?.published ?? true),
    publish,
    discard,
    load,
    keep,
  };
}
