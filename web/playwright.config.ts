import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const chromium = process.env.PYAGENT_CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const junit = process.env.PLAYWRIGHT_JUNIT;

/** The designer in a real browser against real servers: each worker starts one of its own (`e2e/fixtures.ts`). */
export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.spec.ts',
  outputDir: 'test-results',
  workers: 2,
  fullyParallel: false,
  // A test that passes at the second try hides a fault.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: junit ? [['list'], ['junit', { outputFile: junit }]] : [['list']],
  use: {
    ...(chromium ? { launchOptions: { executablePath: chromium, args: flags() } } : {}),
    viewport: { width: 1440, height: 900 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
  },
});

function flags(): string[] {
  return [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
}
