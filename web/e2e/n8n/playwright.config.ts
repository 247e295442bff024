import { defineConfig } from '@playwright/test';
import base from '../../playwright.config';

/** The designer beside n8n: not part of CI, as n8n has to be installed (`make compare-n8n`). */
export default defineConfig({
  ...base,
  testDir: '.',
  testMatch: 'compare.ts',
  outputDir: '../../node_modules/.cache/n8n-results',
  workers: 1,
  // The other one is not ours to wait for: what is slow there once may be tried again.
  retries: 1,
  timeout: 150_000,
  reporter: [['line']],
});
