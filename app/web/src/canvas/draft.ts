import { useQuery } from '@tanstack/react-query';

import { http } from '@/api/http';

import type { Draft } from './graph';

/** The draft of an app with a graph, and whether it is what clients use. */
export function useFlowDraft(appId: string, enabled = true) {
  return useQuery({
    queryKey: ['apps', 'draft', appId],
    queryFn: () => http.get<Draft & { published: boolean }>(`/apps/${appId}/workflows/draft`),
    enabled,
  });
}
