/** What the parts of one canvas share. */

import { createContext, useContext, useSyncExternalStore } from 'react';
import { createStore, type StoreApi, useStore } from 'zustand';
import type { ActionContext } from '@/actions/action';
import type { Editor } from '@/editor/store';
import type { Level, Point } from '@/graph/model';
import type { Box } from '@/graph/shape';
import type { Scene } from './scene';
import type { NodeStatus, Statuses } from './status';

/** What is dragged, and how far. */
export interface Drag {
  readonly shift: Point;
  readonly nodes: ReadonlySet<string>;
  readonly notes: ReadonlySet<string>;
  readonly frames: ReadonlySet<string>;
}

/** One of the canvas's dialogs and what it is about. */
export interface Dialog {
  readonly what: string;
  readonly argument: unknown;
}

/** How a node differs between two versions. */
export type Mark = 'added' | 'removed' | 'changed' | 'moved';

/** How two versions of a graph differ, by node and by the text of edges of each level. */
export interface Marks {
  readonly nodes: ReadonlyMap<string, Mark>;
  readonly edges: ReadonlyMap<Level, ReadonlyMap<string, 'added' | 'removed'>>;
}

interface CanvasState {
  readonly drag: Drag | null;
  /** The box that is drawn to select, in graph coordinates. */
  readonly box: Box | null;
  readonly dialog: Dialog | null;
  /** Whether the outline stands beside the canvas. */
  readonly outline: boolean;
  /** What was told last, for the live region. */
  readonly said: string;
  /** The node that the keyboard is at. */
  readonly cursor: string | null;
  /** The wire under the pointer, whose tools are shown. */
  readonly hovered: string | null;
  /** Where the pointer came to that wire, in graph coordinates. */
  readonly hoveredAt: Point | null;
  /** What is written in place: a note, a frame's title, a node's name. */
  readonly editing: { readonly kind: 'note' | 'frame' | 'name'; readonly id: string } | null;
}

type CanvasStore = StoreApi<CanvasState>;

export function createCanvasStore(): CanvasStore {
  return createStore<CanvasState>(() => ({
    drag: null,
    box: null,
    dialog: null,
    outline: false,
    said: '',
    cursor: null,
    hovered: null,
    hoveredAt: null,
    editing: null,
  }));
}

export interface CanvasShared {
  readonly editor: Editor;
  readonly store: CanvasStore;
  readonly statuses: Statuses;
  readonly readOnly: boolean;
  readonly marks: Marks | null;
  /** Names of the graphs that were gone through to come here, the first one first. */
  readonly callers: readonly string[];
  readonly actions: ActionContext;
  readonly scene: () => Scene;
  /** Open a node: its panel, or what it calls. */
  readonly onOpen: (id: string) => void;
}

export const CanvasContext = createContext<CanvasShared | null>(null);

export function useCanvas(): CanvasShared {
  const shared = useContext(CanvasContext);
  if (!shared) throw new Error('This belongs inside of a canvas.');
  return shared;
}

/** A part of the canvas's own state. */
export function useCanvasState<T>(choose: (state: CanvasState) => T): T {
  return useStore(useCanvas().store, choose);
}

/** The status of a node in the run that is shown. */
export function useStatus(id: string): NodeStatus | undefined {
  const { statuses } = useCanvas();
  return useSyncExternalStore(
    (hear) => statuses.hear(id, hear),
    () => statuses.of(id),
  );
}

const leaving = new WeakMap<CanvasStore, ReturnType<typeof setTimeout>>();
const LINGER = 180;

/** The pointer is on a wire, or on no more: its tools stay long enough to be reached. */
export function hoverWire(store: CanvasStore, id: string | null, at: Point | null = null): void {
  clearTimeout(leaving.get(store));
  // The tools stay where they are while the pointer moves on the same wire.
  if (id !== null && store.getState().hovered !== id) store.setState({ hovered: id, hoveredAt: at });
  else if (id === null)
    leaving.set(
      store,
      setTimeout(() => store.setState({ hovered: null }), LINGER),
    );
}
