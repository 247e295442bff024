/** Completion in templates from real data: what stands before the cursor is looked up in items of the last run. */

import type { Json, JsonObject } from '@/graph/model';
import { brief, typeOf } from '../data/shape';
import { accessor, codeAt, quoted } from './templates';

/** What the language has, as the server tells it. */
export interface Entry {
  readonly name: string;
  readonly on: string;
  readonly signature: string;
  readonly gives: string;
  readonly doc: string;
}

/** What expressions of a node can read. */
export interface Readable {
  /** The item that they are tried on. */
  readonly json: () => Promise<Json | undefined>;
  /** Labels of the nodes before it. */
  readonly nodes: readonly string[];
  /** An item that a node put out in the last run. */
  readonly itemOf: (node: string) => Promise<Json | undefined>;
  readonly inputs: JsonObject;
  readonly state: JsonObject;
  readonly language: readonly Entry[];
}

/** A proposal. */
interface Proposal {
  readonly label: string;
  readonly detail: string;
  readonly info: string;
  /** What is written; where it begins before the word (`["a b"]` takes the dot's place), `from` says so. */
  readonly insert: string;
  readonly from: number;
  readonly kind: 'field' | 'method' | 'name' | 'node';
}

interface Found {
  /** `string`, `array`, `node`, `item`, …: whose methods it has. */
  readonly kind: string;
  readonly value?: Json | undefined;
  readonly node?: string;
}

const STRING = `'(?:\\\\.|[^'\\\\])*'|"(?:\\\\.|[^"\\\\])*"`;
const CHAIN = new RegExp(
  `(?:\\$\\((?:${STRING})\\)|[A-Za-z_$][\\w$]*|${STRING})` +
    `(?:\\??\\.[A-Za-z_$][\\w$]*(?:\\([^()]*\\))?|\\([^()]*\\)|\\??\\.?\\[(?:\\d+|${STRING})\\])*$`,
);
const STEP = new RegExp(`\\??\\.([A-Za-z_$][\\w$]*)(\\([^()]*\\))?|\\??\\.?\\[(\\d+|${STRING})\\]`, 'y');
const NAME = /^[A-Za-z_$][\w$]*$/;

