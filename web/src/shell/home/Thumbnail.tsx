import { useComputedColorScheme } from '@mantine/core';
import { memo } from 'react';
import type { Schemas } from '@/api/client';
import { domainColor } from '@/designer/canvas/colors';
import type { GraphSpec } from '@/graph/model';
import { placesAt } from '@/graph/place';
import { CARD_HEIGHT, CARD_WIDTH, curve, pathOf } from '@/graph/shape';
import classes from './home.module.css';

const ROOM = 24;
/** A picture is never drawn larger than this part of what the canvas shows. */
const LEAST_WIDTH = 640;
const LEAST_HEIGHT = 240;

/** A graph as the canvas shows it, too small for words. */
export const Thumbnail = memo(function Thumbnail({ outline }: { readonly outline: Schemas['GraphOutline'] }) {
  const dark = useComputedColorScheme('light') === 'dark';
  const places = placesOf(outline);
  if (!places.length) return null;
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs) - ROOM, Math.min(...ys) - ROOM];
  const width = Math.max(...xs) + CARD_WIDTH + ROOM - left;
  const height = Math.max(...ys) + CARD_HEIGHT + ROOM - top;
  const [wide, high] = [Math.max(width, LEAST_WIDTH), Math.max(height, LEAST_HEIGHT)];
  return (
    <svg
      className={classes.thumbnail}
      viewBox={`${left - (wide - width) / 2} ${top - (high - height) / 2} ${wide} ${high}`}
      aria-hidden
    >
      {outline.edges.map(([source, target]) => {
        const [from, to] = [places[source], places[target]];
        if (!from || !to) return null;
        const line = curve([from[0] + CARD_WIDTH, from[1] + CARD_HEIGHT / 2], [to[0], to[1] + CARD_HEIGHT / 2]);
        return <path key={`${source} ${target}`} d={pathOf(line)} className={classes.wire} />;
      })}
      {outline.nodes.map((node, index) => {
        const [x, y] = places[index] ?? [0, 0];
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: nodes are known by their places in the list
            key={index}
            x={x}
            y={y}
            width={CARD_WIDTH}
            height={CARD_HEIGHT}
            rx={12}
            fill={domainColor(node.domain, dark)}
          />
        );
      })}
    </svg>
  );
});

/** Where the canvas draws them: as the file says, else in columns. */
function placesOf({ nodes, edges }: Schemas['GraphOutline']): (readonly [number, number])[] {
  const graph: GraphSpec = {
    pyagent: 1,
    id: 'outline',
    nodes: nodes.map((node, index) => ({ id: `n${index}`, use: `${node.domain}.node@1` })),
    edges: edges.map(([source, target]) => `n${source} -> n${target}`),
    layout: Object.fromEntries(
      nodes.flatMap(({ at }, index): [string, [number, number]][] => (at ? [[`n${index}`, [at[0], at[1]]]] : [])),
    ),
  };
  const places = placesAt(graph, null);
  return nodes.map((_, index) => places.get(`n${index}`) ?? [0, 0]);
}
