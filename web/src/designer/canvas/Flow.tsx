import { Button, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import {
  Background,
  BackgroundVariant,
  type Connection,
  type FinalConnectionState,
  ReactFlow,
  ViewportPortal,
} from '@xyflow/react';
import { type PointerEvent, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useNodeTypes } from '@/api/nodeTypes';
import { apply, useEditor } from '@/editor/store';
import { reconnect } from '@/graph/edges';
import { labelOf } from '@/graph/model';
import { nodeOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { addOf, connectNodes } from './add';
import classes from './Canvas.module.css';
import { CardView } from './CardView';
import { strong } from './colors';
import { hoverWire, type Mark, useCanvas, useCanvasState } from './context';
import { FrameView, NoteView } from './Decorations';
import { NODE_DRAG } from './drag';
import { cardNodes, decorationNodes, type FlowNode, type WireEdge, wireEdges } from './flow';
import { hitAt, type Place, pressed, tapped, wireUnder } from './gestures';
import { Layer } from './layer';
import { Overlay } from './overlay';
import { edgeBetween } from './ports';
import type { Scene } from './scene';
import { MAX_ZOOM, type ViewControl } from './useView';
import { WireView } from './WireView';
import { type InView, inView, stillInView } from './window';

const NODE_TYPES = { card: CardView, note: NoteView, frame: FrameView };
const EDGE_TYPES = { wire: WireView };
const MIDDLE = [1];
const ZOOM_KEYS = ['Control', 'Meta'];
const NOBODY: ReadonlySet<string> = new Set();
const REST = 120;
const MARK_COLORS: { readonly [mark in Mark]: string } = {
  added: strong('green'),
  removed: strong('red'),
  changed: strong('orange'),
  moved: strong('blue'),
};

interface Props {
  readonly scene: Scene;
  readonly dark: boolean;
  readonly marks: ReadonlyMap<string, Mark> | null;
  readonly view: ViewControl;
}

/** Nodes and edges: as elements where they are read, as pixels where they are many. */
export function Flow({ scene, dark, marks, view }: Props) {
  const shared = useCanvas();
  const { editor, readOnly, actions, statuses, store } = shared;
  const selection = useEditor(editor, (state) => state.selection);
  const drag = useCanvasState((state) => state.drag);
  const types = useNodeTypes();
  const shown = useShown(scene, view, selection.nodes);

  const cards = useMemo(() => cardNodes(shown.cards, selection.nodes, drag), [shown.cards, selection.nodes, drag]);
  const decorations = useMemo(
    () => decorationNodes(scene.graph, scene.level, selection, drag, shown.box),
    [scene.graph, scene.level, selection, drag, shown.box],
  );
  const nodes = useMemo((): FlowNode[] => [...decorations, ...cards], [decorations, cards]);
  const edges = useMemo(() => wireEdges(shown.wires, selection.edges), [shown.wires, selection.edges]);

  const layerCanvas = useRef<HTMLCanvasElement>(null);
  const overlayCanvas = useRef<HTMLCanvasElement>(null);
  const layer = useRef<Layer | null>(null);
  const overlay = useRef<Overlay | null>(null);
  useLayoutEffect(() => {
    const [below, above] = [layerCanvas.current, overlayCanvas.current];
    const container = below?.parentElement;
    if (!below || !above || !container) return;
    const [made, madeAbove] = [new Layer(below, statuses), new Overlay(above)];
    layer.current = made;
    overlay.current = madeAbove;
    const resize = () => {
      made.resize(container.clientWidth, container.clientHeight);
      madeAbove.resize(container.clientWidth, container.clientHeight);
    };
    resize();
    made.move(view.now());
    const observer = new ResizeObserver(resize);
    observer.observe(container);
    const unwatch = view.watch((now) => {
      made.move(now);
      madeAbove.move(now);
    });
    return () => {
      observer.disconnect();
      unwatch();
      made.close();
    };
  }, [statuses, view]);

  const without = drag?.nodes ?? NOBODY;
  const pixels = !shown.all;
  const markColors = useMemo(() => marks && new Map([...marks].map(([id, mark]) => [id, MARK_COLORS[mark]])), [marks]);
  useLayoutEffect(() => {
    layer.current?.show(
      { scene, dark, selected: selection.nodes, selectedWires: selection.edges, without, marks: markColors },
      pixels,
    );
  }, [scene, dark, selection.nodes, selection.edges, without, markColors, pixels]);
  useLayoutEffect(() => {
    overlay.current?.show(pixels && drag ? { scene, dark, drag, elements: shown } : null);
  }, [scene, dark, drag, shown, pixels]);

  const place = useMemo(
    (): Place => ({
      toGraph: view.toGraph,
      zoom: () => view.now().zoom,
      pan: (x, y) => {
        const now = view.now();
        view.set({ ...now, x: now.x + x, y: now.y + y });
      },
      bounds: () => (layerCanvas.current?.parentElement ?? document.body).getBoundingClientRect(),
    }),
    [view],
  );
  const spaceHeld = useHeld(' ');
  const owner = scene.level === null ? undefined : nodeOf(scene.graph, scene.level);

  const onConnect = useCallback(
    (made: Connection) =>
      connectNodes(
        actions,
        { node: made.source, port: made.sourceHandle },
        { node: made.target, port: made.targetHandle },
      ),
    [actions],
  );
  const onConnectEnd = useCallback(
    (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
      const from = state.fromHandle;
      if (state.isValid || !from?.id || reconnecting.current) return;
      const at = 'changedTouches' in event ? event.changedTouches[0] : event;
      if (!at) return;
      const target = document.elementFromPoint(at.clientX, at.clientY);
      const hit = hitAt(shared, place, target, at.clientX, at.clientY);
      const side = from.type === 'source' ? 'out' : 'in';
      const end = { node: from.nodeId, port: from.id };
      // Let go where it began: nothing was meant.
      if (hit.kind === 'node' && hit.id === from.nodeId) return;
      if (hit.kind === 'node') {
        if (side === 'out') connectNodes(actions, end, { node: hit.id });
        else connectNodes(actions, { node: hit.id }, end);
      } else if (hit.kind === 'empty') {
        actions.open('palette', { at: view.toGraph(at.clientX, at.clientY), from: { ...end, side } });
      }
    },
    [actions, place, shared, view],
  );
  const reconnecting = useRef(false);
  const lead = useCallback(
    (old: WireEdge, from: { node: string; port?: string | null }, to: { node: string; port?: string | null }) => {
      const edge = edgeBetween(shared.scene(), from, to);
      if (!edge) return;
      const { level } = editor.getState();
      apply(editor, words.actions.connect, reconnect(level, old.id, edge));
      const title = (id: string) => shared.scene().cards.get(id)?.title ?? id;
      actions.say(fill(words.canvas.said.connected, { from: title(edge.source), to: title(edge.target) }));
    },
    [editor, shared, actions],
  );
  const onReconnect = useCallback(
    (old: WireEdge, made: Connection) =>
      lead(old, { node: made.source, port: made.sourceHandle }, { node: made.target, port: made.targetHandle }),
    [lead],
  );
  const onReconnectEnd = useCallback(
    (event: MouseEvent | TouchEvent, old: WireEdge, stays: 'source' | 'target', state: FinalConnectionState) => {
      reconnecting.current = false;
      const at = 'changedTouches' in event ? event.changedTouches[0] : event;
      if (state.isValid || !at) return;
      // Let go on a card beside its ports: the port that fits.
      const target = document.elementFromPoint(at.clientX, at.clientY);
      const hit = hitAt(shared, place, target, at.clientX, at.clientY);
      if (hit.kind !== 'node' || hit.id === old.source || hit.id === old.target) return;
      if (stays === 'source') lead(old, { node: old.source, port: old.sourceHandle ?? null }, { node: hit.id });
      else lead(old, { node: hit.id }, { node: old.target, port: old.targetHandle ?? null });
    },
    [lead, place, shared],
  );

  const onWire = (event: React.MouseEvent, edge: WireEdge) => {
    // While something is drawn or dragged no tools come in its way.
    if (event.buttons) return;
    const id = wireUnder(shared, place, event.clientX, event.clientY) ?? edge.id;
    hoverWire(store, id, view.toGraph(event.clientX, event.clientY));
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button === 0 && !(event.target as Element).closest('button, input, textarea, a')) view.canvas.focus();
    pressed(shared, place, event, spaceHeld.current);
  };
  const onDoubleClick = (event: React.MouseEvent) => {
    const target = event.target as Element;
    if (target.closest('button, input, textarea, a, [data-tools]')) return;
    const hit = hitAt(shared, place, target, event.clientX, event.clientY);
    if (hit.kind === 'node') shared.onOpen(hit.id);
    else if (readOnly) return;
    else if (hit.kind === 'note' || hit.kind === 'frame') store.setState({ editing: { kind: hit.kind, id: hit.id } });
    else if (hit.kind === 'empty') actions.open('palette', { at: view.toGraph(event.clientX, event.clientY) });
  };

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the section around it has the keys
    // biome-ignore lint/a11y/noStaticElementInteractions: the section around it has the role and the keys
    <div
      className={classes.flow}
      onPointerDownCapture={onPointerDown}
      onClick={(event) => {
        if ((event.nativeEvent as globalThis.PointerEvent).pointerType === 'touch') tapped(shared, place, event);
      }}
      onDoubleClick={onDoubleClick}
      onDragOver={(event) => {
        if (!readOnly && event.dataTransfer.types.includes(NODE_DRAG)) event.preventDefault();
      }}
      onDrop={(event) => {
        const type = types.get(event.dataTransfer.getData(NODE_DRAG));
        if (!type || readOnly) return;
        event.preventDefault();
        const hit = hitAt(shared, place, event.target as Element, event.clientX, event.clientY);
        const at = view.toGraph(event.clientX, event.clientY);
        store.setState({ dialog: null });
        addOf(actions, type, hit.kind === 'wire' ? { at, edge: hit.id } : { at });
      }}
      onContextMenu={(event) => {
        event.preventDefault();
        const hit = hitAt(shared, place, event.target as Element, event.clientX, event.clientY);
        actions.open('menu', { x: event.clientX, y: event.clientY, hit });
      }}
    >
      <canvas ref={layerCanvas} className={classes.layer} />
      <ReactFlow<FlowNode, WireEdge>
        className={classes.flow ?? ''}
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        minZoom={0.005}
        maxZoom={MAX_ZOOM}
        panOnScroll
        panOnDrag={MIDDLE}
        zoomOnScroll={false}
        zoomOnDoubleClick={false}
        zoomActivationKeyCode={ZOOM_KEYS}
        panActivationKeyCode="Space"
        selectionKeyCode={null}
        multiSelectionKeyCode={null}
        deleteKeyCode={null}
        nodesDraggable={false}
        nodesConnectable={!readOnly}
        elementsSelectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        edgesReconnectable={!readOnly}
        disableKeyboardA11y
        autoPanOnNodeFocus={false}
        onEdgeMouseEnter={onWire}
        onEdgeMouseMove={onWire}
        onEdgeMouseLeave={() => hoverWire(store, null)}
        reconnectRadius={12}
        connectOnClick={false}
        connectionRadius={28}
        onConnect={onConnect}
        onConnectEnd={onConnectEnd}
        onReconnect={onReconnect}
        onReconnectStart={() => {
          reconnecting.current = true;
        }}
        onReconnectEnd={onReconnectEnd}
        onInit={view.begin}
        proOptions={{ hideAttribution: true }}
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1.4} color={dark ? '#2e3037' : '#d5d9de'} />
        <SelectionBox />
      </ReactFlow>
      <canvas ref={overlayCanvas} className={classes.overlay} />
      {scene.cards.size === 0 && !readOnly && (
        <div className={classes.empty}>
          <div>
            <Button leftSection={<IconPlus size={16} />} onClick={() => actions.open('palette')}>
              {owner ? words.canvas.emptyInside : words.canvas.empty}
            </Button>
            {owner && (
              <Text size="sm" c="dimmed" ta="center" mt={6} maw={380}>
                {fill(words.canvas.emptyInsideHint, { name: labelOf(owner) })}
              </Text>
            )}
            <Text size="sm" c="dimmed" ta="center" mt={6}>
              {words.canvas.emptyHint}
            </Text>
          </div>
        </div>
      )}
    </div>
  );
}

