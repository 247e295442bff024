import { useEffect, useState } from 'react';
import { openEditor } from './files';
import type { Editor } from './store';

/** An editor that is opened, or why it cannot be; null while the file is read. */
export function useOpenEditor(id: string): Editor | Error | null {
  const [opened, setOpened] = useState<Editor | Error | null>(null);
  useEffect(() => {
    let wanted = true;
    setOpened(null);
    openEditor(id).then(
      (editor) => wanted && setOpened(() => editor),
      (error: Error) => wanted && setOpened(error),
    );
    return () => {
      wanted = false;
    };
  }, [id]);
  return opened;
}
