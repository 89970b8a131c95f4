import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './app.css';

import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router';

import { ApiError, setUnauthorisedHandler } from './api/http';
import { SESSION_KEY } from './auth/session';
import { startI18n } from './i18n';
import { router } from './routes';
import { theme, variables } from './theme';
import { ConfirmProvider } from './ui/confirm';
import { keepFocus } from './ui/focus';

const client = new QueryClient({
  mutationCache: new MutationCache(),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A box that restarts is back in seconds; wrong requests stay wrong.
      retry: (times, error) => times < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      retryDelay: (times) => Math.min(4000, 500 * 2 ** times),
    },
  },
});
keepFocus();
setUnauthorisedHandler(() => void client.invalidateQueries({ queryKey: SESSION_KEY }));

const colours = localStorageColorSchemeManager({ key: 'sparrow-colours' });
const root = document.getElementById('root');

void startI18n().then(() => {
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={variables} colorSchemeManager={colours} defaultColorScheme="auto">
        <QueryClientProvider client={client}>
          <Notifications position="top-right" limit={4} />
          <ConfirmProvider>
            <RouterProvider router={router} />
          </ConfirmProvider>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
});
