import { Center, Loader, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { ask, client, type Schemas } from '@/api/client';
import { Canvas } from '@/designer/canvas/Canvas';
import { createEditor, type Editor, select } from '@/editor/store';
import { NO_GRAPH } from '@/graph/model';
import { specOf } from '@/graph/read';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import type { StepLive } from './fold';
import { type RunLive, statusesIn } from './live';
import classes from './RunCanvas.module.css';
import { pictureOf, shapeOf } from './steps';

interface RunCanvasProps {
  readonly run: RunLive;
  /** The chosen step: its node is chosen on the canvas. */
  readonly step: StepLive | null;
  readonly frame: string;
  readonly onFrame: (frame: string) => void;
  readonly onChoose: (step: string) => void;
}

/** The graphs of a run in the versions that it runs on, with the statuses of their nodes; nothing can be changed. */
export default function RunCanvas({ run, step, frame, onFrame, onChoose }: RunCanvasProps) {
  const { frames } = run.details;
  const shown = frames.find((each) => each.frame === frame) ?? frames[0];
  if (!shown) return null;
  return (
    <div className={classes.canvas}>
      {frames.length > 1 && (
        <SegmentedControl
          className={classes.frames}
          size="xs"
          aria-label={words.runs.graphs}
          value={shown.frame}
          onChange={onFrame}
          data={frames.map((each) => ({ value: each.frame, label: frameName(each) }))}
        />
      )}
      <FrameCanvas key={shown.frame} run={run} frame={shown} step={step} onChoose={onChoose} />
    </div>
  );
}

function frameName(frame: Schemas['FrameView']): string {
  return frame.frame ? `${frame.frame.replace(/\(\)$/, '')} → ${frame.name}` : frame.name;
}

interface FrameProps {
  readonly run: RunLive;
  readonly frame: Schemas['FrameView'];
  readonly step: StepLive | null;
  readonly onChoose: (step: string) => void;
}

function FrameCanvas({ run, frame, step, onChoose }: FrameProps) {
  const found = useQuery({
    queryKey: ['version', frame.graph, frame.hash],
    queryFn: () => versionOf(frame.graph, frame.hash),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (found.error) return <ErrorMessage title={words.runs.noPicture} error={found.error} />;
  if (!found.data) {
    return (
      <Center h="100%">
        <Loader aria-label={words.shell.loading} />
      </Center>
    );
  }
  return <Shown version={found.data} run={run} frame={frame.frame} step={step} onChoose={onChoose} />;
}

interface Version {
  readonly id: string;
  readonly text: string;
  readonly told: Schemas['EditedGraph'];
}

/** A version, with what the server says of its nodes. */
async function versionOf(graph: string, hash: string): Promise<Version> {
  const version = await ask(
    client.GET('/api/v1/graphs/{graph_id}/versions/{version}', {
      params: { path: { graph_id: graph, version: hash } },
    }),
  );
  const text = version.text ?? '';
  const told = await ask(client.POST('/api/v1/graphs/edit', { body: { text } as Schemas['EditGraph'] }));
  return { id: graph, text, told };
}

/** An editor of a version: it is no file, and never saved. */
function editorOf({ id, text, told }: Version): Editor {
  const graph = specOf(told.spec) ?? NO_GRAPH;
  const editor = createEditor(id, { text, textHash: told.text_hash, graph });
  editor.setState({ checked: { graph, text, problems: [], facts: told.nodes } });
  return editor;
}

function Shown({
  version,
  run,
  frame,
  step,
  onChoose,
}: {
  readonly version: Version;
  readonly run: RunLive;
  readonly frame: string;
  readonly step: StepLive | null;
  readonly onChoose: (step: string) => void;
}) {
  const [editor] = useState(() => editorOf(version));
  const statuses = useMemo(() => statusesIn(run, frame), [run, frame]);
  /** The node of the chosen step: that it is selected is no choice of the user's. */
  const known = useRef<string | null>(null);

  const frames = run.details.frames;
  const node = useMemo(() => {
    if (!step) return null;
    const picture = pictureOf(
      shapeOf(step.frame),
      frames.map((each) => each.frame),
    );
    return picture === frame ? step.node : null;
  }, [step, frames, frame]);
  useEffect(() => {
    if (!node) return;
    const { level, checked } = editor.getState();
    const owner = checked?.facts[node]?.owner ?? null;
    known.current = node;
    if (level !== owner) editor.setState({ level: owner });
    select(editor, { nodes: [node] });
  }, [node, editor]);

  const choose = useCallback(
    (id: string) => {
      const latest = statuses.get(id)?.latest;
      if (latest) onChoose(latest);
    },
    [statuses, onChoose],
  );
  useEffect(
    () =>
      editor.subscribe(({ selection: { nodes } }, before) => {
        const [chosen] = nodes;
        if (nodes === before.selection.nodes || nodes.size !== 1 || !chosen || chosen === known.current) return;
        known.current = chosen;
        choose(chosen);
      }),
    [editor, choose],
  );
  return <Canvas editor={editor} statuses={statuses} readOnly onOpen={choose} />;
}
