import { Select, Text } from '@mantine/core';
import { apply, useEditor } from '@/editor/store';
import type { Json, JsonObject } from '@/graph/model';
import { setNodeField } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import { words } from '@/text/language';
import { usePanel } from '../context';
import classes from '../form/form.module.css';
import { AddButton, MoveButtons } from '../form/lists';
import { ValueInput } from '../form/ValueInput';
import { Problems, useProblems } from '../Problems';

const t = words.nodeSettings;
const NO_STATE: Readonly<Record<string, JsonObject>> = {};

/** What the node writes to the graph's state channels. */
export function StateWrites() {
  const { editor, node } = usePanel();
  const write = useEditor(editor, (state) => nodeOf(state.history.graph, node)?.write);
  const channels = Object.keys(useEditor(editor, (state) => state.history.graph.state ?? NO_STATE));
  const problems = useProblems('write', true);
  const entries = Object.entries(write ?? {}) as [string, Json][];
  const put = (changed: readonly (readonly [string, Json])[], merge: string | null = null) =>
    apply(
      editor,
      t.write,
      setNodeField(node, 'write', changed.length ? (Object.fromEntries(changed) as JsonObject) : undefined),
      merge === null ? null : `${node}/write#${merge}`,
    );
  const free = channels.find((channel) => !entries.some(([name]) => name === channel));
  if (channels.length === 0 && entries.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t.noChannels}
      </Text>
    );
  }
  return (
    <>
      <Text size="xs" c="dimmed">
        {t.writeHint}
      </Text>
      {entries.map(([name, value], index) => (
        <div key={name} className={classes.row}>
          <Select
            aria-label={`${t.channel} ${index + 1}`}
            data={[...new Set([...channels, name])]}
            value={name}
            allowDeselect={false}
            onChange={(fresh) => {
              if (fresh && !entries.some(([other]) => other === fresh)) {
                put(entries.map((entry, at) => (at === index ? [fresh, value] : entry)));
              }
            }}
          />
          <ValueInput
            value={value}
            label={`${t.channel} ${name}`}
            onChange={(changed, merge) =>
              put(
                entries.map((entry, at) => (at === index ? [name, changed] : entry)),
                merge === null ? null : `${name}.${merge}`,
              )
            }
          />
          <MoveButtons
            name={name}
            index={index}
            count={entries.length}
            onMove={(to) => {
              const rest = entries.filter((_, at) => at !== index);
              put([...rest.slice(0, to), [name, value], ...rest.slice(to)]);
            }}
            onRemove={() => put(entries.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      {free && <AddButton label={t.addWrite} name={t.state} onClick={() => put([...entries, [free, '{{  }}']])} />}
      <Problems problems={problems} />
    </>
  );
}
