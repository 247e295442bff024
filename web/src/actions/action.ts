/** What an action is: one command of the designer, with its keys, its words, and when it can be used. */

import type { Scene } from '@/designer/canvas/scene';
import type { Editor } from '@/editor/store';
import type { Point } from '@/graph/model';

/** What the canvas can be asked to do. */
export interface CanvasView {
  /** The middle of what is seen, in graph coordinates. */
  center(): Point;
  /** Show all of the level, or these nodes. */
  fit(nodes?: Iterable<string>): void;
  zoomTo(zoom: number): void;
  zoomBy(factor: number): void;
  /** Bring a node into view without changing the zoom. */
  reveal(node: string): void;
  focus(): void;
}

/** What an action works on. */
export interface ActionContext {
  readonly editor: Editor;
  readonly view: CanvasView;
  /** What is on the canvas, with places and ports. */
  readonly scene: () => Scene;
  /** The status of a node in the run that is shown. */
  readonly statusOf: (node: string) => string | undefined;
  /** Nothing may be changed: a run's graph, a version. */
  readonly readOnly: boolean;
  /** How many graphs have been gone through, each by a node that calls the next, to come here. */
  readonly callers: () => number;
  /** Open one of the designer's dialogs or panels, such as `palette`, `find`, `shortcuts`. */
  readonly open: (what: string, argument?: unknown) => void;
  /** Tell the user, and screen readers, what has happened. */
  readonly say: (text: string) => void;
}

export interface Action {
  /** Stable: tests, the command palette and the shortcut sheet name it. */
  readonly id: string;
  /** What the command palette calls it. */
  readonly title: string;
  readonly group: 'edit' | 'view' | 'node' | 'arrange' | 'run' | 'file' | 'help';
  /** Such as `Mod+D`, `Shift+ArrowUp`; `Mod` is ⌘ on a Mac and Ctrl elsewhere. The first one is shown. */
  readonly keys?: readonly string[];
  /** It changes nothing: it can be used where a graph is only read. */
  readonly reads?: boolean;
  /** Not shown in lists: one of many of a kind, such as a step of the keyboard's walk. */
  readonly hidden?: boolean;
  /** Whether it can be used now; left out: always. */
  readonly enabled?: (context: ActionContext) => boolean;
  readonly run: (context: ActionContext) => void | Promise<void>;
}

/** Declare an action; one file an action, listed in `index.ts`. */
export function action(declared: Action): Action {
  return declared;
}
