/** Put the nodes of a graph that is called in the place of the call, or say why they would mean something else there. */

import { comesAfter, surelyGives, surelyRun } from './certain';
import { withBody, withField } from './change';
import { type AboutOf, cutOut, isRefusal, type Refusal } from './cut';
import { freeId, freeName } from './ids';
import type { Color, Edge, GraphSpec, Json, NodeSpec, Point } from './model';
import { edgeText, labelOf } from './model';
import { withCanvas, withInner } from './nodes';
import { edgesAt, placesOf } from './read';
import { readsIn, readsOf, recodedNode, renamedInNode, renamedReferences } from './references';
import { bound, inputsOf, namesIn, resolver, unguarded, withInputs } from './separate';
import { onlyCode, withTexts } from './templates';

export interface Dissolved {
  readonly graph: GraphSpec;
  /** The nodes that are in the call's place now. */
  readonly nodes: readonly string[];
}

/** The id of the graph that a node calls in a way that its nodes could stand in its place; null where it does not. */
export function calledBy(node: NodeSpec): string | null {
  const { graph, items } = node.with ?? {};
  if (!node.use.startsWith('flow.graph@') || items !== true) return null;
  return typeof graph === 'string' && !graph.includes('{{') ? graph : null;
}

/** The graph with the nodes of `called` in the place of a call of it, or why that is not the same graph. */
export function dissolved(
  graph: GraphSpec,
  id: string,
  called: GraphSpec,
  about: AboutOf,
  result: string,
): Dissolved | Refusal {
  const place = placesOf(graph).get(id);
  if (!place || calledBy(place.node) === null || !called.nodes.length) return { reason: 'kind', names: [] };
  const { node: call, level } = place;
  const label = labelOf(call);
  const own = ['effects', 'retry', 'timeout', 'idle_timeout', 'on_error', 'on_unknown', 'loop', 'cache'] as const;
  if (own.some((field) => call[field] !== undefined) || call.runs_on || call.always_output || call.disabled)
    return { reason: 'settings', names: [label] };
  if (graph.pins?.[id]) return { reason: 'pinned', names: [label] };
  if (call.write || Object.keys(called.state ?? {}).length) return { reason: 'state', names: [label] };
  if ((graph.settings?.timezone ?? 'UTC') !== (called.settings?.timezone ?? 'UTC'))
    return { reason: 'settings', names: [label] };

  const cut = cutOut(called, null, new Set(called.nodes.map((node) => node.id)), about);
  if (isRefusal(cut)) return cut;
  const inner = withInner(called, cut.own);
  const tied = bound({ ...called, pins: {} }, cut, inner);
  if (tied) return tied;
  const { entries, exits } = cut;
  if (!entries.length) return { reason: 'entry', names: [label] };
  if (entries.length > 1 && ((call.join && call.join !== 'all') || call.losers))
    return { reason: 'join', names: [label] };

  const edges = edgesAt(graph, level);
  const out = edges.filter((edge) => edge.source === id);
  const inside = called.edges ?? [];
  const read = isRead(graph, id);
  const gathered = gatheredBy(cut.nodes, exits, cut.inside, result, out.length > 0);
  const first = gathered && gathered.port === about(gathered.node).outputs[0];
  const end: End | null = first ? { node: gathered.node, port: null } : gathered;
  const leaf: End | null = end ?? (exits.length === 1 && exits[0] ? { node: exits[0], port: null } : null);
  if ((out.length || read) && (!leaf || (!gathered && about(leaf.node).outputs.length !== 1)))
    return { reason: 'exit', names: exits.map(labelOf) };

  const values = valuesOf(call, called, cut.nodes);
  if (isRefusal(values)) return values;
  const always = leaf !== null && !gathered && surelyRun(cut, about).has(leaf.node.id);
  const led = leaf && read ? ledTo(graph, id, leaf, always) : graph;
  if (isRefusal(led)) return led;

  const kept = cut.nodes.filter((node) => node.id !== gathered?.dropped);
  const claimed = claimedIn(graph, call, kept);
  const renamed = claimed.ids;
  const entered = new Set(entries.map((node) => node.id));
  const nodes = kept.map((node) => {
    const waits = entered.has(node.id) ? withField(withField(node, 'join', call.join), 'losers', call.losers) : node;
    const said = renamedInNode(
      renamedNode(waits, claimed),
      (text) => renamed.get(text) ?? claimed.names.get(text) ?? text,
    );
    return recodedNode(said, (code) => withInputs(code, values));
  });
  const renamedLeaf = leaf ? (renamed.get(leaf.node.id) ?? leaf.node.id) : id;
  const changed = withBody(led, level, (old) => ({
    ...old,
    nodes: (old.nodes ?? []).flatMap((node) => (node.id === id ? nodes : [node])),
    edges: [
      ...edgesAt(led, level).flatMap((edge): string[] => {
        const sources =
          edge.source !== id ? [edge] : leaf ? [{ ...edge, source: renamedLeaf, sourcePort: leaf.port }] : [];
        return sources.flatMap((one) =>
          one.target !== id
            ? [edge.source === id ? edgeText(one) : edge.text]
            : entries.map((node) => edgeText({ ...one, target: renamed.get(node.id) ?? node.id, targetPort: null })),
        );
      }),
      ...edgesOf(inside, renamed),
    ],
  }));
  const named = renamedReferences(changed, (text) => (text === LEAF ? renamedLeaf : text));
  return { graph: drawn(named, id, called, kept, renamed), nodes: nodes.map((node) => node.id) };
}

