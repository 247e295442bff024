/** Saving from a button or a key. */

import { save } from '@/editor/files';
import type { Editor } from '@/editor/store';
import { words } from '@/text/language';
import { showError } from '@/widgets/showError';

/** Save, and tell what the server refuses. */
export async function store(editor: Editor): Promise<void> {
  try {
    await save(editor);
  } catch (error) {
    showError(error, words.files.refused);
  }
}
