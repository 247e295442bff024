/** Pictures of the designer for the docs, taken by the journeys where `PYAGENT_SCREENSHOTS` names a folder. */

import path from 'node:path';
import type { Page } from '@playwright/test';

const FOLDER = process.env.PYAGENT_SCREENSHOTS;

/** Take a picture of what is seen as `designer-<name>.png`; nothing where no pictures are wanted. */
export async function picture(page: Page, name: string): Promise<void> {
  if (FOLDER) await page.screenshot({ path: path.join(FOLDER, `designer-${name}.png`), animations: 'disabled' });
}