/** What nodes of the called graph are called in the caller, by their ids and names until now. */
interface Claimed {
  readonly ids: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<string, string>;
}

/** Their ids and names for the nodes, but for those that others in the caller have: these become others. */
function claimedIn(graph: GraphSpec, call: NodeSpec, nodes: readonly NodeSpec[]): Claimed {
  const taken = new Set(namesIn(graph));
  taken.delete(call.id);
  if (call.name) taken.delete(call.name);
  const ids = new Map<string, string>();
  const names = new Map<string, string>();
  const claimId = (node: NodeSpec): void => {
    const fresh = freeId(taken, node.id);
    taken.add(fresh);
    ids.set(node.id, fresh);
    node.body?.nodes?.forEach(claimId);
  };
  const claimName = (node: NodeSpec): void => {
    if (node.name) {
      const own = node.name === node.id || node.name === ids.get(node.id);
      const fresh = own ? node.name : freeName(taken, node.name);
      taken.add(fresh);
      if (!names.has(node.name)) names.set(node.name, fresh);
    }
    node.body?.nodes?.forEach(claimName);
  };
  // An id goes before a name.
  nodes.forEach(claimId);
  nodes.forEach(claimName);
  return { ids, names };
}

/** A node, and those of its body, by what they are called in the caller. */
function renamedNode(node: NodeSpec, claimed: Claimed): NodeSpec {
  const { ids, names } = claimed;
  return {
    ...node,
    id: ids.get(node.id) ?? node.id,
    ...(node.name && { name: names.get(node.name) ?? node.name }),
    ...(node.body && {
      body: {
        ...node.body,
        ...(node.body.nodes && { nodes: node.body.nodes.map((one) => renamedNode(one, claimed)) }),
        ...(node.body.edges && { edges: edgesOf(node.body.edges, ids) }),
      },
    }),
  };
}

/** Where what comes out comes from. */
interface End {
  readonly node: NodeSpec;
  readonly port: string | null;
}

/** The node that a plain last node, made to gather what one port puts out, gathers from. */
function gatheredBy(
  nodes: readonly NodeSpec[],
  exits: readonly NodeSpec[],
  inside: readonly Edge[],
  result: string,
  leads: boolean,
): (End & { readonly dropped: string }) | null {
  const last = exits.length === 1 ? exits[0] : undefined;
  const into = inside.filter((edge) => edge.target === last?.id);
  const edge = into[0];
  const source = nodes.find((node) => node.id === edge?.source);
  if (!leads || !last || last.use !== 'flow.noop@1' || last.name !== result || into.length > 1 || !source) return null;
  if (Object.keys(last).some((key) => !['id', 'use', 'name'].includes(key)) || !edge?.sourcePort) return null;
  if (nodes.some((node) => readsOf(node).some((read) => read.name === last.id || read.name === last.name))) return null;
  return { node: source, port: edge.sourcePort, dropped: last.id };
}

/** Stands for the last node's id until that is known. */
const LEAF = '\u0000leaf';

function isRead(graph: GraphSpec, id: string): boolean {
  const resolve = resolver(graph);
  const names = [
    ...[...placesOf(graph).values()].flatMap(({ node }) => readsOf(withField(node, 'body', undefined))),
    ...readsIn(graph.outputs ?? {}),
  ];
  return names.some((read) => read.name !== null && resolve(read.name) === id);
}

/** The graph with those who read the call reading its last node, or why they would read something else. */
function ledTo(graph: GraphSpec, id: string, { node: leaf, port }: End, always: boolean): GraphSpec | Refusal {
  const resolve = resolver(graph);
  const places = placesOf(graph);
  const level = places.get(id)?.level ?? null;
  for (const { node, level: at } of places.values()) {
    const reads = readsOf(withField(node, 'body', undefined));
    if (!reads.some((read) => read.name !== null && resolve(read.name) === id)) continue;
    if (!always && !(at === level && comesAfter(graph, level, node.id, id)))
      return { reason: 'skipped', names: [labelOf(node), labelOf(leaf)] };
  }
  let refusal: Refusal | null = null;
  const plain = (name: string, text: string): string => {
    if (!readsIn(text).some((read) => read.name !== null && resolve(read.name) === id)) return text;
    const code = onlyCode(text);
    const inner = code === null ? null : unguarded(code, id);
    if (inner !== null && surelyGives(leaf) && port === null) return `{{ ${inner} }}`;
    if (!always) refusal ??= { reason: 'skipped', names: [name, labelOf(leaf)] };
    return text;
  };
  const outputs = Object.fromEntries(
    Object.entries(graph.outputs ?? {}).map(([name, value]) => [name, withTexts(value, (text) => plain(name, text))]),
  );
  if (refusal) return refusal;
  const changed = graph.outputs ? { ...graph, outputs } : graph;
  return renamedReferences(changed, (text) => (resolve(text) === id ? LEAF : text));
}

