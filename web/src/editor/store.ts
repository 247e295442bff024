/** The state of one open graph: what is shown, what was saved, what is chosen, and what the server says of it. */

import { useStore } from 'zustand';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Schemas } from '@/api/client';
import { begin, edited, type History, redone, settled, undone } from '@/graph/history';
import type { Edit, GraphSpec, Level } from '@/graph/model';
import { showing } from './saving';

/** A file as it was read or saved last: what a save is based on. */
export interface Saved {
  readonly text: string;
  readonly textHash: string;
  readonly graph: GraphSpec;
}

/** What is chosen on the canvas, by id; an edge's id is its text. */
export interface Selection {
  readonly nodes: ReadonlySet<string>;
  readonly edges: ReadonlySet<string>;
  readonly notes: ReadonlySet<string>;
  readonly frames: ReadonlySet<string>;
}

/** Whether what is shown is on disk. */
export type SaveState = 'saved' | 'changed' | 'saving' | 'conflict' | 'offline' | 'locked' | 'refused';

/** What stands at the file's place: a graph, nothing, or something that is no graph. */
export type Disk = 'there' | 'gone' | 'broken';

/** What the server says of a graph while it is edited. */
export interface Checked {
  /** The graph that it is about: what is shown may have gone on since. */
  readonly graph: GraphSpec;
  /** The file as a save would write it. */
  readonly text: string;
  readonly problems: readonly Schemas['ProblemView'][];
  readonly facts: { readonly [node: string]: NodeFacts };
}

/** What node types and topology say of a node with its parameters. */
export interface NodeFacts {
  readonly ports_in: readonly string[];
  readonly ports_out: readonly string[];
  readonly kind: string;
  readonly effects: string | null;
  readonly title: string;
  readonly installed: boolean;
  readonly loop_header: boolean;
  readonly back_edges: readonly string[];
  readonly owner: string | null;
  readonly trigger: boolean;
}

export interface EditorState {
  readonly id: string;
  readonly saved: Saved;
  readonly history: History;
  /** The file's text as a person typed it, comments included; null where only the graph was edited. */
  readonly typed: string | null;
  /** What is being typed now and was not read yet, or is no graph: it is shown, and not saved. */
  readonly unread: string | null;
  readonly level: Level;
  readonly selection: Selection;
  readonly checked: Checked | null;
  readonly saving: SaveState;
  readonly disk: Disk;
  /** What is not saved would outlive the page: the browser keeps a draft of it. */
  readonly kept: boolean;
  /** It came with PyAgent: a save makes a copy. */
  readonly readyMade: boolean;
  /** The node whose panel is open. */
  readonly opened: string | null;
  /** The parameter that its panel begins at, such as `fields/text`, or `FIRST_EMPTY`. */
  readonly openedField: string | null;
  /** The run whose statuses and data are shown. */
  readonly run: string | null;
  /** Another version of the file that a save has met. */
  readonly theirs: Saved | null;
}

/** In the place of a parameter: the first that is required and has nothing yet, as in a node that is new. */
export const FIRST_EMPTY = '';

export type Editor = StoreApi<EditorState>;

export const NOTHING: Selection = { nodes: new Set(), edges: new Set(), notes: new Set(), frames: new Set() };

/** An editor of a file as it was read. */
export function createEditor(id: string, saved: Saved): Editor {
  return createStore<EditorState>(() => ({
    id,
    saved,
    history: begin(saved.graph),
    typed: null,
    unread: null,
    level: null,
    selection: NOTHING,
    checked: null,
    saving: 'saved',
    disk: 'there',
    kept: true,
    readyMade: false,
    opened: null,
    openedField: null,
    run: null,
    theirs: null,
  }));
}

/** What is shown. */
export function graphOf(editor: Editor): GraphSpec {
  return editor.getState().history.graph;
}

/** Change the graph; `merge` joins changes in a row (of a drag, of typing) to one step of undo. */
export function apply(editor: Editor, label: string, edit: Edit, merge: string | null = null): void {
  show(editor, edited(editor.getState().history, edit, label, merge));
}

/** Take the last change back. */
export function undo(editor: Editor): void {
  show(editor, undone(editor.getState().history));
}

/** Make the change again that was taken back last. */
export function redo(editor: Editor): void {
  show(editor, redone(editor.getState().history));
}

/** End what belongs together: the next change is a step of its own. */
export function settle(editor: Editor): void {
  editor.setState((state) => ({ history: settled(state.history) }));
}

/** Choose these and nothing else. */
export function select(editor: Editor, chosen: Partial<{ [K in keyof Selection]: Iterable<string> }>): void {
  editor.setState({
    selection: {
      nodes: new Set(chosen.nodes),
      edges: new Set(chosen.edges),
      notes: new Set(chosen.notes),
      frames: new Set(chosen.frames),
    },
  });
}

function show(editor: Editor, history: History): void {
  editor.setState((state) => showing(state, history));
}

/** A part of an editor's state, for components: they are drawn again when that part changes. */
export function useEditor<T>(editor: Editor, choose: (state: EditorState) => T): T {
  return useStore(editor, choose);
}
