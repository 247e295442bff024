/** What expressions of the open node can read, fetched when completion asks for it. */

import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ask, client } from '@/api/client';
import { readStep } from '@/api/runData';
import type { Editor } from '@/editor/store';
import { graphOf } from '@/editor/store';
import { type GraphSpec, type Json, type JsonObject, labelOf } from '@/graph/model';
import { pinsOf } from '@/graph/parameters';
import { type Panel, usePanel } from '../context';
import { ancestors, edgesInto } from '../neighbours';
import type { Entry, Readable } from './complete';

const NO_ENTRIES: readonly Entry[] = [];

/** What completion reads; asked anew each time, since the graph and its run go on. */
export function useReadable(): () => Readable {
  const panel = usePanel();
  const queries = useQueryClient();
  const { data } = useQuery({
    queryKey: ['expression-language'],
    queryFn: async ({ signal }) => {
      const { entries } = await ask(client.GET('/api/v1/expressions/language', { signal }));
      return entries as readonly Entry[];
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  const language = data ?? NO_ENTRIES;
  const { editor, node, sample } = panel;
  return useMemo(
    () => () => readable(editor, node, sample, queries, language),
    [editor, node, sample, queries, language],
  );
}

function readable(
  editor: Editor,
  node: string,
  sample: Panel['sample'],
  queries: QueryClient,
  language: readonly Entry[],
): Readable {
  const graph = graphOf(editor);
  // The graph's own outputs read any of its nodes.
  const before = node === '' ? graph.nodes : ancestors(graph, node);
  const given = (step: string, side: 'inputs' | 'outputs', index: number) =>
    queries.fetchQuery({
      queryKey: ['one-item', sample.run, step, side, index],
      queryFn: async (): Promise<Json | null> => {
        const data = await readStep(sample.run as string, step, index, 1);
        const items = Object.values(data[side]).flatMap((port) => port.items);
        return (items[0]?.json as Json | undefined) ?? null;
      },
      staleTime: 10_000,
      retry: false,
    });
  const itemOf = async (name: string): Promise<Json | undefined> => {
    const found = before.find((one) => one.id === name) ?? before.find((one) => one.name === name);
    if (!found) return undefined;
    const pinned = Object.values(pinsOf(graph, found.id, 'out'))[0]?.[0];
    if (pinned) return pinned;
    if (!sample.run) return undefined;
    return (await given(found.id, 'outputs', 0).catch(() => null)) ?? undefined;
  };
  return {
    language,
    nodes: before.map(labelOf),
    itemOf,
    json: async () => {
      const own = sample.run && sample.step && (await given(sample.step, 'inputs', sample.item).catch(() => null));
      if (own) return own;
      const source = edgesInto(graph, node)[0]?.source;
      return source ? itemOf(source) : undefined;
    },
    inputs: examples(graph.inputs),
    state: examples(graph.state),
  };
}

/** A value for each of the graph's inputs or channels: its default, else nothing. */
function examples(declared: GraphSpec['inputs']): JsonObject {
  return Object.fromEntries(Object.entries(declared ?? {}).map(([name, schema]) => [name, schema.default ?? null]));
}
