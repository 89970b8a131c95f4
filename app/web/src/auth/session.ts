import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

import { http, setCsrfToken } from '@/api/http';
import type { Session } from '@/api/types';

export const SESSION_KEY = ['session'] as const;

export async function fetchSession(): Promise<Session> {
  const session = await http.get<Session>('/session');
  setCsrfToken(session.csrf_token ?? '');
  return session;
}

export function useSession() {
  return useQuery({ queryKey: SESSION_KEY, queryFn: fetchSession, staleTime: 60_000 });
}

export function useLogout() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => http.post('/logout'),
    onSettled: async () => {
      // Nothing of the old session may show in the next one.
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== SESSION_KEY[0] });
      await client.refetchQueries({ queryKey: SESSION_KEY });
    },
  });
}
