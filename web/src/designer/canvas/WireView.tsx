import { IconPlus, IconTrash } from '@tabler/icons-react';
import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from '@xyflow/react';
import { memo } from 'react';
import { apply } from '@/editor/store';
import { disconnect } from '@/graph/edges';
import type { Point } from '@/graph/model';
import { curve, pathOf, pointAt } from '@/graph/shape';
import { fill, words } from '@/text/language';
import { hoverWire, useCanvas, useCanvasState, useStatus } from './context';
import type { WireEdge } from './flow';
import classes from './WireView.module.css';

/** An edge: how many items went over it, and what can be done with it under the pointer. */
export const WireView = memo(function WireView(props: EdgeProps<WireEdge>) {
  const { data, sourceX, sourceY, targetX, targetY, selected } = props;
  const { readOnly, marks, editor, store } = useCanvas();
  const hovered = useCanvasState((state) => state.hovered === props.id);
  const wire = data?.wire;
  const status = useStatus(wire?.source.id ?? '');
  const items = wire ? (status?.items_out[wire.sourcePort] ?? 0) : 0;
  if (!wire) return null;
  const mark = marks?.edges.get(editor.getState().level)?.get(wire.id);
  const line = curve([sourceX, sourceY], [targetX, targetY]);
  const state = selected
    ? 'selected'
    : hovered
      ? 'hovered'
      : items
        ? 'used'
        : wire.sourcePort === 'error'
          ? 'error'
          : undefined;
  return (
    <g data-wire={wire.id}>
      <BaseEdge
        path={pathOf(line)}
        className={classes.wire ?? ''}
        data-state={state}
        data-mark={mark}
        data-back={wire.back || undefined}
        data-off={wire.source.node.disabled || wire.target.node.disabled || undefined}
        interactionWidth={18}
      />
      <path className={classes.arrow} data-state={state} d={`M${targetX - 9},${targetY - 4} l6,4 l-6,4 z`} />
      {(items > 0 || mark || (hovered && !readOnly)) && (
        <EdgeLabelRenderer>
          {mark && (
            <span
              className={classes.differs}
              style={placed(pointAt(line, 0.5))}
              data-mark={mark}
              title={words.canvas.differs[mark]}
            >
              {mark === 'added' ? '+' : '−'}
            </span>
          )}
          {items > 0 && <Label at={pointAt(line, 0.5)} items={items} />}
          {hovered && !readOnly && (
            <div
              className={classes.tools}
              style={placed(pointAt(line, items > 0 ? 0.75 : 0.5))}
              onPointerEnter={() => hoverWire(store, wire.id)}
              onPointerLeave={() => hoverWire(store, null)}
            >
              <WireTools wire={wire.id} at={pointAt(line, 0.5)} />
            </div>
          )}
        </EdgeLabelRenderer>
      )}
    </g>
  );
});

function Label({ at, items }: { readonly at: Point; readonly items: number }) {
  return (
    <div className={classes.items} style={placed(at)}>
      {items === 1 ? words.canvas.oneItem : fill(words.canvas.items, { count: items })}
    </div>
  );
}

function WireTools({ wire, at }: { readonly wire: string; readonly at: Point }) {
  const { editor, actions } = useCanvas();
  return (
    <>
      <button
        type="button"
        tabIndex={-1}
        className={classes.tool}
        aria-label={words.canvas.insertHere}
        title={words.canvas.insertHere}
        onClick={() => actions.open('palette', { at, edge: wire })}
      >
        <IconPlus size={14} />
      </button>
      <button
        type="button"
        tabIndex={-1}
        className={classes.tool}
        aria-label={words.canvas.removeEdge}
        title={words.canvas.removeEdge}
        onClick={() => {
          apply(editor, words.canvas.removeEdge, disconnect(editor.getState().level, [wire]));
          actions.say(words.canvas.said.disconnected);
        }}
      >
        <IconTrash size={14} />
      </button>
    </>
  );
}

function placed([x, y]: Point) {
  return { transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` };
}
