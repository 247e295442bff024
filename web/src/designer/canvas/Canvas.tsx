import '@xyflow/react/dist/base.css';
import { useComputedColorScheme } from '@mantine/core';
import { ReactFlowProvider } from '@xyflow/react';
import { type RefObject, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { perform } from '@/actions';
import type { ActionContext, CanvasView } from '@/actions/action';
import { useNodeTypes } from '@/api/nodeTypes';
import { type Editor, useEditor } from '@/editor/store';
import { fill, words } from '@/text/language';
import { Breadcrumbs } from './Breadcrumbs';
import classes from './Canvas.module.css';
import { Controls } from './Controls';
import { CanvasContext, type CanvasShared, createCanvasStore, type Marks, useCanvasState } from './context';
import { Dialogs, OWN_DIALOGS } from './Dialogs';
import { Flow } from './Flow';
import { Minimap } from './Minimap';
import { Outline } from './Outline';
import { type Scene, sceneOf } from './scene';
import { type ByNode, Statuses } from './status';
import { useHeldKeys } from './useHeldKeys';
import { useKeys } from './useKeys';
import { useView } from './useView';

interface CanvasProps {
  readonly editor: Editor;
  /** Statuses by node of the run that is shown. */
  readonly statuses?: ByNode | null;
  /** Nothing can be changed: a run's graph, a version. */
  readonly readOnly?: boolean;
  /** How nodes differ from another version. */
  readonly marks?: Marks | null;
  /** A node was opened; left out: its panel opens. */
  readonly onOpen?: (node: string) => void;
  /** Names of the graphs that were gone through, each by a node that calls the next, to come to this one. */
  readonly callers?: readonly string[];
  /** What an action asks for that is none of the canvas's: `run`, `pin`, `graph`, `caller`. */
  readonly onAsk?: (what: string, argument?: unknown) => void;
  /** Takes what the canvas can be asked to do from outside. */
  readonly control?: RefObject<CanvasControl | null>;
}

/** A canvas as others see it. */
export interface CanvasControl extends CanvasView {
  /** Do what an action does; tells whether it could. */
  perform(action: string): Promise<boolean>;
}

/** The canvas of a graph: its nodes and edges, and all that is done with them. */
export function Canvas(props: CanvasProps) {
  return (
    <ReactFlowProvider>
      <CanvasBody {...props} />
    </ReactFlowProvider>
  );
}

const NONE: readonly string[] = [];

function CanvasBody(props: CanvasProps) {
  const { editor, statuses: byNode = null, readOnly = false, marks = null, onOpen, onAsk, control } = props;
  const { callers = NONE } = props;
  const types = useNodeTypes();
  const graph = useEditor(editor, (state) => state.history.graph);
  const level = useEditor(editor, (state) => state.level);
  const checked = useEditor(editor, (state) => state.checked);
  const dark = useComputedColorScheme('light') === 'dark';
  const root = useRef<HTMLElement>(null);
  const [store] = useState(createCanvasStore);
  const [statuses] = useState(() => new Statuses());
  useLayoutEffect(() => statuses.set(byNode), [statuses, byNode]);

  const last = useRef<Scene | null>(null);
  const scene = useMemo(() => {
    last.current = sceneOf(graph, level, checked, types, last.current);
    return last.current;
  }, [graph, level, checked, types]);
  const view = useView(root, last);

  // What callers hand in may be other functions each time; what is shared stays one object.
  const handed = useRef({ onOpen, onAsk, types });
  useEffect(() => {
    handed.current = { onOpen, onAsk, types };
  });
  const shared = useMemo((): CanvasShared => {
    const sceneNow = () => {
      // Edits made in one go look at the graph as it is, drawn or not.
      const { history, level: at, checked: known } = editor.getState();
      const drawn = last.current;
      if (drawn && drawn.graph === history.graph && drawn.level === at) return drawn;
      return sceneOf(history.graph, at, known, handed.current.types, drawn);
    };
    const actions: ActionContext = {
      editor,
      view: view.canvas,
      scene: sceneNow,
      statusOf: (id) => statuses.of(id)?.status,
      readOnly,
      callers: () => callers.length,
      // The same words twice are told twice.
      say: (said) => store.setState({ said: store.getState().said === said ? `${said}\u00a0` : said }),
      open: (what, argument) => {
        if (what === 'write') store.setState({ editing: argument as { kind: 'note' | 'frame'; id: string } });
        else if (what === 'outline') store.setState((state) => ({ outline: !state.outline }));
        else if (OWN_DIALOGS.has(what)) store.setState({ dialog: { what, argument } });
        else handed.current.onAsk?.(what, argument);
      },
    };
    const open = (id: string) => (handed.current.onOpen ?? ((node) => editor.setState({ opened: node })))(id);
    return { editor, store, statuses, readOnly, marks, callers, actions, scene: sceneNow, onOpen: open };
  }, [editor, store, statuses, readOnly, marks, callers, view]);
  useImperativeHandle(
    control,
    () => ({ ...shared.actions.view, perform: (action) => perform(action, shared.actions) }),
    [shared],
  );
  useHeldKeys(shared, root);
  useKeys(shared, root);

  return (
    <CanvasContext value={shared}>
      <div className={classes.frame}>
        <section
          ref={root}
          className={classes.canvas}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the canvas takes keys as one thing and tells what they do
          tabIndex={0}
          aria-label={fill(words.canvas.label, { name: graph.name ?? graph.id })}
          aria-description={words.canvas.help}
          data-canvas
          data-drawn={types.size > 0 || undefined}
        >
          <Flow scene={scene} dark={dark} marks={marks?.nodes ?? null} view={view} />
          <Breadcrumbs />
          <Controls />
          <Minimap scene={scene} dark={dark} view={view} />
          <Said />
        </section>
        <Outline scene={scene} />
        <Dialogs scene={scene} />
      </div>
    </CanvasContext>
  );
}

function Said() {
  const said = useCanvasState((state) => state.said);
  return (
    <div className={classes.said} role="status" aria-live="polite">
      {said && (
        <span key={said} className={classes.told}>
          {said}
        </span>
      )}
    </div>
  );
}
