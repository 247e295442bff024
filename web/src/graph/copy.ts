/** Copy, paste and duplicate: a part of a graph as JSON text, and back in any graph with ids of its own. */

import { withBody } from './change';
import { freeId, freeName } from './ids';
import type { Color, Frame, GraphSpec, Level, NodeSpec, Point, StickyNote } from './model';
import { COLORS, edgeText, parseEdge } from './model';
import { rounded, withCanvas, withInner } from './nodes';
import { edgesAt, nodesAt, placesOf } from './read';
import { renamedInNode } from './references';
import { CARD_HEIGHT, CARD_WIDTH } from './shape';

/** What the clipboard holds. */
export interface Clip {
  readonly pyagent_clip: 1;
  readonly nodes: readonly NodeSpec[];
  readonly edges: readonly string[];
  readonly layout: { readonly [id: string]: Point };
  readonly colors?: { readonly [id: string]: Color };
  readonly pins?: GraphSpec['pins'];
  readonly notes?: readonly StickyNote[];
  readonly frames?: readonly Frame[];
}

/** A graph, and the ids of what an edit has put into it. */
interface Pasted {
  readonly graph: GraphSpec;
  readonly nodes: readonly string[];
  readonly notes: readonly string[];
  readonly frames: readonly string[];
}

interface Chosen {
  readonly nodes: ReadonlySet<string>;
  readonly notes: ReadonlySet<string>;
  readonly frames: ReadonlySet<string>;
}

/** What is chosen of a level, to be put elsewhere. */
export function clipOf(graph: GraphSpec, level: Level, chosen: Chosen, places: (id: string) => Point): Clip {
  const nodes = nodesAt(graph, level).filter((node) => chosen.nodes.has(node.id));
  const inner = withInner(
    graph,
    nodes.map((node) => node.id),
  );
  const own = new Set(nodes.map((node) => node.id));
  const part = <V>(map: { readonly [id: string]: V } | undefined) =>
    Object.fromEntries(Object.entries(map ?? {}).filter(([id]) => inner.has(id)));
  const colors = part(graph.canvas?.colors);
  const pins = part(graph.pins);
  const notes = Object.entries(graph.canvas?.notes ?? {}).flatMap(([id, note]) => (chosen.notes.has(id) ? [note] : []));
  const frames = Object.entries(graph.canvas?.frames ?? {}).flatMap(([id, one]) =>
    chosen.frames.has(id) ? [one] : [],
  );
  return {
    pyagent_clip: 1,
    nodes,
    edges: edgesAt(graph, level)
      .filter((edge) => own.has(edge.source) && own.has(edge.target))
      .map((edge) => edge.text),
    layout: { ...part(graph.layout), ...Object.fromEntries(nodes.map((node) => [node.id, places(node.id)])) },
    ...(Object.keys(colors).length && { colors }),
    ...(Object.keys(pins).length && { pins }),
    ...(notes.length && { notes }),
    ...(frames.length && { frames }),
  };
}

/** What a text on the clipboard holds; null where it is nothing that can be pasted. */
export function readClip(text: string): Clip | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value) || value.pyagent_clip !== 1) return null;
  if (!Array.isArray(value.nodes) || !value.nodes.every(isNode)) return null;
  if (!Array.isArray(value.edges) || !value.edges.every((edge) => typeof edge === 'string')) return null;
  if (!unique(value.nodes as NodeSpec[])) return null;
  const layout = isObject(value.layout) ? value.layout : {};
  const colors = isObject(value.colors) ? value.colors : {};
  const pins = isObject(value.pins) ? value.pins : {};
  return {
    pyagent_clip: 1,
    nodes: value.nodes as NodeSpec[],
    edges: value.edges as string[],
    layout: Object.fromEntries(Object.entries(layout).filter(([, at]) => isPoint(at))) as Clip['layout'],
    colors: Object.fromEntries(Object.entries(colors).filter(([, one]) => COLORS.includes(one as Color))) as Record<
      string,
      Color
    >,
    pins: pins as NonNullable<GraphSpec['pins']>,
    notes: (Array.isArray(value.notes) ? value.notes : []).filter(isNote) as StickyNote[],
    frames: (Array.isArray(value.frames) ? value.frames : []).filter(isFrame) as Frame[],
  };
}

/** A graph with a clip in it, its middle at a point; names and ids that are taken become others, in expressions too. */
export function pasted(graph: GraphSpec, level: Level, clip: Clip, middle: Point): Pasted {
  const box = boundsOf(clip);
  const shift: Point = [middle[0] - (box.left + box.right) / 2, middle[1] - (box.top + box.bottom) / 2];
  return put(graph, level, clip, shift);
}

/** A graph with what is chosen twice, the copy a little to the right and below. */
export function duplicated(graph: GraphSpec, level: Level, chosen: Chosen, places: (id: string) => Point): Pasted {
  return put(graph, level, clipOf(graph, level, chosen, places), [40, 90]);
}

