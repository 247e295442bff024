import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.PYAGENT_URL ?? 'http://127.0.0.1:8788';

/** The server serves what is built here, under `/static/designer/`; its page is at `/`. */
export default defineConfig({
  base: '/static/designer/',
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../engine/pyagent/server/static/designer',
    emptyOutDir: true,
    target: 'es2022',
    // Inlined assets would be `data:` addresses, which the content security policy allows for pictures only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Licences of what is bundled go with it.
    license: { fileName: 'licenses.md' },
  },
  server: { host: '127.0.0.1', proxy: { '/api': server, '/reports': server, '/forms': server, '/shared': server } },
  test: {
    include: ['src/**/*.test.{ts,tsx}'],
    environment: 'node',
    reporters: process.env.VITEST_JUNIT
      ? ['default', ['junit', { outputFile: process.env.VITEST_JUNIT }]]
      : ['default'],
  },
});
