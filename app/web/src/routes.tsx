import { Center, Loader } from '@mantine/core';
import type { ComponentType } from 'react';
import { createBrowserRouter, Navigate, Outlet, type RouteObject } from 'react-router';

import { useSession } from './auth/session';
import { Crash } from './ui/Crash';
import { Shell } from './ui/Shell';
import { Failed } from './ui/states';

type Door = 'setup' | 'login' | 'console';

/** Lets in who belongs here; sends the others to setup, login or home. */
function Guard({ door }: { door: Door }) {
  const session = useSession();
  if (session.isPending) {
    return (
      <Center h="100dvh">
        <Loader type="dots" />
      </Center>
    );
  }
  if (!session.data) return <Failed error={session.error} retry={() => session.refetch()} />;
  const right: Door = !session.data.setup ? 'setup' : session.data.authenticated ? 'console' : 'login';
  if (door !== right) return <Navigate to={right === 'console' ? '/apps' : `/${right}`} replace />;
  return door === 'console' ? <Shell /> : <Outlet />;
}

/** A page that is loaded when it is first visited. */
function page(path: string | undefined, load: () => Promise<{ default: ComponentType }>, children?: RouteObject[]): RouteObject {
  const lazy = async () => ({ Component: (await load()).default });
  if (path === undefined) return { index: true, lazy };
  return { path, lazy, children };
}

export const router = createBrowserRouter([
  {
    errorElement: <Crash />,
    hydrateFallbackElement: <span />,
    children: [
      ...['chat', 'chatbot', 'completion', 'workflow'].map((kind) => page(`/${kind}/:code`, () => import('./share/SharePage'))),
      { element: <Guard door="setup" />, children: [page('/setup', () => import('./auth/Setup'))] },
      { element: <Guard door="login" />, children: [page('/login', () => import('./auth/Login'))] },
      {
        element: <Guard door="console" />,
        children: [
          {
            errorElement: <Crash />,
            children: [
              { path: '/', element: <Navigate to="/apps" replace /> },
              page('/apps', () => import('./studio/Studio')),
              page('/apps/:appId', () => import('./studio/AppFrame'), [
                page(undefined, () => import('./studio/AppHome')),
                page('prompt', () => import('./prompt/PromptPage')),
                page('flow', () => import('./canvas/FlowPage')),
                page('access', () => import('./access/AccessPage')),
                page('logs', () => import('./logs/LogsPage')),
                page('annotations', () => import('./annotations/AnnotationsPage')),
                page('versions', () => import('./versions/VersionsPage')),
              ]),
              page('/knowledge', () => import('./knowledge/KnowledgeList')),
              page('/knowledge/api', () => import('./knowledge/KnowledgeApi')),
              page('/knowledge/:datasetId', () => import('./knowledge/DatasetFrame'), [
                page(undefined, () => import('./knowledge/Documents')),
                page('add', () => import('./knowledge/AddDocuments')),
                page('documents/:documentId', () => import('./knowledge/Segments')),
                page('test', () => import('./knowledge/RetrievalTest')),
                page('statistics', () => import('./knowledge/Statistics')),
                page('settings', () => import('./knowledge/DatasetSettings')),
              ]),
              page('/models', () => import('./models/Models')),
              page('/tools', () => import('./tools/Tools')),
              page('/box', () => import('./box/BoxPage')),
              page('*', () => import('./ui/NotFound')),
            ],
          },
        ],
      },
    ],
  },
]);