/** What is to be elements, kept up with the view. */
function useShown(scene: Scene, view: ViewControl, always: ReadonlySet<string>): InView {
  const few = always.size <= 20 ? always : NOBODY;
  const look = useCallback(() => inView(scene, view.now(), ...view.size(), few), [scene, view, few]);
  const [shown, setShown] = useState<InView>(() => inView(scene, view.now(), 0, 0, few));
  const [basis, setBasis] = useState<{ look: () => InView } | null>(null);
  let now = shown;
  if (basis?.look !== look) {
    // Another scene or selection: what is shown follows in this very render.
    now = look();
    setBasis({ look });
    setShown(now);
  }
  const known = useRef(now);
  known.current = now;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const update = () => setShown(look());
    const unwatch = view.watch((at) => {
      const [width, height] = view.size();
      if (stillInView(known.current, at, width, height)) return;
      clearTimeout(timer);
      if (known.current.all || known.current.view.zoom === at.zoom) {
        update();
        return;
      }
      // While the zoom changes elements are kept, unless they become too many; the rest is seen to when it rests.
      const next = look();
      if (known.current.detailed && !next.detailed) setShown(next);
      else timer = setTimeout(update, REST);
    });
    return () => {
      clearTimeout(timer);
      unwatch();
    };
  }, [look, view]);
  return now;
}

function SelectionBox() {
  const box = useCanvasState((state) => state.box);
  if (!box) return null;
  return (
    <ViewportPortal>
      <div
        className={classes.box}
        style={{
          transform: `translate(${box.left}px, ${box.top}px)`,
          width: box.right - box.left,
          height: box.bottom - box.top,
        }}
      />
    </ViewportPortal>
  );
}

/** Whether a key is down, for what asks at the press of a button. */
function useHeld(key: string) {
  const held = useRef(false);
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.key === key) held.current = true;
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === key) held.current = false;
    };
    const none = () => {
      held.current = false;
    };
    window.addEventListener('keydown', down);
    window.addEventListener('keyup', up);
    window.addEventListener('blur', none);
    return () => {
      window.removeEventListener('keydown', down);
      window.removeEventListener('keyup', up);
      window.removeEventListener('blur', none);
    };
  }, [key]);
  return held;
}
