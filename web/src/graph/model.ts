/** What a graph file says, as data: the shape of `GraphSpec.to_data()`. Everything here is immutable. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export type Point = readonly [x: number, y: number];
export type Size = readonly [width: number, height: number];
/** Colours of nodes, notes and frames. */
export const COLORS = ['blue', 'green', 'yellow', 'orange', 'red', 'purple', 'gray'] as const;
export type Color = (typeof COLORS)[number];

export interface Retry {
  readonly attempts?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly initial?: string;
  readonly max?: string;
  readonly jitter?: boolean;
  readonly on?: readonly string[];
}

export interface Body {
  readonly nodes?: readonly NodeSpec[];
  readonly edges?: readonly string[];
}

/** One node; fields that are left out have the engine's default. */
export interface NodeSpec {
  readonly id: string;
  /** `domain.name@version`. */
  readonly use: string;
  readonly name?: string;
  readonly with?: JsonObject;
  /** What `flow.map` runs for each item. Its nodes' ids are unique in the whole file. */
  readonly body?: Body;
  readonly effects?: 'none' | 'idempotent' | 'once';
  readonly retry?: Retry;
  readonly timeout?: string;
  readonly idle_timeout?: string;
  readonly on_error?: 'stop' | 'continue' | 'route';
  readonly on_unknown?: 'ask' | 'retry' | 'fail';
  /** `all`, `any`, or `2 of 3`. */
  readonly join?: string;
  readonly losers?: 'ignore' | 'cancel';
  readonly loop?: { readonly max?: number };
  readonly cache?: { readonly ttl: string };
  readonly runs_on?: { readonly labels?: readonly string[] };
  /** State channel: expression. */
  readonly write?: JsonObject;
  readonly always_output?: boolean;
  readonly disabled?: boolean;
  readonly notes?: string;
}

export interface StickyNote {
  /** Markdown. */
  readonly text: string;
  readonly at: Point;
  readonly size: Size;
  readonly color?: Color;
}

export interface Frame {
  readonly title: string;
  readonly at: Point;
  readonly size: Size;
  readonly color?: Color;
}

/** What the canvas shows beside nodes and edges; it means nothing to a run. */
export interface Canvas {
  readonly notes?: { readonly [id: string]: StickyNote };
  readonly frames?: { readonly [id: string]: Frame };
  /** Colour by node. */
  readonly colors?: { readonly [id: string]: Color };
}

/** A graph file. No interface: as data it goes to the server wherever that takes any object. */
export type GraphSpec = {
  readonly pyagent: 1;
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  /** JSON Schema by name. */
  readonly inputs?: { readonly [name: string]: JsonObject };
  readonly outputs?: JsonObject;
  readonly state?: { readonly [name: string]: JsonObject };
  readonly settings?: JsonObject;
  readonly nodes: readonly NodeSpec[];
  /** `a.port -> b.port`; a port left out is the first of its node. */
  readonly edges?: readonly string[];
  /** Items by node, or by node and port. */
  readonly pins?: { readonly [id: string]: readonly JsonObject[] | { readonly [port: string]: readonly JsonObject[] } };
  /** Where a node is drawn, those in bodies included. */
  readonly layout?: { readonly [id: string]: Point };
  readonly canvas?: Canvas;
};

/** A graph that says nothing: where there is none yet, or it could not be read. */
export const NO_GRAPH: GraphSpec = { pyagent: 1, id: '', nodes: [] };

/** The body that is shown: the id of the node that holds it; null for the graph itself. */
export type Level = string | null;

/** An edge as data; a port of null is the first one of its node. */
export interface Edge {
  readonly source: string;
  readonly sourcePort: string | null;
  readonly target: string;
  readonly targetPort: string | null;
}

/** The pure change of a graph that an action makes; it gives the same object where nothing changes. */
export type Edit = (graph: GraphSpec) => GraphSpec;

const END = /^\s*([a-z][a-z0-9_]*)(?:\.([A-Za-z0-9_][A-Za-z0-9_-]*))?\s*$/;

/** The edge that a text names, or null where it names none. */
export function parseEdge(text: string): Edge | null {
  const arrow = text.indexOf('->');
  if (arrow < 0) return null;
  const left = END.exec(text.slice(0, arrow));
  const right = END.exec(text.slice(arrow + 2));
  if (!left?.[1] || !right?.[1]) return null;
  return { source: left[1], sourcePort: left[2] ?? null, target: right[1], targetPort: right[2] ?? null };
}

/** The text of an edge, as the graph file writes it. */
export function edgeText(edge: Edge): string {
  const end = (id: string, port: string | null) => (port ? `${id}.${port}` : id);
  return `${end(edge.source, edge.sourcePort)} -> ${end(edge.target, edge.targetPort)}`;
}

/** What people see of a node: its name, else its id. */
export function labelOf(node: NodeSpec): string {
  return node.name || node.id;
}
