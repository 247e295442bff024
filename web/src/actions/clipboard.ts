/** What copy, cut and paste share. */

import { apply, type Editor, graphOf, select } from '@/editor/store';
import { type Clip, clipOf, pasted, readClip } from '@/graph/copy';
import { placesAt } from '@/graph/place';
import { fill, words } from '@/text/language';
import type { ActionContext } from './action';

/** What is chosen, as the clipboard holds it. */
export function chosenClip(editor: Editor): Clip {
  const { selection, level } = editor.getState();
  const graph = graphOf(editor);
  const places = placesAt(graph, level);
  return clipOf(graph, level, selection, (id) => places.get(id) ?? [0, 0]);
}

/** How much is in a clip. */
export function countOf(clip: Clip): number {
  return clip.nodes.length + (clip.notes?.length ?? 0) + (clip.frames?.length ?? 0);
}

/** Paste a text that a clip was copied as; anything else only gets a word. */
export function pasteText(context: ActionContext, text: string): void {
  const { editor, say, view } = context;
  const clip = readClip(text);
  if (!clip || !countOf(clip)) {
    say(words.canvas.said.garbage);
    return;
  }
  const made = pasted(graphOf(editor), editor.getState().level, clip, view.center());
  apply(editor, words.actions.paste, () => made.graph);
  select(editor, made);
  say(fill(words.canvas.said.pasted, { count: countOf(clip) }));
}
