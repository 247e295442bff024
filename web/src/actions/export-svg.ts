import { graphOf } from '@/editor/store';
import { words } from '@/text/language';
import { action } from './action';

/** Save a picture of the level as SVG. */
export const exportSvg = action({
  id: 'export-svg',
  title: words.actions.exportSvg,
  group: 'file',
  reads: true,
  run: async ({ editor, scene, statusOf, say }) => {
    const { download, svgOf } = await import('@/designer/canvas/picture');
    const dark = document.documentElement.dataset.mantineColorScheme === 'dark';
    const svg = svgOf(scene(), dark, statusOf);
    download(new Blob([svg], { type: 'image/svg+xml' }), `${graphOf(editor).id}.svg`);
    say(words.canvas.said.saved);
  },
});
