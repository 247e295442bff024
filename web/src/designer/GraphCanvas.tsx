import { useCallback } from 'react';
import { useLocation } from 'wouter';
import { type Editor, useEditor } from '@/editor/store';
import { useRunPart } from '@/runs/live';
import { requestRun } from '@/runs/RunBar';
import { Canvas } from './canvas/Canvas';

/** The canvas of an open file, with the statuses of the run that the editor shows. */
export function GraphCanvas({ editor }: { readonly editor: Editor }) {
  const run = useEditor(editor, (state) => state.run);
  const statuses = useRunPart(run, (live) => live?.byNode ?? null);
  const [, navigate] = useLocation();
  const onAsk = useCallback(
    (what: string, argument?: unknown) => {
      if (what === 'run') requestRun((argument as { until?: string } | undefined)?.until);
      else if (what === 'graph' && typeof argument === 'string') navigate(`/graphs/${encodeURIComponent(argument)}`);
    },
    [navigate],
  );
  return <Canvas editor={editor} statuses={statuses} onAsk={onAsk} />;
}
