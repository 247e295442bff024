import { IconPlus, IconTrash } from '@tabler/icons-react';
import { BaseEdge, EdgeLabelRenderer, type EdgeProps, useStoreApi, ViewportPortal } from '@xyflow/react';
import { memo, useMemo } from 'react';
import { apply } from '@/editor/store';
import { disconnect } from '@/graph/edges';
import type { Point } from '@/graph/model';
import { type Curve, curve, pathOf, pointAt, portNames } from '@/graph/shape';
import { fill, words } from '@/text/language';
import { hoverWire, useCanvas, useCanvasState, useStatus } from './context';
import type { WireEdge } from './flow';
import { WIRE_WIDTH } from './gestures';
import { toolsAt, type Wire } from './scene';
import classes from './WireView.module.css';

/** How far from the pointer, in pixels of the screen, a wire's tools may be in its middle. */
const REACH = 220;
/** How far tools are below a count, in graph coordinates. */
const BELOW = 26;
/** How wide a count is, about, and an arrow. */
const COUNT = 52;
const ARROW = 9;

/** An edge: how many items went over it, and what can be done with it under the pointer. */
export const WireView = memo(function WireView(props: EdgeProps<WireEdge>) {
  const { data, sourceX, sourceY, targetX, targetY, selected } = props;
  const { readOnly, marks, editor } = useCanvas();
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
        interactionWidth={WIRE_WIDTH}
      />
      <path className={classes.arrow} data-state={state} d={`M${targetX - 9},${targetY - 4} l6,4 l-6,4 z`} />
      {(items > 0 || mark) && (
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
          {items > 0 && <Label at={countAt(wire, line)} items={items} />}
        </EdgeLabelRenderer>
      )}
      {hovered && !readOnly && <WireTools wire={wire} below={items > 0} />}
    </g>
  );
});

function Label({ at, items }: { readonly at: Point; readonly items: number }) {
  return (
    <div className={classes.items} style={placed(at)} data-count>
      {items === 1 ? words.canvas.oneItem : fill(words.canvas.items, { count: items })}
    </div>
  );
}

/** Above everything, so that no card and no other wire hides them. */
function WireTools({ wire, below }: { readonly wire: Wire; readonly below: boolean }) {
  const { editor, actions, store, scene } = useCanvas();
  const zoom = useStoreApi().getState().transform[2];
  const at = useMemo(
    () => toolsAt(scene(), wire, store.getState().hoveredAt, REACH / zoom),
    [scene, wire, store, zoom],
  );
  return (
    <ViewportPortal>
      <div
        className={classes.tools}
        style={placed(below ? [at[0], at[1] + BELOW] : at)}
        data-tools
        onPointerEnter={() => hoverWire(store, wire.id)}
        onPointerLeave={() => hoverWire(store, null)}
      >
        <button
          type="button"
          tabIndex={-1}
          className={classes.tool}
          aria-label={words.canvas.insertHere}
          title={words.canvas.insertHere}
          onClick={() => actions.open('palette', { at, edge: wire.id })}
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
            apply(editor, words.canvas.removeEdge, disconnect(editor.getState().level, [wire.id]));
            actions.say(words.canvas.said.disconnected);
          }}
        >
          <IconTrash size={14} />
        </button>
      </div>
    </ViewportPortal>
  );
}

/** Where the count of items is: in the middle of what is seen of the wire beside its port's name, or below both. */
function countAt(wire: Wire, line: Curve): Point {
  const name = portNames(wire.source.outputs);
  const middle = pointAt(line, 0.5);
  if (!name || wire.back || middle[0] - COUNT / 2 >= line.from[0] + name) return middle;
  const room = line.to[0] - ARROW - line.from[0] - name;
  if (room < COUNT) return [middle[0], middle[1] + BELOW / 2];
  const wanted = line.from[0] + name + room / 2;
  // The way goes on to the right: the part where it has come so far.
  let [low, high] = [0, 1];
  for (let step = 0; step < 12; step++) {
    const part = (low + high) / 2;
    if (pointAt(line, part)[0] < wanted) low = part;
    else high = part;
  }
  return pointAt(line, low);
}

function placed([x, y]: Point) {
  return { transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` };
}