/** What fits where the cursor is; null where nothing is to be proposed. */
export async function proposals(text: string, place: number, data: Readable): Promise<readonly Proposal[] | null> {
  const part = codeAt(text, place);
  if (!part) return null;
  const code = text.slice(part.from, place);
  const key = /\[\s*(["']?)([^"'\]]*)$/.exec(code);
  const dot = /(\??\.)([\w$]*)$/.exec(code);
  if (dot) {
    const chain = CHAIN.exec(code.slice(0, dot.index));
    if (!chain) return null;
    const from = place - (dot[2]?.length ?? 0);
    return members(await lookUp(chain[0], data), data, from, from - (dot[1]?.length ?? 1));
  }
  if (key) {
    const chain = CHAIN.exec(code.slice(0, key.index));
    const found = chain && (await lookUp(chain[0], data));
    if (found && isObject(found.value)) {
      const from = place - (key[2]?.length ?? 0) - (key[1]?.length ?? 0);
      return Object.entries(found.value).map(([name, value]) => ({
        ...fieldOf(name, value as Json),
        insert: JSON.stringify(name),
        from,
      }));
    }
  }
  const call = /\$\(\s*(["']?)([^"')]*)$/.exec(code);
  if (call) {
    const from = place - (call[2]?.length ?? 0) - (call[1]?.length ?? 0);
    return data.nodes.map((node) => ({ ...nodeProposal(node), insert: `${quoted(node)})`, from }));
  }
  const word = /[\w$]*$/.exec(code)?.[0] ?? '';
  if (/["'`]$/.test(code.slice(0, code.length - word.length))) return null;
  const from = place - word.length;
  return [
    ...data.language.filter((entry) => entry.on === 'global' && entry.name !== '$').map((entry) => method(entry, from)),
    ...data.nodes.map((node) => ({ ...nodeProposal(node), insert: `$(${quoted(node)})`, from })),
  ];
}

/** What an expression such as `$('Fetch').first().json.lines[0]` has for a value, as far as it can be told. */
export async function lookUp(chain: string, data: Readable): Promise<Found> {
  const root = new RegExp(`^(?:\\$\\((${STRING})\\)|[A-Za-z_$][\\w$]*|${STRING})`).exec(chain);
  if (!root) return { kind: 'any' };
  let at = await rootOf(root[0], root[1], data);
  STEP.lastIndex = root[0].length;
  const rest = chain.slice(root[0].length);
  if (rest.startsWith('(')) {
    const close = rest.indexOf(')');
    at = { kind: data.language.find((entry) => entry.on === 'global' && entry.name === root[0])?.gives ?? 'any' };
    STEP.lastIndex += close + 1;
  }
  for (let step = STEP.exec(chain); step; step = STEP.exec(chain)) {
    const name = step[1] ?? unquoted(step[3] ?? '');
    at = await stepTo(at, name, step[2] !== undefined, data);
  }
  return at;
}

async function rootOf(name: string, node: string | undefined, data: Readable): Promise<Found> {
  if (node !== undefined) return { kind: 'node', node: unquoted(node) };
  if (/^["']/.test(name)) return known(unquoted(name));
  switch (name) {
    case '$json':
      return known(await data.json());
    case '$inputs':
      return known(data.inputs);
    case '$state':
      return known(data.state);
    case '$node':
      return { kind: 'nodes' };
    default:
      return { kind: data.language.find((entry) => entry.on === 'global' && entry.name === name)?.gives ?? 'any' };
  }
}

async function stepTo(at: Found, name: string, called: boolean, data: Readable): Promise<Found> {
  if (at.kind === 'nodes') return { kind: 'items', value: wrapped(await data.itemOf(name)) };
  if (at.kind === 'node' || at.kind === 'input') {
    const item = at.kind === 'node' ? await data.itemOf(at.node ?? '') : await data.json();
    return name === 'all' ? { kind: 'array', value: [wrapped(item) ?? {}] } : { kind: 'items', value: wrapped(item) };
  }
  if (!called && isObject(at.value) && name in at.value) return known(at.value[name] as Json);
  if (!called && Array.isArray(at.value) && /^\d+$/.test(name)) {
    const list = at.value as readonly Json[];
    const element = list[Number(name)] ?? list[0];
    return isObject(element) && 'json' in element ? { kind: 'items', value: element } : known(element);
  }
  const entry = data.language.find((one) => one.on === at.kind && one.name === name);
  if (at.kind === 'array' && Array.isArray(at.value) && ['first', 'last', 'at', 'find', 'pop'].includes(name)) {
    return known((at.value as readonly Json[])[0]);
  }
  if (at.kind === 'array' && ['filter', 'slice', 'sort', 'reverse', 'unique'].includes(name)) return at;
  return { kind: entry?.gives ?? 'any' };
}

function wrapped(item: Json | undefined): Json | undefined {
  return item === undefined ? undefined : { json: item, binary: {} };
}

function known(value: Json | undefined): Found {
  return value === undefined ? { kind: 'object' } : { kind: typeOf(value), value };
}

function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function unquoted(text: string): string {
  return /^["']/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

/** The fields of a value, then its methods. */
function members(at: Found, data: Readable, from: number, dot: number): readonly Proposal[] {
  const fields = isObject(at.value)
    ? Object.entries(at.value).map(([name, value]): Proposal => {
        const plain = NAME.test(name);
        return { ...fieldOf(name, value as Json), insert: plain ? name : accessor([name]), from: plain ? from : dot };
      })
    : at.kind === 'nodes'
      ? data.nodes.map((node): Proposal => ({ ...nodeProposal(node), insert: `[${quoted(node)}]`, from: dot }))
      : [];
  const seen = new Set(fields.map((field) => field.label));
  const methods = data.language
    .filter((entry) => entry.on === at.kind && !seen.has(entry.name))
    .map((entry) => method(entry, from));
  return [...fields, ...methods];
}

function fieldOf(name: string, value: Json): Omit<Proposal, 'insert' | 'from'> {
  return { label: name, detail: typeOf(value), info: brief(value, 300), kind: 'field' };
}

function nodeProposal(node: string): Omit<Proposal, 'insert' | 'from'> {
  return { label: `$(${quoted(node)})`, detail: 'node', info: '', kind: 'node' };
}

function method(entry: Entry, from: number): Proposal {
  const called = entry.signature.endsWith(')');
  const empty = entry.signature.endsWith('()');
  return {
    label: called ? entry.signature : entry.name,
    detail: entry.gives,
    info: entry.doc,
    insert: called ? `${entry.name}(${empty ? ')' : ''}` : entry.name,
    from,
    kind: called ? 'method' : 'name',
  };
}
