import { useLocation } from 'wouter';
import { useCreateGraph } from '@/api/graphs';
import { words } from '@/text/language';
import { showError } from '@/widgets/showError';

/** Adds the graph of a file, and goes there. */
export function useOpenFile(): (file: File | null) => Promise<void> {
  const [, go] = useLocation();
  const create = useCreateGraph();
  return async (file) => {
    if (!file) return;
    try {
      const made = await create.mutateAsync({ text: await file.text() });
      go(`/graphs/${made.id}`);
    } catch (error) {
      showError(error, words.home.failed);
    }
  };
}
