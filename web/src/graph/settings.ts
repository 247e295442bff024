/** Edits of the graph itself: its name, inputs, outputs, state channels and settings. */

import { withEntry, withField } from './change';
import type { Edit, GraphSpec, Json, JsonObject } from './model';

type Map = 'inputs' | 'outputs' | 'state';

/** Set the name or the description; nothing takes it away. */
export function setGraphText(key: 'name' | 'description', text: string): Edit {
  return (graph) => withField(graph, key, text === '' ? undefined : text);
}

/** Set an input, output or channel; undefined takes it away. */
export function setGraphEntry(map: Map, name: string, value: Json | undefined): Edit {
  return (graph) => withMap(graph, map, withEntry(graph[map] as JsonObject | undefined, name, value));
}

/** Call an input, output or channel something else; it keeps its place. Nothing happens where the name is taken. */
export function renameGraphEntry(map: Map, old: string, name: string): Edit {
  return (graph) => {
    const entries = graph[map] as JsonObject | undefined;
    if (!entries || !(old in entries) || name in entries || name === '') return graph;
    return withMap(
      graph,
      map,
      Object.fromEntries(
        Object.entries(entries).map(([key, value]) => [key === old ? name : key, value]),
      ) as JsonObject,
    );
  };
}

/** Set one of the graph's settings, or one in a group of them (`concurrency`, `key`). */
export function setGraphSetting(path: readonly [string] | readonly [string, string], value: Json | undefined): Edit {
  return (graph) => {
    const [key, inner] = path;
    const old = graph.settings?.[key];
    const fresh = inner === undefined ? value : withEntry(old as JsonObject | undefined, inner, value);
    const settings = withEntry(graph.settings, key, fresh as Json | undefined);
    return settings === graph.settings ? graph : withField(graph, 'settings', settings);
  };
}

function withMap(graph: GraphSpec, map: Map, entries: JsonObject | undefined): GraphSpec {
  return entries === graph[map] ? graph : withField(graph, map, entries as never);
}
