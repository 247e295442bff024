import { type RefObject, useCallback } from 'react';
import { useLocation } from 'wouter';
import { type Editor, useEditor } from '@/editor/store';
import { useRunPart } from '@/runs/live';
import { requestRun } from '@/runs/start/bar';
import { Canvas, type CanvasControl } from './canvas/Canvas';

interface Props {
  readonly editor: Editor;
  readonly control: RefObject<CanvasControl | null>;
}

/** The canvas of an open file, with the statuses of the run that the editor shows. */
export function GraphCanvas({ editor, control }: Props) {
  const run = useEditor(editor, (state) => state.run);
  const statuses = useRunPart(run, (live) => live?.byNode ?? null);
  const [, navigate] = useLocation();
  const onAsk = useCallback(
    (what: string, argument?: unknown) => {
      if (what === 'run') void requestRun(editor, (argument as { until?: string } | undefined)?.until);
      else if (what === 'pin') editor.setState({ opened: String(argument) });
      else if (what === 'graph' && typeof argument === 'string') navigate(`/graphs/${encodeURIComponent(argument)}`);
    },
    [editor, navigate],
  );
  return <Canvas editor={editor} statuses={statuses} onAsk={onAsk} control={control} />;
}
