/** Expressions that name a node: `$('Name')`, `$node["Name"]`, `$items('Name')`; found and changed without parsing them. */

import type { GraphSpec, Json, NodeSpec } from './model';
import { withCode, withTexts } from './templates';

const CALL = /(\$|\$items)(\s*\(\s*)(['"`])((?:\\.|(?!\3)[^\\])*)\3/g;
const INDEX = /(\$node)(\s*\[\s*)(['"`])((?:\\.|(?!\3)[^\\])*)\3/g;
const MEMBER = /(\$node\s*\.\s*)([A-Za-z_$][\w$]*)/g;

/** What becomes of the JavaScript of one expression. */
type Recode = (code: string) => string;

/** A text of JavaScript in which names of nodes are others. */
function renamedInCode(code: string, change: (name: string) => string): string {
  const quoted = (whole: string, head: string, open: string, quote: string, name: string): string => {
    const old = name.replace(/\\(.)/g, '$1');
    const fresh = change(old);
    return fresh === old ? whole : `${head}${open}${quote}${escaped(fresh, quote)}${quote}`;
  };
  return code
    .replace(CALL, quoted)
    .replace(INDEX, quoted)
    .replace(MEMBER, (whole, head: string, name: string) => {
      const fresh = change(name);
      if (fresh === name) return whole;
      return /^[A-Za-z_$][\w$]*$/.test(fresh)
        ? `${head}${fresh}`
        : `${head.replace(/\s*\.\s*$/, '')}["${escaped(fresh, '"')}"]`;
    });
}

function escaped(name: string, quote: string): string {
  return name.replace(/[\\\n]/g, (mark) => (mark === '\n' ? '\\n' : '\\\\')).replaceAll(quote, `\\${quote}`);
}

/** A value with other code in its templates; the same value where none changes. */
export function recodedJson<T extends Json>(value: T, change: Recode): T {
  return withTexts(value, (text) => withCode(text, change));
}

/** A node with other code in its expressions, those of its body included. */
export function recodedNode(node: NodeSpec, change: Recode): NodeSpec {
  let fresh = node;
  if (node.with) {
    let params = recodedJson(node.with, change);
    // The whole of such a parameter is JavaScript.
    if (node.use.startsWith('code.javascript@') && typeof params.code === 'string') {
      const code = change(params.code);
      if (code !== params.code) params = { ...params, code };
    }
    if (params !== node.with) fresh = { ...fresh, with: params };
  }
  if (node.write) {
    const write = recodedJson(node.write, change);
    if (write !== node.write) fresh = { ...fresh, write };
  }
  if (node.body?.nodes) {
    const nodes = recodedNodes(node.body.nodes, change);
    if (nodes !== node.body.nodes) fresh = { ...fresh, body: { ...node.body, nodes } };
  }
  return fresh;
}

function recodedNodes(nodes: readonly NodeSpec[], change: Recode): readonly NodeSpec[] {
  const fresh = nodes.map((node) => recodedNode(node, change));
  return fresh.every((node, index) => node === nodes[index]) ? nodes : fresh;
}

/** A node whose expressions, those of its body included, name other nodes. */
export function renamedInNode(node: NodeSpec, change: (name: string) => string): NodeSpec {
  return recodedNode(node, (code) => renamedInCode(code, change));
}

/** The graph with all of its expressions naming other nodes. */
export function renamedReferences(graph: GraphSpec, change: (name: string) => string): GraphSpec {
  const recode = (code: string) => renamedInCode(code, change);
  const nodes = recodedNodes(graph.nodes, recode);
  const outputs = graph.outputs && recodedJson(graph.outputs, recode);
  const settings = graph.settings && recodedJson(graph.settings, recode);
  if (nodes === graph.nodes && outputs === graph.outputs && settings === graph.settings) return graph;
  return { ...graph, nodes, ...(outputs && { outputs }), ...(settings && { settings }) };
}

/** How an expression reads a node. */
export interface NodeRead {
  /** The id or the name that it says; null where it works the name out. */
  readonly name: string | null;
  /** Which of its items, for a read that needs to know no item of its own; `item` follows lineage. */
  readonly which: 'first' | 'last' | 'all' | 'item' | 'other';
  /** Whether only the item's data is read. */
  readonly json: boolean;
  /** The text that reads. */
  readonly text: string;
}

const READ =
  /(?<![\w$])(?<!(?<!\.\.)\.)(?:\$\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1\s*\)(?:\s*\.\s*(?:(first|last|all)\s*\(\s*\)(\s*\.\s*json\b)?|(item)\b(?!\s*\()))?|\$items\s*\(\s*(['"`])((?:\\.|(?!\6)[^\\])*)\6|\$node\s*\[\s*(['"`])((?:\\.|(?!\8)[^\\])*)\8\s*\]|\$node\s*\.\s*([A-Za-z_$][\w$]*)|\$(?:items)?\s*\(|\$node\b)/g;

/** Code in which what reads nodes is something else; `change` gives the text for one read, or null to leave it. */
export function withReads(code: string, change: (read: NodeRead) => string | null): string {
  return code.replace(READ, (text: string, ...groups: (string | undefined)[]) => {
    const [quote, called, which, json, item, listQuote, listed, indexQuote, index, member] = groups;
    const open = [quote, listQuote, indexQuote].includes('`');
    const said = called ?? listed ?? index ?? member;
    const name = said === undefined || (open && said.includes('${')) ? null : said.replace(/\\(.)/g, '$1');
    const read: NodeRead = {
      name,
      which: (which as NodeRead['which'] | undefined) ?? (item ? 'item' : 'other'),
      json: json !== undefined,
      text,
    };
    return change(read) ?? text;
  });
}

/** What the expressions of a node read of other nodes, those of its body included. */
export function readsOf(node: NodeSpec): readonly NodeRead[] {
  const found: NodeRead[] = [];
  recodedNode(node, (code) => withReads(code, (read) => noted(found, read)));
  return found;
}

/** What templates in a value read of nodes. */
export function readsIn(value: Json): readonly NodeRead[] {
  const found: NodeRead[] = [];
  recodedJson(value, (code) => withReads(code, (read) => noted(found, read)));
  return found;
}

function noted(into: NodeRead[], read: NodeRead): null {
  into.push(read);
  return null;
}
