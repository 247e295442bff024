import { graphOf } from '@/editor/store';
import { words } from '@/text/language';
import { action } from './action';

/** Save a picture of the level as PNG. */
export const exportPng = action({
  id: 'export-png',
  title: words.actions.exportPng,
  group: 'file',
  reads: true,
  run: async ({ editor, scene, statusOf, say }) => {
    const { download, pngOf, svgOf } = await import('@/designer/canvas/picture');
    const dark = document.documentElement.dataset.mantineColorScheme === 'dark';
    const svg = svgOf(scene(), dark, statusOf);
    download(await pngOf(svg), `${graphOf(editor).id}.png`);
    say(words.canvas.said.saved);
  },
});
