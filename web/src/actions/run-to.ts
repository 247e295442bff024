import { words } from '@/text/language';
import { action } from './action';

/** Run the graph up to a node. */
export const runTo = action({
  id: 'run-to',
  title: words.actions.runTo,
  group: 'run',
  keys: ['R'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size === 1,
  run: ({ editor, open }) => open('run', { until: [...editor.getState().selection.nodes][0] }),
});