/** A name that may say something else for each item, step or moment: of that an input holds one value. */
const MOMENT = /(?<![\w$])(?<!(?<!\.\.)\.)\$(?!inputs\b|vars\b|execution\b|\()/;
/** Code that stands for itself wherever it is put; what else is put there is put in parentheses. */
const PLAIN =
  /^\$(?:inputs(?:\.[A-Za-z_$][\w$]*|\["[^"\\]*"\])|\((['"])[^'"\\]*\1\)(?:\.(?:first|last)\(\)(?:\.json)?|\.all\(\)))$/;

/** What each of the called graph's inputs is in the caller, as code. */
function valuesOf(
  call: NodeSpec,
  called: GraphSpec,
  nodes: readonly NodeSpec[],
): ((name: string | null) => string | null) | Refusal {
  const given = call.with?.inputs ?? {};
  const wanted = nodes.flatMap(inputsOf);
  if (!wanted.length) return () => null;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { reason: 'values', names: [labelOf(call), 'inputs'] };
  const values = given as { readonly [name: string]: Json };
  const codes = new Map<string, string>();
  for (const name of new Set([...Object.keys(values), ...Object.keys(called.inputs ?? {})])) {
    const value = values[name] ?? called.inputs?.[name]?.default ?? null;
    const code = typeof value === 'string' ? onlyCode(value) : null;
    const named = { reason: 'values', names: [labelOf(call), name] } as const;
    if (code === null) {
      if (hasBraces(value)) return named;
      // Two braces in a row would end the expression that the value is put into.
      codes.set(name, `(${JSON.stringify(value).replace(/\}(?=\})/g, '} ')})`);
    } else if (MOMENT.test(code) || readsIn(value).some((read) => ['item', 'other'].includes(read.which))) return named;
    else codes.set(name, PLAIN.test(code.trim()) ? code.trim() : `(${code.trim()})`);
  }
  const unknown = wanted.find((name) => name !== null && !codes.has(name));
  if (unknown) return { reason: 'values', names: [labelOf(call), unknown] };
  return (name) =>
    name !== null
      ? codes.get(name) === `$inputs.${name}`
        ? null
        : (codes.get(name) ?? null)
      : `({${[...codes].map(([key, code]) => `${JSON.stringify(key)}: ${code}`).join(', ')}})`;
}

/** Whether two braces in a row stand in a text of the value. */
function hasBraces(value: Json): boolean {
  if (typeof value === 'string') return /\{\{|\}\}/.test(value);
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(([key, one]) => hasBraces(key) || hasBraces(one as Json));
}

function edgesOf(texts: readonly string[], renamed: ReadonlyMap<string, string>): string[] {
  return edgesAt({ pyagent: 1, id: '', nodes: [], edges: texts }, null).flatMap((edge) => {
    const source = renamed.get(edge.source);
    const target = renamed.get(edge.target);
    if (!source || !target) return [];
    return source === edge.source && target === edge.target ? [edge.text] : [edgeText({ ...edge, source, target })];
  });
}

/** The nodes drawn as in their own graph, around where the call was. */
function drawn(
  graph: GraphSpec,
  id: string,
  called: GraphSpec,
  nodes: readonly NodeSpec[],
  renamed: ReadonlyMap<string, string>,
): GraphSpec {
  const { [id]: at, ...layout } = { ...graph.layout } as { [id: string]: Point };
  const own = nodes.flatMap((node) => called.layout?.[node.id] ?? []) as readonly number[];
  const points = nodes.flatMap((node) => (called.layout?.[node.id] ? [called.layout[node.id] as Point] : []));
  const middle = (axis: 0 | 1) => {
    const all = points.map((point) => point[axis]);
    return (Math.min(...all) + Math.max(...all)) / 2;
  };
  const shift: Point = at && own.length ? [at[0] - middle(0), at[1] - middle(1)] : [0, 0];
  const outer = new Set(nodes.map((node) => node.id));
  for (const [old, fresh] of renamed) {
    const point = called.layout?.[old];
    if (!point) continue;
    layout[fresh] = outer.has(old) ? [Math.round(point[0] + shift[0]), Math.round(point[1] + shift[1])] : point;
  }
  const colors: { [id: string]: Color } = { ...graph.canvas?.colors };
  delete colors[id];
  for (const [old, fresh] of renamed) {
    const color = called.canvas?.colors?.[old];
    if (color) colors[fresh] = color;
  }
  return withCanvas({ ...graph, layout }, 'colors', Object.keys(colors).length ? colors : undefined);
}
