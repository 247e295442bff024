import { type RefObject, useCallback, useEffect, useMemo } from 'react';
import { useLocation } from 'wouter';
import { useHistoryState } from 'wouter/use-browser-location';
import { openEditor } from '@/editor/files';
import { type Editor, graphOf, select, useEditor } from '@/editor/store';
import { nodeOf } from '@/graph/read';
import { useRunPart } from '@/runs/live';
import { requestRun } from '@/runs/start/bar';
import { words } from '@/text/language';
import { showError } from '@/widgets/showError';
import { callersOf, type Way } from './callers';
import { Canvas, type CanvasControl } from './canvas/Canvas';
import { pinShown } from './panel/panes/pinning';

interface Props {
  readonly editor: Editor;
  readonly control: RefObject<CanvasControl | null>;
}

/** The canvas of an open file, with the statuses of the run that the editor shows. */
export function GraphCanvas({ editor, control }: Props) {
  const run = useEditor(editor, (state) => state.run);
  const statuses = useRunPart(run, (live) => live?.byNode ?? null);
  const [, navigate] = useLocation();
  const state = useHistoryState<unknown>();
  const callers = useMemo(() => callersOf(state), [state]);
  const names = useMemo(() => callers.map((caller) => caller.name), [callers]);
  const went = (state as Partial<Way> | null)?.callers !== undefined;
  // Keys are the canvas's when it comes: for who came here from another graph's canvas, and where nothing else has them.
  useEffect(() => {
    if (went || document.activeElement === document.body) control.current?.focus();
  }, [went, control]);
  const onAsk = useCallback(
    (what: string, argument?: unknown) => {
      if (what === 'run') void requestRun(editor, (argument as { until?: string } | undefined)?.until);
      else if (what === 'pin') {
        const { node, pinned } = argument as { node: string; pinned: () => void };
        // Without anything to pin the node opens, where data can be written.
        pinShown(editor, node).then(
          (done) => (done ? pinned() : editor.setState({ opened: node })),
          (error: unknown) => showError(error, words.panel.notPinned),
        );
      } else if (what === 'graph') {
        const { graph, node } = argument as { graph: string; node: string };
        const { id, level } = editor.getState();
        const caller = { graph: id, name: graphOf(editor).name || id, level, node };
        const way: Way = { callers: [...callers, caller] };
        navigate(`/graphs/${encodeURIComponent(graph)}`, { state: way });
      } else if (what === 'caller') {
        const caller = callers[Number(argument)];
        if (!caller) return;
        const way: Way = { callers: callers.slice(0, Number(argument)) };
        navigate(`/graphs/${encodeURIComponent(caller.graph)}`, { state: way });
        void openEditor(caller.graph).then(
          (back) => {
            // The node may be gone by now.
            if (!nodeOf(graphOf(back), caller.node)) return;
            back.setState({ level: caller.level });
            select(back, { nodes: [caller.node] });
          },
          // The page that is gone to tells why it cannot be opened.
          () => undefined,
        );
      }
    },
    [editor, navigate, callers],
  );
  return <Canvas editor={editor} statuses={statuses} callers={names} onAsk={onAsk} control={control} />;
}
