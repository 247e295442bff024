import { words } from '@/text/language';
import { action } from './action';

/** Closer. */
export const zoomIn = action({
  id: 'zoom-in',
  title: words.actions.zoomIn,
  group: 'view',
  keys: ['+', '='],
  reads: true,
  run: ({ view }) => view.zoomBy(1.25),
});
