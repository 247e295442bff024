import { Group, MultiSelect, Select, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { words } from '@/text/language';
import type { RunStatus } from '../fold';
import type { Filters, Since } from './filters';

const texts = words.runs.list;
const STATUSES: readonly RunStatus[] = ['running', 'waiting', 'completed', 'failed', 'cancelled', 'paused', 'queued'];

interface RunFiltersProps {
  readonly filters: Filters;
  readonly graphs: readonly { readonly id: string; readonly name: string }[];
  readonly onChange: (filters: Filters) => void;
}

/** What the list of runs can be narrowed to. */
export function RunFilters({ filters, graphs, onChange }: RunFiltersProps) {
  const [text, setText] = useState(filters.text);
  // Each letter would ask the server.
  useEffect(() => {
    if (text === filters.text) return;
    const timer = setTimeout(() => onChange({ ...filters, text }), 250);
    return () => clearTimeout(timer);
  }, [text, filters, onChange]);
  useEffect(() => setText(filters.text), [filters.text]);
  const known = graphs.some((graph) => graph.id === filters.graph);
  return (
    <Group gap="xs" role="search">
      <TextInput
        size="xs"
        w={260}
        leftSection={<IconSearch size={14} />}
        aria-label={texts.search}
        placeholder={texts.searchAbout}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Select
        size="xs"
        w={190}
        searchable
        clearable
        aria-label={texts.graph}
        placeholder={texts.allGraphs}
        data={[
          ...graphs.map((graph) => ({ value: graph.id, label: graph.name })),
          ...(filters.graph && !known ? [{ value: filters.graph, label: filters.graph }] : []),
        ]}
        value={filters.graph}
        onChange={(graph) => onChange({ ...filters, graph })}
      />
      <MultiSelect
        size="xs"
        w={filters.statuses.length ? undefined : 150}
        clearable
        aria-label={texts.status}
        placeholder={filters.statuses.length ? '' : texts.allStatuses}
        data={STATUSES.map((status) => ({ value: status, label: words.runs.status[status] }))}
        value={[...filters.statuses]}
        onChange={(statuses) => onChange({ ...filters, statuses: statuses as RunStatus[] })}
      />
      <Select
        size="xs"
        w={130}
        allowDeselect={false}
        aria-label={texts.since}
        data={(['hour', 'day', 'week', 'month', 'always'] as const).map((since) => ({
          value: since,
          label: texts[since],
        }))}
        value={filters.since}
        onChange={(since) => onChange({ ...filters, since: (since ?? 'always') as Since })}
      />
      <Select
        size="xs"
        w={170}
        allowDeselect={false}
        aria-label={texts.kind}
        data={[
          { value: 'all', label: texts.allKinds },
          { value: 'production', label: texts.production },
          { value: 'test', label: texts.test },
        ]}
        value={filters.production === null ? 'all' : filters.production ? 'production' : 'test'}
        onChange={(kind) => onChange({ ...filters, production: kind === 'all' ? null : kind === 'production' })}
      />
    </Group>
  );
}
