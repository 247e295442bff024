/** Expressions that name a node: `$('Name')`, `$node["Name"]`, `$items('Name')`; found and changed without parsing them. */

import type { GraphSpec, Json, JsonObject, NodeSpec } from './model';

const TEMPLATE = /\{\{([\s\S]*?)\}\}/g;
const CALL = /(\$|\$items)(\s*\(\s*)(['"`])((?:\\.|(?!\3)[^\\])*)\3/g;
const INDEX = /(\$node)(\s*\[\s*)(['"`])((?:\\.|(?!\3)[^\\])*)\3/g;
const MEMBER = /(\$node\s*\.\s*)([A-Za-z_$][\w$]*)/g;

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

/** A text in which the templates name other nodes. */
function renamedInText(text: string, change: (name: string) => string): string {
  if (!text.includes('{{') || !text.includes('$')) return text;
  return text.replace(TEMPLATE, (whole, code: string) => {
    const fresh = renamedInCode(code, change);
    return fresh === code ? whole : `{{${fresh}}}`;
  });
}

function renamedInJson<T extends Json>(value: T, change: (name: string) => string): T {
  if (typeof value === 'string') return renamedInText(value, change) as T;
  if (Array.isArray(value)) {
    const list = value.map((one: Json) => renamedInJson(one, change));
    return (list.every((one, index) => one === value[index]) ? value : list) as T;
  }
  if (value !== null && typeof value === 'object') {
    let fresh: { [key: string]: Json } | null = null;
    for (const [key, one] of Object.entries(value)) {
      const changed = renamedInJson(one, change);
      if (changed === one) continue;
      fresh ??= { ...(value as JsonObject) };
      fresh[key] = changed;
    }
    return (fresh ?? value) as T;
  }
  return value;
}

/** A node whose expressions, those of its body included, name other nodes. */
export function renamedInNode(node: NodeSpec, change: (name: string) => string): NodeSpec {
  let fresh = node;
  if (node.with) {
    let params = renamedInJson(node.with, change);
    // The whole of such a parameter is JavaScript.
    if (node.use.startsWith('code.javascript@') && typeof params.code === 'string') {
      const code = renamedInCode(params.code, change);
      if (code !== params.code) params = { ...params, code };
    }
    if (params !== node.with) fresh = { ...fresh, with: params };
  }
  if (node.write) {
    const write = renamedInJson(node.write, change);
    if (write !== node.write) fresh = { ...fresh, write };
  }
  if (node.body?.nodes) {
    const nodes = renamedInNodes(node.body.nodes, change);
    if (nodes !== node.body.nodes) fresh = { ...fresh, body: { ...node.body, nodes } };
  }
  return fresh;
}

/** Nodes whose expressions name other nodes. */
function renamedInNodes(nodes: readonly NodeSpec[], change: (name: string) => string): readonly NodeSpec[] {
  const fresh = nodes.map((node) => renamedInNode(node, change));
  return fresh.every((node, index) => node === nodes[index]) ? nodes : fresh;
}

/** The graph with all of its expressions naming other nodes. */
export function renamedReferences(graph: GraphSpec, change: (name: string) => string): GraphSpec {
  const nodes = renamedInNodes(graph.nodes, change);
  const outputs = graph.outputs && renamedInJson(graph.outputs, change);
  const settings = graph.settings && renamedInJson(graph.settings, change);
  if (nodes === graph.nodes && outputs === graph.outputs && settings === graph.settings) return graph;
  return { ...graph, nodes, ...(outputs && { outputs }), ...(settings && { settings }) };
}
