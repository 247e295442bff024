/**
 * Make a graph of its own of nodes, and a call of it in their place.
 *
 * The call hands on all items that come in, and what the graph's last node puts out comes out of it: each node sees
 * what it has seen before. What it reads beyond that becomes an input of the new graph. Where something would mean
 * something else there, it is refused.
 */

import { ancestorAt, comesAfter, surelyGives, surelyRun } from './certain';
import { withBody, withField } from './change';
import { type AboutOf, type Cut, cutOut, isRefusal, type Refusal, reachable } from './cut';
import { freeId, freeName, slug } from './ids';
import type { GraphSpec, Json, JsonObject, Level, NodeSpec, Point } from './model';
import { edgeText, labelOf } from './model';
import { withCanvas, withInner } from './nodes';
import { placesOf } from './read';
import { type NodeRead, readsIn, readsOf, recodedNode, renamedReferences, withReads } from './references';
import { onlyCode, quotedIn, withTexts } from './templates';

/** What the new graph is called, and where its call is drawn. */
export interface Asked {
  readonly id: string;
  readonly name: string;
  readonly at: Point;
  /** What the node is called that gathers what comes out, where one is needed. */
  readonly result: string;
}

export interface Separated {
  /** The graph with the call in it. */
  readonly graph: GraphSpec;
  /** The graph that is called. */
  readonly called: GraphSpec;
  /** The call. */
  readonly node: string;
}

/** Nodes as a graph of its own, or why that would not be the same. */
export function separated(
  graph: GraphSpec,
  level: Level,
  ids: ReadonlySet<string>,
  about: AboutOf,
  asked: Asked,
): Separated | Refusal {
  const cut = cutOut(graph, level, ids, about);
  if (isRefusal(cut)) return cut;
  const inner = withInner(graph, cut.own);
  const refusal = bound(graph, cut, inner);
  if (refusal) return refusal;
  const way = wayOut(cut, about);
  if (isRefusal(way)) return way;
  const given = inputsFor(graph, level, cut, inner);
  if (isRefusal(given)) return given;

  const names = namesIn(graph);
  const node = freeId(names, asked.name);
  const name = freeName(new Set([...names].filter((one) => !inner.has(one))), asked.name);
  const read = readAs(graph, level, cut, inner, way, about, node);
  if (isRefusal(read)) return read;
  return {
    graph: calling(
      read,
      level,
      cut,
      inner,
      way,
      {
        id: node,
        use: 'flow.graph@1',
        name,
        with: { graph: asked.id, ...(given.values && { inputs: given.values }), items: true },
        ...entryFields(cut.entries),
      },
      asked.at,
    ),
    called: calledGraph(graph, cut, inner, way, given, asked),
    node,
  };
}

/** What ties nodes to the graph that they are in, beyond what an expression reads of other nodes. */
export function bound(graph: GraphSpec, { nodes }: Pick<Cut, 'nodes'>, inner: ReadonlySet<string>): Refusal | null {
  const places = placesOf(graph);
  for (const id of inner) {
    const node = places.get(id)?.node;
    if (!node) continue;
    if (graph.pins?.[id]) return { reason: 'pinned', names: [labelOf(node)] };
    if (node.write && Object.keys(node.write).length) return { reason: 'state', names: [labelOf(node)] };
    if (isOwn(node)) return { reason: 'own', names: [labelOf(node)] };
  }
  for (const node of nodes) {
    const word = contextOf(node);
    if (word === '$state') return { reason: 'state', names: [labelOf(node)] };
    if (word) return { reason: 'context', names: [labelOf(node), word] };
    const quoted = quotedName(node);
    if (quoted) return { reason: 'quoted', names: [labelOf(node), quoted] };
    if (readsOf(node).some((read) => read.name === null)) return { reason: 'computed', names: [labelOf(node)] };
  }
  return null;
}

