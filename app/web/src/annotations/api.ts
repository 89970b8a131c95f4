import { useQuery } from '@tanstack/react-query';

import { http, upload } from '@/api/http';
import type { Annotation, AnnotationSettings, Page } from '@/api/types';

const at = (appId: string) => `/apps/${appId}/annotations`;

export const annotationApi = {
  list: (appId: string, page: number, keyword: string) => http.get<Page<Annotation>>(at(appId), { page, limit: 20, keyword }),
  save: (appId: string, id: string | undefined, body: { question: string; answer: string; message_id?: string }) =>
    http.post<Annotation>(id ? `${at(appId)}/${id}` : at(appId), body),
  remove: (appId: string, id: string) => http.delete(`${at(appId)}/${id}`),
  import: (appId: string, file: File) => upload<{ added: number }>(`${at(appId)}/import`, file, () => undefined),
  enable: (appId: string, body: Omit<AnnotationSettings, 'enabled'>) => http.post(`/apps/${appId}/annotation-reply/enable`, body),
  disable: (appId: string) => http.post(`/apps/${appId}/annotation-reply/disable`),
};

export function useReplySettings(appId: string) {
  return useQuery({ queryKey: ['apps', 'annotation-reply', appId], queryFn: () => http.get<AnnotationSettings>(`/apps/${appId}/annotation-reply`) });
}
