import { ActionIcon, Button, Group, Text } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { apply, settle, useEditor } from '@/editor/store';
import { withEntry } from '@/graph/change';
import type { Json, JsonObject } from '@/graph/model';
import { renameGraphEntry, setGraphEntry } from '@/graph/settings';
import { fill, words } from '@/text/language';
import { usePanel } from '../panel/context';
import formClasses from '../panel/form/form.module.css';
import { NameField } from '../panel/form/NameField';
import { Problems, useProblems } from '../panel/Problems';

const NONE: Readonly<Record<string, JsonObject>> = {};

/** A list of what a graph declares by names, with what is said about it. */
interface Part {
  readonly part: 'inputs' | 'state';
  /** What it is called in the list of what can be undone. */
  readonly title: string;
  readonly hint: string;
  readonly add: string;
  /** What names of new entries begin with. */
  readonly stem: string;
  /** The label of a name, with its `{number}`. */
  readonly nameLabel: string;
}

/** One entry, and how a field of it is written. */
export interface Entry {
  readonly of: Part;
  readonly name: string;
  readonly index: number;
  readonly value: JsonObject;
  readonly taken: (name: string) => boolean;
  /** Set a field, or take it away; with `merge`, changes in a row are one step of undo. */
  readonly put: (key: string, value: Json | undefined, merge?: string | null) => void;
}

/** Entries with names, a card each, and a button for one more. */
export function NamedEntries({ of, card }: { readonly of: Part; readonly card: (entry: Entry) => ReactNode }) {
  const { editor } = usePanel();
  const { part, title, hint, add, stem } = of;
  const entries = useEditor(editor, (state) => state.history.graph[part] ?? NONE);
  const names = Object.keys(entries);
  const free = () => {
    for (let count = names.length + 1; ; count++) if (!(`${stem}${count}` in entries)) return `${stem}${count}`;
  };
  return (
    <>
      <Text size="sm" c="dimmed">
        {hint}
      </Text>
      {names.map((name, index) => {
        const value = entries[name] as JsonObject;
        return card({
          of,
          name,
          index,
          value,
          taken: (other) => other in entries,
          put: (key, field, merge = null) =>
            apply(
              editor,
              `${title}: ${name}`,
              setGraphEntry(part, name, withEntry(value, key, field) ?? {}),
              merge && `${part}/${index}/${key}#${merge}`,
            ),
        });
      })}
      <Button
        mt="sm"
        size="compact-sm"
        variant="light"
        leftSection={<IconPlus size={14} />}
        onClick={() => {
          settle(editor);
          apply(editor, add, setGraphEntry(part, free(), { type: 'string' }));
        }}
      >
        {add}
      </Button>
    </>
  );
}

/** The card of an entry: its name and what stands beside it, a button that removes it, fields, problems. */
export function EntryCard(props: { readonly entry: Entry; readonly head: ReactNode; readonly children: ReactNode }) {
  const { editor } = usePanel();
  const { of, name, index, taken } = props.entry;
  const problems = useProblems(`${of.part}/${name}`, true);
  return (
    <fieldset className={formClasses.card} aria-label={name}>
      <Group wrap="nowrap" gap="xs" mb={6}>
        <NameField
          name={name}
          label={fill(of.nameLabel, { number: index + 1 })}
          taken={taken}
          onRename={(fresh) => apply(editor, of.title, renameGraphEntry(of.part, name, fresh))}
        />
        {props.head}
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={fill(words.panel.remove, { name })}
          onClick={() => apply(editor, of.title, setGraphEntry(of.part, name, undefined))}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </Group>
      {props.children}
      <Problems problems={problems} />
    </fieldset>
  );
}