/** Whether a node takes of its graph what no template says: its successor's inputs, inputs and state by name. */
function isOwn(node: NodeSpec): boolean {
  const type = node.use.split('@')[0] ?? '';
  if (type === 'flow.restart') return true;
  return ['code.python', 'data.template'].includes(type) && /\b(inputs|state)\b/.test(JSON.stringify(node.with ?? {}));
}

/** What looks like a read of inputs or of a node and is only text there: nobody should change it, nor rely on it. */
function quotedName(node: NodeSpec): string | null {
  let found: string | null = null;
  recodedNode(node, (code) => {
    found ??= /\$(?:inputs\b|node\b|items\s*\(|\s*\()/.exec(quotedIn(code))?.[0] ?? null;
    return code;
  });
  return found;
}

/** Names that say something of the graph or the step that they stand in. */
const CONTEXT = /(?<![\w$])(?<!(?<!\.\.)\.)\$(?:(?:prevNode|runIndex|scope|workflow|state)\b|run\b(?!\s*\.\s*id\b))/;

/** A name that says something else in another graph, where an expression of the node has one. */
function contextOf(node: NodeSpec): string | null {
  let found: string | null = null;
  recodedNode(node, (code) => {
    found ??= CONTEXT.exec(code)?.[0] ?? null;
    return code;
  });
  return found;
}

/** What comes out, and of which node. */
interface WayOut {
  /** Null where nothing comes out, or nobody can tell of which node. */
  readonly exit: NodeSpec | null;
  /** The port that leads on, where the node has others. */
  readonly port: string | null;
}

function wayOut({ out, exits, inside }: Cut, about: AboutOf): WayOut | Refusal {
  const only = exits.length === 1 ? exits[0] : undefined;
  if (!out.length) {
    // Nothing follows, so it does not matter what comes out; but outputs of the graph may read it.
    return { exit: only && about(only).outputs.length === 1 ? only : null, port: null };
  }
  const leaves = new Set(out.map((edge) => edge.source));
  const exit = only ?? (leaves.size === 1 ? exits.find((node) => leaves.has(node.id)) : undefined);
  if (
    !exit ||
    exits.length > 1 ||
    leaves.size > 1 ||
    !leaves.has(exit.id) ||
    inside.some((edge) => edge.source === exit.id)
  ) {
    return { reason: 'exit', names: exits.map(labelOf) };
  }
  const { outputs } = about(exit);
  const ports = new Set(out.map((edge) => edge.sourcePort ?? outputs[0] ?? 'out'));
  const [port] = ports;
  if (ports.size > 1 || port === undefined) return { reason: 'exit', names: [labelOf(exit)] };
  return { exit, port: outputs.length === 1 ? null : port };
}

/** What the new graph is given beside items, and how its nodes read it. */
interface Given {
  /** Values of the call. */
  readonly values: JsonObject | null;
  /** What the new graph says of them. */
  readonly schemas: GraphSpec['inputs'];
  readonly recode: (code: string) => string;
}

const INPUTS =
  /(?<![\w$])(?<!(?<!\.\.)\.)\$inputs\b(?:\s*(?:\?\.|\.)\s*([A-Za-z_$][\w$]*)|\s*(?:\?\.)?\[\s*(['"])([^'"\\]*)\2\s*\])?/g;

/** The inputs that a node's expressions read; null stands for all of them. */
export function inputsOf(node: NodeSpec): readonly (string | null)[] {
  const found: (string | null)[] = [];
  recodedNode(node, (code) => {
    for (const [, member, , key] of code.matchAll(INPUTS)) found.push(member ?? key ?? null);
    return code;
  });
  return found;
}

/** Code in which what reads inputs is something else. */
export function withInputs(code: string, change: (name: string | null) => string | null): string {
  return code.replace(INPUTS, (text: string, member?: string, _?: string, key?: string) => {
    return change(member ?? key ?? null) ?? text;
  });
}

function inputsFor(graph: GraphSpec, level: Level, cut: Cut, inner: ReadonlySet<string>): Given | Refusal {
  const declared = graph.inputs ?? {};
  const values: { [name: string]: Json } = {};
  const schemas: { [name: string]: JsonObject } = {};
  let whole: NodeSpec | null = null;
  for (const node of cut.nodes) {
    for (const name of inputsOf(node)) {
      if (name === null) whole = node;
      else if (!(name in declared)) return { reason: 'undeclared', names: [labelOf(node), name] };
      else take(name);
    }
  }
  function take(name: string): void {
    values[name] = `{{ $inputs${/^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`} }}`;
    schemas[name] = declared[name] ?? {};
  }
  if (whole && !Object.keys(declared).length) return { reason: 'undeclared', names: [labelOf(whole), '$inputs'] };
  if (whole) for (const name of Object.keys(declared)) take(name);

  const resolve = resolver(graph);
  const taken = new Set([...Object.keys(declared), ...Object.keys(values)]);
  const named = new Map<string, string>();
  let refusal: Refusal | null = null;
  const replace = (reader: string) => (read: NodeRead) => {
    const id = read.name === null ? undefined : resolve(read.name);
    if (id === undefined || inner.has(id) || refusal) return null;
    const outer = labelIn(graph, id);
    const names = [reader, outer];
    if (read.which === 'item' || read.which === 'other') refusal = { reason: 'ofItem', names };
    else if (!surelyRan(graph, level, cut, id)) refusal = { reason: 'mayNotRun', names };
    else if (whole) refusal = { reason: 'wholeInputs', names: [labelOf(whole)] };
    if (refusal) return null;
    const key = `${id} ${read.which} ${read.json}`;
    let name = named.get(key);
    if (name === undefined) {
      const kind = read.which === 'all' ? '_all' : read.which === 'last' ? '_last' : '';
      name = freeId(taken, `${slug(outer)}${kind}${read.json || kind ? '' : '_item'}`);
      taken.add(name);
      named.set(key, name);
      values[name] = `{{ ${read.text} }}`;
      schemas[name] = { type: read.which === 'all' && !read.json ? 'array' : 'object' };
    }
    return `$inputs.${name}`;
  };
  for (const node of cut.nodes) recodedNode(node, (code) => withReads(code, replace(labelOf(node))));
  if (refusal) return refusal;
  const some = Object.keys(values).length > 0;
  return {
    values: some ? values : null,
    schemas: some ? schemas : undefined,
    // Who reads is told where a read is refused, and none is any more.
    recode: (code) => withReads(code, replace('')),
  };
}

/** Whether a node has put something out whenever the cut is entered, wherever around it that node is. */
function surelyRan(graph: GraphSpec, level: Level, { entries }: Cut, id: string): boolean {
  const at = placesOf(graph).get(id)?.level ?? null;
  const entry = entries[0];
  const reader = at === level ? entry?.id : level === null ? null : ancestorAt(graph, level, at);
  return reader != null && comesAfter(graph, at, reader, id);
}

/** The graph with those who read the cut's exit reading the call, or why they would read something else. */
function readAs(
  graph: GraphSpec,
  level: Level,
  cut: Cut,
  inner: ReadonlySet<string>,
  { exit, port }: WayOut,
  about: AboutOf,
  call: string,
): GraphSpec | Refusal {
  const always = exit !== null && surelyRun(cut, about).has(exit.id);
  const refusal = readElse(graph, level, cut, inner, exit, always);
  if (refusal) return refusal;
  const outputs = guardedOutputs(graph, inner, { exit, port }, always);
  if (isRefusal(outputs)) return outputs;
  const changed = graph.outputs ? { ...graph, outputs: outputs.guarded } : graph;
  const resolve = resolver(graph);
  return renamedReferences(changed, (text) => (exit && resolve(text) === exit.id ? call : text));
}

/** Why a node outside of the cut would read something else when it reads the call; null where none would. */
function readElse(
  graph: GraphSpec,
  level: Level,
  cut: Cut,
  inner: ReadonlySet<string>,
  exit: NodeSpec | null,
  always: boolean,
): Refusal | null {
  const resolve = resolver(graph);
  const after = reachable(cut.edges, cut.out, cut.own);
  for (const { node, level: at } of placesOf(graph).values()) {
    if (inner.has(node.id)) continue;
    const here = ancestorAt(graph, node.id, level);
    const follows = here !== null && after.has(here);
    const plain = withField(node, 'body', undefined);
    for (const read of readsOf(plain)) {
      if (read.name === null && follows) return { reason: 'computed', names: [labelOf(node)] };
      const id = read.name === null ? undefined : resolve(read.name);
      if (id === undefined) continue;
      if (inner.has(id)) {
        const names = [labelOf(node), labelIn(graph, id)];
        if (id !== exit?.id || read.which === 'other') return { reason: 'hidden', names };
        if (!always && !(here !== null && comesAfter(graph, level, here, id))) return { reason: 'skipped', names };
      }
    }
    if (at === level && cut.out.some((edge) => edge.target === node.id) && contextOf(plain) === '$prevNode')
      return { reason: 'context', names: [labelOf(node), '$prevNode'] };
  }
  return null;
}

/** The graph's outputs, null where nothing comes out of a node that they read and that may not run. */
function guardedOutputs(
  graph: GraphSpec,
  inner: ReadonlySet<string>,
  { exit, port }: WayOut,
  always: boolean,
): { readonly guarded: JsonObject } | Refusal {
  const resolve = resolver(graph);
  let refusal: Refusal | null = null;
  const guarded = (name: string, text: string): string => {
    const reads = readsIn(text);
    if (reads.some((read) => read.name === null)) refusal ??= { reason: 'computed', names: [name] };
    const mine = reads.filter((read) => read.name !== null && inner.has(resolve(read.name) ?? ''));
    const first = mine[0];
    if (!first) return text;
    const hidden = mine.find(
      (read) => resolve(read.name ?? '') !== exit?.id || read.which === 'other' || port !== null,
    );
    const read = labelIn(graph, resolve((hidden ?? first).name ?? '') ?? '');
    if (hidden) refusal ??= { reason: 'hidden', names: [name, read] };
    if (always || hidden) return text;
    // What names a skipped node is null, and a call that puts nothing out is not skipped.
    const code = onlyCode(text);
    if (code === null || !exit || !surelyGives(exit)) {
      refusal ??= { reason: 'skipped', names: [name, read] };
      return text;
    }
    return `{{ ${guard(exit.id)}${code.trim()}${GUARD_END} }}`;
  };
  const outputs = Object.fromEntries(
    Object.entries(graph.outputs ?? {}).map(([name, value]) => [name, withTexts(value, (text) => guarded(name, text))]),
  );
  if (refusal) return refusal;
  return { guarded: outputs };
}

function labelIn(graph: GraphSpec, id: string): string {
  const node = placesOf(graph).get(id)?.node;
  return node ? labelOf(node) : id;
}

const GUARD_END = ') : null';

/** What stands before the code of an output that is null where nothing comes out of a node. */
function guard(node: string): string {
  return `$('${node}').all().length ? (`;
}

/** The code without its guard, where it has one that asks for that node; null where it has none. */
export function unguarded(code: string, node: string): string | null {
  const text = code.trim();
  const start = guard(node);
  return text.startsWith(start) && text.endsWith(GUARD_END) ? text.slice(start.length, -GUARD_END.length) : null;
}

/** What a name in an expression means: an id, then a name. */
export function resolver(graph: GraphSpec): (name: string) => string | undefined {
  const places = placesOf(graph);
  const names = new Map<string, string>();
  for (const { node } of places.values()) if (node.name && !names.has(node.name)) names.set(node.name, node.id);
  return (name) => (places.has(name) ? name : names.get(name));
}

/** All that an expression can call a node. */
export function namesIn(graph: GraphSpec): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { node } of placesOf(graph).values()) {
    found.add(node.id);
    if (node.name) found.add(node.name);
  }
  return found;
}

/** How the call waits: as the one node did that it begins with. */
function entryFields(entries: readonly NodeSpec[]): Partial<NodeSpec> {
  const entry = entries.length === 1 ? entries[0] : undefined;
  return { ...(entry?.join && { join: entry.join }), ...(entry?.losers && { losers: entry.losers }) };
}

function calling(
  graph: GraphSpec,
  level: Level,
  cut: Cut,
  inner: ReadonlySet<string>,
  { port }: WayOut,
  call: NodeSpec,
  at: Point,
): GraphSpec {
  const { own, edges, nodes } = cut;
  const changed = withBody(graph, level, (old) => {
    const first = nodes[0]?.id;
    const led = edges.flatMap((edge): string[] => {
      const [a, b] = [own.has(edge.source), own.has(edge.target)];
      if (a && b) return [];
      if (!a && !b) return [edge.text];
      const sourcePort = a && port !== null ? null : edge.sourcePort;
      return [edgeText({ ...edge, sourcePort, source: a ? call.id : edge.source, target: b ? call.id : edge.target })];
    });
    return {
      ...old,
      nodes: (old.nodes ?? []).flatMap((node) => (node.id === first ? [call] : own.has(node.id) ? [] : [node])),
      edges: [...new Set(led)],
    };
  });
  const without = <V>(map: { readonly [id: string]: V } | undefined) =>
    Object.fromEntries(Object.entries(map ?? {}).filter(([id]) => !inner.has(id)));
  const colors = without(changed.canvas?.colors);
  const layout = { ...without(changed.layout), [call.id]: [Math.round(at[0]), Math.round(at[1])] as const };
  return withCanvas({ ...changed, layout }, 'colors', Object.keys(colors).length ? colors : undefined);
}

function calledGraph(
  graph: GraphSpec,
  cut: Cut,
  inner: ReadonlySet<string>,
  { exit, port }: WayOut,
  { schemas, recode }: Given,
  asked: Asked,
): GraphSpec {
  const entry = cut.entries.length === 1 ? cut.entries[0] : undefined;
  const nodes = cut.nodes.map((node) => {
    const plain = node === entry ? withField(withField(node, 'join', undefined), 'losers', undefined) : node;
    return recodedNode(plain, recode);
  });
  const edges = cut.inside.map((edge) => edge.text);
  const layout: { [id: string]: Point } = {};
  for (const id of inner) {
    const at = graph.layout?.[id];
    if (at) layout[id] = at;
  }
  if (exit && port !== null) {
    // All that a last node puts out would come out, on whatever port: what leads on gets a last node of its own.
    const taken = new Set([...inner, ...cut.nodes.map(labelOf)]);
    const id = freeId(taken, asked.result);
    nodes.push({ id, use: 'flow.noop@1', name: freeName(taken, asked.result) });
    edges.push(edgeText({ source: exit.id, sourcePort: port, target: id, targetPort: null }));
    const [x, y] = layout[exit.id] ?? [0, 0];
    layout[id] = [x + 240, y];
  }
  const { timezone, max_steps: steps } = graph.settings ?? {};
  const settings: JsonObject = {
    ...(timezone !== undefined && { timezone }),
    ...(steps !== undefined && { max_steps: steps }),
  };
  const colors = Object.fromEntries(Object.entries(graph.canvas?.colors ?? {}).filter(([id]) => inner.has(id)));
  return {
    pyagent: 1,
    id: asked.id,
    name: asked.name,
    ...(schemas && { inputs: schemas }),
    ...(Object.keys(settings).length && { settings }),
    nodes,
    ...(edges.length && { edges }),
    ...(Object.keys(layout).length && { layout }),
    ...(Object.keys(colors).length && { canvas: { colors } }),
  };
}
