import { useCallback, useEffect, useState } from 'react';
import { openEditor } from './files';
import type { Editor } from './store';

interface Opened {
  readonly editor: Editor | null;
  /** Why it cannot be opened. */
  readonly error: Error | null;
}

const NOT_YET: Opened = { editor: null, error: null };

/** An editor that is opened, or why it cannot be; both null while the file is read. `again` tries once more. */
export function useOpenEditor(id: string): Opened & { readonly again: () => void } {
  const [opened, setOpened] = useState(NOT_YET);
  const [tries, setTries] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each try opens it anew
  useEffect(() => {
    let wanted = true;
    openEditor(id).then(
      (editor) => wanted && setOpened({ editor, error: null }),
      (error: Error) => wanted && setOpened({ editor: null, error }),
    );
    return () => {
      wanted = false;
    };
  }, [id, tries]);
  const again = useCallback(() => setTries((count) => count + 1), []);
  return { ...opened, again };
}
