import { useComputedColorScheme } from '@mantine/core';
import { type NodeProps, NodeResizer } from '@xyflow/react';
import { lazy, memo, Suspense, useState } from 'react';
import { apply, settle } from '@/editor/store';
import { placeDecoration, setFrame, setNote } from '@/graph/decorate';
import { words } from '@/text/language';
import { strong, tint } from './colors';
import { useCanvas, useCanvasState } from './context';
import classes from './Decorations.module.css';
import type { FrameNode, NoteNode } from './flow';

const Markdown = lazy(() => import('react-markdown'));

/** A sticky note: Markdown on a coloured paper. */
export const NoteView = memo(function NoteView({ data: { id, note }, selected }: NodeProps<NoteNode>) {
  const { editor, readOnly, store } = useCanvas();
  const dark = useComputedColorScheme('light') === 'dark';
  const editing = useCanvasState((state) => state.editing?.kind === 'note' && state.editing.id === id);
  const done = () => store.setState({ editing: null });
  const color = note.color ?? 'yellow';
  return (
    <div
      className={classes.note}
      data-note={id}
      data-selected={selected || undefined}
      style={{ background: tint(color, dark), borderColor: strong(color) }}
    >
      <Resizer part="notes" id={id} shown={selected && !readOnly} />
      {editing ? (
        <textarea
          className={`${classes.writing} nodrag nowheel`}
          aria-label={words.canvas.noteText}
          defaultValue={note.text}
          // biome-ignore lint/a11y/noAutofocus: the person has just asked to write here
          autoFocus
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key === 'Escape') event.currentTarget.blur();
          }}
          onBlur={(event) => {
            const text = event.currentTarget.value;
            apply(editor, words.canvas.noteText, (graph) => {
              const old = graph.canvas?.notes?.[id];
              return !old || old.text === text ? graph : setNote(id, { ...old, text })(graph);
            });
            done();
          }}
        />
      ) : (
        <div className={`${classes.text} nowheel`}>
          <Suspense fallback={note.text}>
            <Markdown>{note.text || words.canvas.emptyNote}</Markdown>
          </Suspense>
        </div>
      )}
    </div>
  );
});

/** A frame around nodes, with a title; what lies in it moves with it. */
export const FrameView = memo(function FrameView({ data: { id, frame }, selected }: NodeProps<FrameNode>) {
  const { editor, readOnly, store } = useCanvas();
  const dark = useComputedColorScheme('light') === 'dark';
  const editing = useCanvasState((state) => state.editing?.kind === 'frame' && state.editing.id === id);
  const color = frame.color ?? 'gray';
  return (
    <div
      className={classes.frame}
      data-selected={selected || undefined}
      style={{ background: `color-mix(in srgb, ${tint(color, dark)} 55%, transparent)`, borderColor: strong(color) }}
    >
      <Resizer part="frames" id={id} shown={selected && !readOnly} />
      <div className={classes.frameTitle} data-frame={id} style={{ background: tint(color, dark) }}>
        {editing ? (
          <input
            className="nodrag"
            aria-label={words.canvas.frameTitle}
            defaultValue={frame.title}
            // biome-ignore lint/a11y/noAutofocus: the person has just asked to write here
            autoFocus
            onKeyDown={(event) => {
              event.stopPropagation();
              if (event.key === 'Escape' || event.key === 'Enter') event.currentTarget.blur();
            }}
            onBlur={(event) => {
              const title = event.currentTarget.value;
              apply(editor, words.canvas.frameTitle, (graph) => {
                const old = graph.canvas?.frames?.[id];
                return !old || old.title === title ? graph : setFrame(id, { ...old, title })(graph);
              });
              store.setState({ editing: null });
            }}
          />
        ) : (
          frame.title
        )}
      </div>
    </div>
  );
});

function Resizer({
  part,
  id,
  shown,
}: {
  readonly part: 'notes' | 'frames';
  readonly id: string;
  readonly shown: boolean;
}) {
  const { editor } = useCanvas();
  const [key] = useState(() => `${part} ${id} size`);
  if (!shown) return null;
  return (
    <NodeResizer
      minWidth={80}
      minHeight={40}
      onResize={(_, { x, y, width, height }) =>
        apply(editor, words.canvas.rename, placeDecoration(part, id, [x, y], [width, height]), key)
      }
      onResizeEnd={() => settle(editor)}
    />
  );
}
