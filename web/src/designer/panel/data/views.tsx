import { Text } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import type { ItemView, OriginView } from '@/api/runData';
import type { Json, JsonObject } from '@/graph/model';
import { fill, words } from '@/text/language';
import { useLooking } from './context';
import classes from './data.module.css';
import { carryCode } from './drag';
import { FieldButtons, type FieldDoings } from './FieldButtons';
import { jsonLines, rowKey, treeRows } from './rows';
import { brief, columnsOf, type FieldShape, fieldKey, openFields, shapeOf } from './shape';
import { VirtualRows } from './VirtualRows';

interface Props {
  readonly items: readonly ItemView[];
  readonly doings: FieldDoings;
  readonly label: string;
  /** Whether what is pointed at shows where it came from (outputs), or is shown (inputs). */
  readonly side: 'input' | 'output';
}

const ROW = 26;
const MAX_COLUMNS = 60;

const jsonOf = (item: ItemView): JsonObject => item.json as JsonObject;

/** Items as a table: a row each, a column for each of their fields. */
export function TableView({ items, doings, label, side }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const { lineage, setLineage, item: chosen, setItem } = useLooking();
  const { columns, more } = useMemo(() => columnsOf(items.map(jsonOf), MAX_COLUMNS), [items]);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 32,
    overscan: 8,
  });
  const rows = virtual.getVirtualItems();
  const before = rows[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (rows.at(-1)?.end ?? 0);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls.
    <section ref={scroller} className={classes.scroller} tabIndex={0} aria-label={label}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col" className={classes.index}>
              #
            </th>
            {columns.map((column) => (
              <th
                key={column}
                scope="col"
                draggable={doings.usable}
                onDragStart={(event) => carryCode(event.dataTransfer, doings.code([column]))}
              >
                <span className={classes.columnName}>{column}</span>
                <FieldButtons doings={doings} path={[column]} value={jsonOf(items[0] as ItemView)?.[column] ?? null} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr style={{ height: before }} />}
          {rows.map(({ index }) => {
            const item = items[index];
            if (!item) return null;
            const marked = side === 'input' && comesFrom(item, lineage);
            return (
              <tr
                key={item.index}
                data-marked={marked || undefined}
                data-chosen={(side === 'input' && item.index === chosen) || undefined}
                onPointerEnter={() => side === 'output' && setLineage(item.came_from)}
                onPointerLeave={() => side === 'output' && setLineage(NO_ORIGINS)}
                onClick={() => side === 'input' && setItem(item.index)}
              >
                <td className={classes.index}>{item.index}</td>
                {columns.map((column) => (
                  <Cell key={column} value={jsonOf(item)[column]} />
                ))}
              </tr>
            );
          })}
          {after > 0 && <tr style={{ height: after }} />}
        </tbody>
      </table>
      {more > 0 && (
        <Text size="xs" c="dimmed" p="xs">
          {fill(words.panel.moreColumns, { count: more })}
        </Text>
      )}
    </section>
  );
}

const NO_ORIGINS: readonly OriginView[] = [];

function Cell({ value }: { readonly value: Json | undefined }) {
  const text = brief(value);
  const kind = value === null ? 'null' : typeof value;
  return (
    <td data-kind={kind} title={text.length > 40 ? text : undefined}>
      {text}
    </td>
  );
}

/** Whether an input item is one that what is pointed at came from: both name where they come from. */
export function comesFrom(item: ItemView, lineage: readonly OriginView[]): boolean {
  return item.came_from.some((origin) =>
    lineage.some((one) => one.step === origin.step && one.port === origin.port && one.index === origin.index),
  );
}

/** Where an item comes from, in words, and whether what is looked at beside it comes from it. */
export function toldOrigins(item: ItemView | undefined, marked: boolean | undefined): string | undefined {
  const origins = item?.came_from.map(({ index, step }) =>
    step === null ? fill(words.panel.cameFirst, { index }) : fill(words.panel.cameFrom, { index, step }),
  );
  return [...(marked ? [words.panel.cameInto] : []), ...(origins ?? [])].join(', ') || undefined;
}

/** Items as the text of a JSON list. */
export function TextView({ items, label }: Props) {
  const lines = useMemo(() => jsonLines(items.map((item) => item.json)), [items]);
  return (
    <VirtualRows
      count={lines.length}
      height={19}
      label={label}
      row={(index) => ({ content: <code className={classes.line}>{lines[index]}</code> })}
    />
  );
}

/** The fields that the items have, with their types. */
export function SchemaView({ items, doings, label }: Props) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(NO_KEYS);
  const all = useMemo(() => shapeOf(items.map(jsonOf)), [items]);
  const fields = useMemo(() => openFields(all, toggled), [all, toggled]);
  const toggle = (field: FieldShape) => {
    const next = new Set(toggled);
    if (!next.delete(fieldKey(field))) next.add(fieldKey(field));
    setToggled(next);
  };
  if (items.length > 0 && fields.length === 0) {
    return (
      <Text size="sm" c="dimmed" p="sm">
        {items.length === 1 ? words.panel.noFields : words.panel.noFieldsInAny}
      </Text>
    );
  }
  return (
    <VirtualRows
      role="tree"
      count={fields.length}
      height={ROW}
      label={label}
      onKey={(index, event) => {
        const field = fields[index];
        if (!field) return;
        const wanted = event.key === 'ArrowRight' ? false : event.key === 'ArrowLeft' ? true : null;
        if (wanted !== null && field.inner && field.open === wanted) {
          event.preventDefault();
          toggle(field);
        } else doByKey(event, doings, field.path, field.sample);
      }}
      row={(index) => {
        const field = fields[index];
        if (!field) return { content: null };
        return {
          props: {
            'aria-level': field.depth + 1,
            ...(field.inner ? { 'aria-expanded': field.open } : {}),
            draggable: doings.usable,
            onDragStart: (event: React.DragEvent) => carryCode(event.dataTransfer, doings.code(field.path)),
          },
          content: (
            <>
              <span style={{ paddingInlineStart: field.depth * 16 }} />
              <button
                type="button"
                tabIndex={-1}
                className={classes.opener}
                aria-hidden
                onClick={() => field.inner && toggle(field)}
              >
                {field.inner ? field.open ? <IconChevronDown size={13} /> : <IconChevronRight size={13} /> : null}
              </button>
              <span className={classes.type} data-type={field.types.find((type) => type !== 'null') ?? 'null'}>
                {field.types.filter((type) => type !== 'null').join(' | ') || 'null'}
              </span>
              <span className={classes.name}>{field.name}</span>
              <span className={classes.sample}>{field.inner ? '' : brief(field.sample, 100)}</span>
              {field.count < items.length && field.depth === 0 && (
                <span className={classes.count}>
                  {field.count}/{items.length}
                </span>
              )}
              <FieldButtons doings={doings} path={field.path} value={field.sample} />
            </>
          ),
        };
      }}
    />
  );
}

