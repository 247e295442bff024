import { words } from '@/text/language';
import { action } from './action';

/** As large as it is. */
export const zoomReset = action({
  id: 'zoom-reset',
  title: words.actions.zoomReset,
  group: 'view',
  keys: ['0'],
  reads: true,
  run: ({ view }) => view.zoomTo(1),
});
