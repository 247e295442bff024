/** Edits of what stands in a node: its parameters by path, its other fields, and the items pinned to it. */

import { withEntry, withField, withNode } from './change';
import type { Color, Edit, GraphSpec, Json, JsonObject, NodeSpec } from './model';
import { nodeOf } from './read';

export type Path = readonly (string | number)[];
export type Items = readonly JsonObject[];

/** What stands at a path; undefined where nothing does. */
export function valueAt(value: Json | undefined, path: Path): Json | undefined {
  let at: Json | undefined = value;
  for (const part of path) {
    if (at === null || typeof at !== 'object' || at === undefined) return undefined;
    at = Array.isArray(at) ? at[Number(part)] : (at as JsonObject)[String(part)];
  }
  return at;
}

/** A value with another one at a path; undefined removes. Objects on the way are made, what is not touched is shared. */
export function withValueAt(value: Json | undefined, path: Path, fresh: Json | undefined): Json | undefined {
  const [part, ...rest] = path;
  if (part === undefined) return fresh;
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    const index = Number(part);
    const changed = withValueAt(list[index], rest, fresh);
    if (changed === list[index]) return value;
    if (changed === undefined) return list.filter((_, at) => at !== index);
    return index < list.length ? list.map((old, at) => (at === index ? changed : old)) : [...list, changed];
  }
  if (typeof part === 'number' && (value === undefined || value === null)) {
    const first = withValueAt(undefined, rest, fresh);
    return first === undefined ? undefined : [first];
  }
  const object = (value !== null && typeof value === 'object' ? value : {}) as JsonObject;
  const key = String(part);
  const changed = withValueAt(object[key], rest, fresh);
  if (changed === object[key] && key in object === (changed !== undefined)) return value;
  if (changed !== undefined) return { ...object, [key]: changed };
  const { [key]: _, ...others } = object;
  return others;
}

/** Set a parameter, or one inside of it; undefined takes it away. */
export function setParameter(node: string, path: Path, value: Json | undefined): Edit {
  return (graph) =>
    withNode(graph, node, (old) => {
      const fresh = withValueAt(old.with ?? {}, path, value) as JsonObject | undefined;
      if (fresh === old.with) return old;
      return withField(old, 'with', fresh && Object.keys(fresh).length ? fresh : undefined);
    });
}

/** Set one of a node's own fields; undefined takes it away, and with it what the engine has by default. */
export function setNodeField<K extends keyof NodeSpec>(node: string, key: K, value: NodeSpec[K] | undefined): Edit {
  return (graph) => withNode(graph, node, (old) => withField(old, key, value));
}

/** Set a field of one of a node's groups (`retry`, `loop`, …); a group without fields goes. */
export function setNodePart(node: string, group: keyof NodeSpec, key: string, value: Json | undefined): Edit {
  return (graph) =>
    withNode(graph, node, (old) => {
      const fresh = withEntry(old[group] as JsonObject | undefined, key, value);
      return fresh === old[group] ? old : withField(old, group, fresh as never);
    });
}

/** Colour a node on the canvas, or not. */
export function setColor(node: string, color: Color | undefined): Edit {
  return (graph) => {
    const colors = withEntry(graph.canvas?.colors, node, color);
    if (colors === graph.canvas?.colors) return graph;
    const canvas = withField(graph.canvas ?? {}, 'colors', colors);
    return withField(graph, 'canvas', Object.keys(canvas).length ? canvas : undefined);
  };
}

/** The pinned items of a node by port; `first` is the port that a plain list stands for. */
export function pinsOf(graph: GraphSpec, node: string, first: string): Readonly<Record<string, Items>> {
  const pin = graph.pins?.[node];
  if (pin === undefined) return {};
  return Array.isArray(pin) ? { [first]: pin as Items } : (pin as Record<string, Items>);
}

/** Pin items to a port; undefined unpins it. One pinned port that is the first is written as a plain list. */
export function setPin(node: string, port: string, first: string, items: Items | undefined): Edit {
  return (graph) => {
    if (!nodeOf(graph, node)) return graph;
    const all = withEntry(pinsOf(graph, node, first), port, items) ?? {};
    const ports = Object.keys(all);
    const fresh = ports.length === 0 ? undefined : ports.length === 1 && ports[0] === first ? all[first] : all;
    const pins = withEntry(graph.pins, node, fresh);
    return pins === graph.pins ? graph : withField(graph, 'pins', pins);
  };
}
