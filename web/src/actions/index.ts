/** All actions, and how one is found: by its name or by its keys. */

import type { Action, ActionContext } from './action';
import { addNodeHere } from './add';
import { ALIGNMENTS } from './align';
import { clear } from './clear';
import { COLORINGS } from './color';
import { commands } from './commands';
import { connectChosen } from './connect';
import { copy } from './copy';
import { cut } from './cut';
import { deleteChosen } from './delete';
import { disable } from './disable';
import { DISTRIBUTIONS } from './distribute';
import { duplicate } from './duplicate';
import { enter } from './enter';
import { exportPng } from './export-png';
import { exportSvg } from './export-svg';
import { extract } from './extract';
import { find } from './find';
import { fit } from './fit';
import { fitSelection } from './fit-selection';
import { addFrame } from './frame';
import { inline } from './inline';
import { leave } from './leave';
import { menu } from './menu';
import { MOVES } from './move';
import { addNote } from './note';
import { openNode } from './open';
import { outline } from './outline';
import { paste } from './paste';
import { pin } from './pin';
import { redoLast } from './redo';
import { rename } from './rename';
import { run } from './run';
import { runTo } from './run-to';
import { selectAll } from './select-all';
import { separate } from './separate';
import { shortcuts } from './shortcuts';
import { tidy } from './tidy';
import { undoLast } from './undo';
import { WALKS } from './walk';
import { zoomIn } from './zoom-in';
import { zoomOut } from './zoom-out';
import { zoomReset } from './zoom-reset';

export const ACTIONS: readonly Action[] = [
  addNodeHere,
  openNode,
  rename,
  connectChosen,
  disable,
  pin,
  enter,
  leave,
  menu,
  run,
  runTo,
  undoLast,
  redoLast,
  copy,
  cut,
  paste,
  duplicate,
  deleteChosen,
  selectAll,
  clear,
  addNote,
  addFrame,
  tidy,
  extract,
  separate,
  inline,
  ...ALIGNMENTS,
  ...DISTRIBUTIONS,
  ...MOVES,
  ...COLORINGS,
  fit,
  fitSelection,
  zoomIn,
  zoomOut,
  zoomReset,
  ...WALKS,
  find,
  outline,
  exportSvg,
  exportPng,
  commands,
  shortcuts,
];

const byId = new Map(ACTIONS.map((one) => [one.id, one]));

/** Whether an action can be used now. */
export function usable(one: Action, context: ActionContext): boolean {
  return (one.reads || !context.readOnly) && (one.enabled?.(context) ?? true);
}

/** Do what an action does, if it can be used now; tells whether it could. */
export async function perform(id: string, context: ActionContext): Promise<boolean> {
  const found = byId.get(id);
  if (!found || !usable(found, context)) return false;
  await found.run(context);
  return true;
}
