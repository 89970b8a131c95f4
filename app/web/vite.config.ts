import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Where `npm run dev` finds the server, for example the address `sparrow dev` prints.
const server = process.env.SPARROW_URL ?? 'https://127.0.0.1:8443';
const proxy = Object.fromEntries(
  ['/console/api', '/api', '/v1', '/files', '/health', '/ca'].map((path) => [
    path,
    { target: server, secure: false, changeOrigin: true },
  ]),
);

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: { proxy },
  preview: { proxy },
  build: {
    target: 'es2022',
    // Fonts and images stay files, so that a strict content security policy needs no data: exception.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