/** Items as a tree that opens level by level. */
export function TreeView({ items, doings, label, side }: Props) {
  const { lineage, setLineage } = useLooking();
  const [toggled, setToggled] = useState<ReadonlySet<string>>(NO_KEYS);
  const views = useMemo(() => items.map((item) => ({ index: item.index, json: jsonOf(item) })), [items]);
  const rows = useMemo(() => treeRows(views, toggled), [views, toggled]);
  const byIndex = useMemo(() => new Map(items.map((item) => [item.index, item])), [items]);
  const toggle = (item: number, path: readonly (string | number)[]) => {
    const key = rowKey(item, path);
    const next = new Set(toggled);
    if (!next.delete(key)) next.add(key);
    setToggled(next);
  };
  return (
    <VirtualRows
      role="tree"
      count={rows.length}
      height={ROW}
      label={label}
      onKey={(index, event) => {
        const row = rows[index];
        if (!row) return;
        const wanted = event.key === 'ArrowRight' ? false : event.key === 'ArrowLeft' ? true : null;
        if (wanted !== null && row.inner && row.open === wanted) {
          event.preventDefault();
          toggle(row.item, row.path);
        } else doByKey(event, doings, row.path, row.value);
      }}
      onActive={(index) => {
        const item = index === null ? undefined : byIndex.get(rows[index]?.item ?? -1);
        if (side === 'output') setLineage(item?.came_from ?? NO_ORIGINS);
      }}
      row={(index) => {
        const row = rows[index];
        if (!row) return { content: null };
        const whole = byIndex.get(row.item);
        const marked = side === 'input' && whole && comesFrom(whole, lineage);
        return {
          props: {
            'aria-level': row.depth + 1,
            'aria-expanded': row.inner ? row.open : undefined,
            'data-marked': marked || undefined,
            'aria-description': row.depth === 0 ? toldOrigins(whole, marked) : undefined,
            draggable: doings.usable && row.path.length > 0,
            onDragStart: (event: React.DragEvent) => carryCode(event.dataTransfer, doings.code(row.path)),
            onPointerEnter: () => side === 'output' && whole && setLineage(whole.came_from),
            onPointerLeave: () => side === 'output' && setLineage(NO_ORIGINS),
          },
          content: (
            <>
              <span style={{ paddingInlineStart: row.depth * 16 }} />
              <button
                type="button"
                tabIndex={-1}
                className={classes.opener}
                aria-hidden
                onClick={() => row.inner && toggle(row.item, row.path)}
              >
                {row.inner ? row.open ? <IconChevronDown size={13} /> : <IconChevronRight size={13} /> : null}
              </button>
              <span className={row.depth === 0 ? classes.itemName : classes.name}>
                {row.depth === 0 ? `${words.panel.item} ${row.name}` : row.name}
              </span>
              <span className={classes.sample} data-kind={row.type}>
                {row.open ? '' : row.text || (row.depth === 0 ? words.panel.emptyObject : '""')}
              </span>
              {row.path.length > 0 && <FieldButtons doings={doings} path={row.path} value={row.value} />}
            </>
          ),
        };
      }}
    />
  );
}

const NO_KEYS: ReadonlySet<string> = new Set();

function doByKey(
  event: React.KeyboardEvent,
  doings: FieldDoings,
  path: readonly (string | number)[],
  value: Json,
): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Enter' && doings.usable && path.length) doings.use(path);
  else if (event.key === 'c') doings.copyPath(path);
  else if (event.key === 'C') doings.copyValue(value);
  else return;
  event.preventDefault();
}
