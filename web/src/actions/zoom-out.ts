import { words } from '@/text/language';
import { action } from './action';

/** Further. */
export const zoomOut = action({
  id: 'zoom-out',
  title: words.actions.zoomOut,
  group: 'view',
  keys: ['-'],
  reads: true,
  run: ({ view }) => view.zoomBy(0.8),
});
