/** Places of nodes by ELK's layered layout, left to right; loaded only when it is asked for. */

import type { ELK, ElkNode } from 'elkjs/lib/elk-api';
import type { Point } from './model';
import { rounded } from './nodes';
import { type Box, portNames, portOffset } from './shape';

interface Card {
  readonly id: string;
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** What is to be placed. */
interface Drawing {
  readonly cards: ReadonlyMap<string, Card>;
  readonly wires: ReadonlyMap<
    string,
    {
      readonly id: string;
      readonly source: Card;
      readonly target: Card;
      readonly sourcePort: string;
      readonly targetPort: string;
    }
  >;
}

/** Good places for cards: for these, else for all. They stay about where they were. */
export async function arranged(
  drawing: Drawing,
  only?: ReadonlySet<string>,
  elk: () => Promise<ELK> = inWorker,
): Promise<ReadonlyMap<string, Point>> {
  const cards = [...drawing.cards.values()].filter((card) => !only || only.has(card.id));
  if (!cards.length) return new Map();
  const shown = new Set(cards.map((card) => card.id));
  const graph: ElkNode = {
    id: '#',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.layered.spacing.nodeNodeBetweenLayers': '90',
      'elk.spacing.nodeNode': '48',
      'elk.spacing.edgeNode': '28',
      'elk.layered.crossingMinimization.semiInteractive': 'true',
      'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
      'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
      'elk.separateConnectedComponents': 'true',
    },
    children: cards.map((card) => ({
      id: card.id,
      // The names of its outputs stand to the right of a card.
      width: card.width + portNames(card.outputs),
      height: card.height,
      layoutOptions: { 'elk.portConstraints': 'FIXED_POS' },
      ports: [
        ...card.inputs.map((port, index) => ({
          id: `${card.id} < ${port}`,
          x: 0,
          y: portOffset(index, card.inputs.length, card.height),
          width: 0,
          height: 0,
          layoutOptions: { 'elk.port.side': 'WEST' },
        })),
        ...card.outputs.map((port, index) => ({
          id: `${card.id} > ${port}`,
          x: card.width + portNames(card.outputs),
          y: portOffset(index, card.outputs.length, card.height),
          width: 0,
          height: 0,
          layoutOptions: { 'elk.port.side': 'EAST' },
        })),
      ],
    })),
    edges: [...drawing.wires.values()]
      .filter((wire) => shown.has(wire.source.id) && shown.has(wire.target.id))
      .map((wire) => ({
        id: wire.id,
        sources: [
          wire.source.outputs.includes(wire.sourcePort) ? `${wire.source.id} > ${wire.sourcePort}` : wire.source.id,
        ],
        targets: [
          wire.target.inputs.includes(wire.targetPort) ? `${wire.target.id} < ${wire.targetPort}` : wire.target.id,
        ],
      })),
  };
  const engine = await elk();
  const result = await engine.layout(graph).finally(() => engine.terminateWorker());
  const children = result.children ?? [];
  const left = Math.min(...children.map((child) => child.x ?? 0));
  const top = Math.min(...children.map((child) => child.y ?? 0));
  const from: Point = only
    ? [Math.min(...cards.map((card) => card.box.left)), Math.min(...cards.map((card) => card.box.top))]
    : [0, 0];
  return new Map(
    children.map((child) => [child.id, rounded([(child.x ?? 0) - left + from[0], (child.y ?? 0) - top + from[1]])]),
  );
}

/** Layouts of thousands of nodes take seconds: beside the page, which goes on. */
async function inWorker(): Promise<ELK> {
  const [{ default: Elk }, { default: workerUrl }] = await Promise.all([
    import('elkjs/lib/elk-api.js'),
    import('elkjs/lib/elk-worker.min.js?url'),
  ]);
  return new Elk({ workerUrl });
}
