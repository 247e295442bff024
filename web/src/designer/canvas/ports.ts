/** Which port an edge takes: the first one is left out in the file, and a merge gets a port for each that comes. */

import type { NodeTypeSummary } from '@/api/nodeTypes';
import type { Edge } from '@/graph/model';
import type { Card, Scene } from './scene';

/** One end of a wire that is being drawn. */
export interface End {
  readonly node: string;
  readonly port: string;
  readonly side: 'in' | 'out';
}

function firstPort(card: Card, side: 'in' | 'out'): string | undefined {
  if (side === 'out') return card.facts?.ports_out[0] ?? card.type?.ports_out?.[0] ?? card.outputs[0];
  return card.facts?.ports_in[0] ?? card.type?.ports_in[0] ?? card.inputs[0];
}

/** A port as an edge names it: null for the first one. */
export function named(card: Card, side: 'in' | 'out', port: string): string | null {
  return port === firstPort(card, side) ? null : port;
}

/** The output that a new edge leaves by: the first that leads nowhere yet, else the first. */
export function outputFor(scene: Scene, card: Card): string | null {
  const used = new Set((scene.outgoing.get(card.id) ?? []).map((wire) => wire.sourcePort));
  const open = card.outputs.filter((port) => port !== 'error');
  return open.find((port) => !used.has(port)) ?? open[0] ?? null;
}

/** The input that a new edge from a node comes in by; a merge gets one of that node's name. */
function inputFor(scene: Scene, card: Card, from: string): string | null {
  const used = new Set((scene.incoming.get(card.id) ?? []).map((wire) => wire.targetPort));
  const free = card.inputs.find((port) => !used.has(port));
  if (card.open && (!free || used.size > 0)) {
    let name = from;
    for (let count = 2; card.inputs.includes(name) && used.has(name); count++) name = `${from}_${count}`;
    return name;
  }
  return free ?? card.inputs[0] ?? null;
}

/** The edge between two ends; null where a node has no port on that side. */
export function edgeBetween(
  scene: Scene,
  from: { readonly node: string; readonly port?: string | null },
  to: { readonly node: string; readonly port?: string | null },
): Edge | null {
  const source = scene.cards.get(from.node);
  const target = scene.cards.get(to.node);
  if (!source || !target) return null;
  const sourcePort = from.port ?? outputFor(scene, source);
  // What comes to a merge by hand gets a port of its own, too: it tells apart what comes by which.
  const shared = target.open && (scene.incoming.get(target.id) ?? []).some((wire) => wire.targetPort === to.port);
  const targetPort = (shared ? null : to.port) ?? inputFor(scene, target, source.id);
  if (sourcePort === null || targetPort === null) return null;
  return {
    source: source.id,
    sourcePort: named(source, 'out', sourcePort),
    target: target.id,
    targetPort: named(target, 'in', targetPort),
  };
}

/** Whether a node of that type can stand at the other end of a wire. */
export function fits(type: NodeTypeSummary, from: End): boolean {
  return from.side === 'out' ? type.ports_in.length > 0 : type.ports_out === null || type.ports_out.length > 0;
}
