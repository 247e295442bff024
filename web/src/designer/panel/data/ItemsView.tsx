import { ActionIcon, Group, SegmentedControl, Tabs, Text, TextInput } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconChevronLeft, IconChevronRight, IconSearch, IconX } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { type ItemView, PAGE } from '@/api/runData';
import type { Json } from '@/graph/model';
import { fill, words } from '@/text/language';
import classes from './data.module.css';
import { useFieldDoings } from './FieldButtons';
import { FilesView } from './Files';
import { contains } from './shape';
import { SchemaView, TableView, TextView, TreeView } from './views';

/** Items of a port as far as they are here. */
export interface PortItems {
  readonly count: number;
  readonly items: readonly ItemView[];
}

interface Props {
  readonly side: 'input' | 'output';
  readonly label: string;
  readonly ports: Readonly<Record<string, PortItems>>;
  /** The code that reads an item of it, such as `$json`. */
  readonly item: string;
  readonly usable: boolean;
  readonly offset: number;
  readonly onOffset: (offset: number) => void;
  /** Tells of the port that is shown. */
  readonly onPort?: (port: string) => void;
}

const VIEWS = ['table', 'json', 'schema', 'tree'] as const;
type View = (typeof VIEWS)[number] | 'binary';

/** Items with their ports, ways to look at them, a search, and pages. */
export function ItemsView(props: Props) {
  const { side, label, ports, offset, onOffset } = props;
  const names = Object.keys(ports);
  const [chosen, setChosen] = useState<string | null>(null);
  const port = chosen !== null && names.includes(chosen) ? chosen : (names.find((n) => ports[n]?.count) ?? names[0]);
  const [kept, setKept] = useLocalStorage<View>({
    key: `pyagent.panel.view.${side}`,
    defaultValue: side === 'input' ? 'schema' : 'table',
    getInitialValueInEffect: false,
  });
  const [search, setSearch] = useState('');
  const [searching, setSearching] = useState(false);
  const doings = useFieldDoings(props.item, props.usable);
  const all = port === undefined ? undefined : ports[port];
  const hasFiles = all?.items.some((item) => Object.keys(item.binary).length > 0) ?? false;
  const view: View = kept === 'binary' && !hasFiles ? 'table' : kept;
  const wanted = search.trim().toLowerCase();
  const items = useMemo(
    () => (wanted ? (all?.items ?? []).filter((item) => contains(item.json as Json, wanted)) : (all?.items ?? [])),
    [all, wanted],
  );
  if (!all || port === undefined) return null;
  const shared = { items, doings, label: `${label}, ${words.panel[view]}`, side };
  const last = Math.min(offset + PAGE, all.count);
  return (
    <div className={classes.view}>
      {names.length > 1 && (
        <Tabs
          value={port}
          onChange={(name) => {
            setChosen(name);
            onOffset(0);
            if (name !== null) props.onPort?.(name);
          }}
          variant="pills"
          className={classes.ports}
        >
          <Tabs.List aria-label={words.panel.port}>
            {names.map((name) => (
              <Tabs.Tab key={name} value={name} size="xs" px={8} py={3}>
                {name} · {ports[name]?.count}
              </Tabs.Tab>
            ))}
          </Tabs.List>
        </Tabs>
      )}
      <Group gap={6} justify="space-between" wrap="nowrap" className={classes.bar}>
        <SegmentedControl
          size="xs"
          aria-label={words.panel.view}
          value={view}
          onChange={(name) => setKept(name as View)}
          data={[...VIEWS, ...(hasFiles ? (['binary'] as const) : [])].map((name) => ({
            value: name,
            label: words.panel[name],
          }))}
        />
        <Group gap={2} wrap="nowrap">
          <Text size="xs" c="dimmed" role="status" className={classes.counter}>
            {wanted
              ? fill(words.panel.found, { count: items.length })
              : all.count === 1
                ? words.panel.oneItem
                : fill(words.panel.items, { count: all.count })}
          </Text>
          <ActionIcon
            size="sm"
            variant="subtle"
            color="gray"
            aria-label={words.panel.search}
            aria-expanded={searching}
            onClick={() => {
              setSearching(!searching);
              setSearch('');
            }}
          >
            {searching ? <IconX size={14} /> : <IconSearch size={14} />}
          </ActionIcon>
        </Group>
      </Group>
      {searching && (
        <TextInput
          size="xs"
          m={6}
          mt={0}
          autoFocus
          placeholder={words.panel.search}
          aria-label={words.panel.search}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      <div className={classes.items}>
        {items.length === 0 ? (
          <Text size="sm" c="dimmed" p="md" ta="center">
            {wanted ? words.panel.noMatch : words.panel.noItems}
          </Text>
        ) : view === 'table' ? (
          <TableView {...shared} />
        ) : view === 'json' ? (
          <TextView {...shared} />
        ) : view === 'schema' ? (
          <SchemaView {...shared} />
        ) : view === 'tree' ? (
          <TreeView {...shared} />
        ) : (
          <FilesView items={items} label={shared.label} />
        )}
      </div>
      {all.count > all.items.length && (
        <Group gap={6} justify="center" className={classes.pages} role="group" aria-label={words.panel.page}>
          <ActionIcon
            size="sm"
            variant="default"
            disabled={offset === 0}
            aria-label={words.panel.previousItem}
            onClick={() => onOffset(Math.max(0, offset - PAGE))}
          >
            <IconChevronLeft size={14} />
          </ActionIcon>
          <Text size="xs">
            {fill(words.panel.itemsOf, { from: Math.min(offset + 1, all.count), to: last, count: all.count })}
          </Text>
          <ActionIcon
            size="sm"
            variant="default"
            disabled={last >= all.count}
            aria-label={words.panel.nextItem}
            onClick={() => onOffset(offset + PAGE)}
          >
            <IconChevronRight size={14} />
          </ActionIcon>
        </Group>
      )}
    </div>
  );
}
