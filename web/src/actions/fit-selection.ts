import { words } from '@/text/language';
import { action } from './action';

/** Show what is chosen. */
export const fitSelection = action({
  id: 'fit-selection',
  title: words.actions.fitSelection,
  group: 'view',
  keys: ['2'],
  reads: true,
  enabled: ({ editor }) => editor.getState().selection.nodes.size > 0,
  run: ({ editor, view }) => view.fit(editor.getState().selection.nodes),
});