function put(graph: GraphSpec, level: Level, clip: Clip, shift: Point): Pasted {
  const ids = new Set(placesOf(graph).keys());
  const names = new Set([...placesOf(graph).values()].map(({ node }) => node.name || node.id));
  const newIds = new Map<string, string>();
  const newNames = new Map<string, string>();
  const claim = (node: NodeSpec): void => {
    const id = freeId(ids, node.id);
    ids.add(id);
    newIds.set(node.id, id);
    if (node.name) {
      const name = freeName(names, node.name);
      names.add(name);
      newNames.set(node.name, name);
    }
    for (const inner of node.body?.nodes ?? []) claim(inner);
  };
  for (const node of clip.nodes) claim(node);
  const renamed = (name: string) => newIds.get(name) ?? newNames.get(name) ?? name;
  const fresh = (node: NodeSpec): NodeSpec => {
    const { body, ...rest } = node;
    return {
      ...rest,
      id: newIds.get(node.id) ?? node.id,
      ...(node.name && { name: newNames.get(node.name) ?? node.name }),
      ...(body && {
        body: {
          ...body,
          ...(body.nodes && { nodes: body.nodes.map(fresh) }),
          ...(body.edges && { edges: body.edges.map((text) => freshEdge(text, newIds) ?? text) }),
        },
      }),
    };
  };
  const nodes = clip.nodes.map((node) => renamedInNode(fresh(node), renamed));
  const edges = clip.edges.flatMap((text) => freshEdge(text, newIds) ?? []);
  const own = new Set(clip.nodes.map((node) => node.id));
  const keys = <V>(map: { readonly [id: string]: V } | undefined, value: (id: string, one: V) => V = (_, one) => one) =>
    Object.fromEntries(
      Object.entries(map ?? {}).flatMap(([id, one]) => {
        const key = newIds.get(id);
        return key ? [[key, value(id, one)]] : [];
      }),
    );
  const moved = (at: Point): Point => rounded([at[0] + shift[0], at[1] + shift[1]]);
  const layout = keys(clip.layout, (id, at) => (own.has(id) ? moved(at) : at));
  const pins = keys(clip.pins);
  const colors = keys(clip.colors);

  let changed: GraphSpec = graph;
  if (nodes.length) {
    changed = { ...changed, layout: { ...changed.layout, ...layout } };
    if (Object.keys(pins).length) changed = { ...changed, pins: { ...changed.pins, ...pins } };
    if (Object.keys(colors).length) changed = withCanvas(changed, 'colors', { ...changed.canvas?.colors, ...colors });
    changed = withBody(changed, level, (body) => ({
      ...body,
      nodes: [...(body.nodes ?? []), ...nodes],
      ...(edges.length && { edges: [...(body.edges ?? []), ...edges] }),
    }));
  }
  const place = <V extends { readonly at: Point }>(
    part: 'notes' | 'frames',
    all: readonly V[] | undefined,
  ): string[] => {
    const known: { [id: string]: unknown } = { ...changed.canvas?.[part] };
    const made = (all ?? []).map((one) => {
      const id = freeId({ has: (key) => key in known }, part === 'notes' ? 'note' : 'frame');
      known[id] = { ...one, at: moved(one.at) };
      return id;
    });
    if (made.length) changed = withCanvas(changed, part, known as never);
    return made;
  };
  const notes = place('notes', clip.notes);
  const frames = place('frames', clip.frames);
  return { graph: changed, nodes: nodes.map((node) => node.id), notes, frames };
}

function freshEdge(text: string, ids: ReadonlyMap<string, string>): string | null {
  const edge = parseEdge(text);
  const source = edge && ids.get(edge.source);
  const target = edge && ids.get(edge.target);
  return edge && source && target ? edgeText({ ...edge, source, target }) : null;
}

function boundsOf(clip: Clip): { left: number; right: number; top: number; bottom: number } {
  const boxes = [
    ...clip.nodes.map((node) => [...(clip.layout[node.id] ?? [0, 0]), CARD_WIDTH, CARD_HEIGHT] as const),
    ...(clip.notes ?? []).map((note) => [...note.at, ...note.size] as const),
    ...(clip.frames ?? []).map((frame) => [...frame.at, ...frame.size] as const),
  ];
  if (!boxes.length) return { left: 0, right: 0, top: 0, bottom: 0 };
  return {
    left: Math.min(...boxes.map(([x]) => x)),
    top: Math.min(...boxes.map(([, y]) => y)),
    right: Math.max(...boxes.map(([x, , width]) => x + width)),
    bottom: Math.max(...boxes.map(([, y, , height]) => y + height)),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNode(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    typeof value.use === 'string' &&
    (value.name === undefined || typeof value.name === 'string') &&
    (value.with === undefined || isObject(value.with)) &&
    (value.body === undefined ||
      (isObject(value.body) &&
        (value.body.nodes === undefined || (Array.isArray(value.body.nodes) && value.body.nodes.every(isNode))) &&
        (value.body.edges === undefined ||
          (Array.isArray(value.body.edges) && value.body.edges.every((edge) => typeof edge === 'string')))))
  );
}

function unique(nodes: readonly NodeSpec[]): boolean {
  const ids = new Set<string>();
  const add = (all: readonly NodeSpec[]): boolean =>
    all.every((node) => ids.size < ids.add(node.id).size && add(node.body?.nodes ?? []));
  return add(nodes);
}

function isPoint(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((one) => Number.isFinite(one));
}

function isNote(value: unknown): boolean {
  return isObject(value) && typeof value.text === 'string' && isPoint(value.at) && isPoint(value.size);
}

function isFrame(value: unknown): boolean {
  return isObject(value) && typeof value.title === 'string' && isPoint(value.at) && isPoint(value.size);
}
