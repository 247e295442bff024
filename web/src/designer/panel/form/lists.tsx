import { ActionIcon, Button, Group, MultiSelect, Text } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from '@tabler/icons-react';
import { settle } from '@/editor/store';
import type { Json, JsonObject } from '@/graph/model';
import { fill, words } from '@/text/language';
import { BrowseButton } from '@/widgets/BrowseButton';
import { usePanel } from '../context';
import { brief } from '../data/shape';
import classes from './form.module.css';
import { emptyOf, isPath, isSchema, optionsOf, type Resolve } from './kinds';
import type { FieldView } from './ParameterField';
import { ValueInput } from './ValueInput';

/** Several of a few values. */
export function ChoicesControl(view: FieldView) {
  const { resolve } = usePanel();
  const options = optionsOf(resolve(view.field.schema.items as JsonObject));
  const chosen = listOf(view.value ?? view.standard);
  return (
    <MultiSelect
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      data={options.map(String)}
      value={chosen.map(String)}
      error={view.invalid}
      onChange={(texts) => view.write(texts.map((text) => options.find((option) => String(option) === text) ?? text))}
    />
  );
}

/** A list of texts, each of them fixed or an expression. A single text is shown as a list of one. */
export function StringsControl(view: FieldView) {
  const { editor, resolve } = usePanel();
  const { value, write } = view;
  const list = typeof value === 'string' ? [value] : listOf(value ?? view.standard);
  const put = (changed: readonly Json[], merge: string | null = null) =>
    write(changed.length === 0 && !view.required ? undefined : changed, merge);
  const items = isSchema(view.field.schema.items) ? resolve(view.field.schema.items) : {};
  return (
    <fieldset className={classes.plain} aria-labelledby={view.labelId}>
      {list.map((one, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: texts have no identity but their place.
        <div key={index} className={classes.line}>
          <ValueInput
            value={one}
            label={`${view.label} ${index + 1}`}
            expressions={view.field.expressions}
            onChange={(changed, merge) =>
              put(
                list.map((old, at) => (at === index ? changed : old)),
                merge === null ? null : `${index}.${merge}`,
              )
            }
          />
          <MoveButtons
            name={`${view.label} ${index + 1}`}
            index={index}
            count={list.length}
            onMove={(to) => put(moved(list, index, to))}
            onRemove={() => put(list.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <Group gap="xs" wrap="nowrap" align="flex-end">
        <AddButton
          label={words.panel.addItem}
          name={view.label}
          onClick={() => {
            settle(editor);
            put([...list, '']);
          }}
        />
        {isPath(items) && (
          <BrowseButton
            compact
            label={view.label}
            folder=""
            foldersOnly={items.format === 'directory-path'}
            onChoose={(path) => {
              settle(editor);
              put([...list, path]);
            }}
          />
        )}
      </Group>
    </fieldset>
  );
}

/** An object with named parts. One that may be missing is made by a button. */
export function ObjectControl(view: FieldView) {
  const { props } = view;
  const ObjectField = props?.registry.fields.ObjectField;
  const { resolve } = usePanel();
  const missing = view.value === undefined || view.value === null;
  if (missing && view.field.nullable) {
    return (
      <AddButton
        label={words.panel.add}
        name={view.label}
        onClick={() => view.write(emptyOf({ ...view.field.schema, default: undefined as never }, resolve))}
      />
    );
  }
  return (
    <fieldset className={classes.group} aria-labelledby={view.labelId}>
      {props && ObjectField && <ObjectField {...props} schema={view.field.schema} />}
      {view.field.nullable && (
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          leftSection={<IconTrash size={12} />}
          onClick={() => view.write(undefined)}
        >
          {fill(words.panel.remove, { name: view.label })}
        </Button>
      )}
    </fieldset>
  );
}

/** A list of objects: a card for each, which can be moved. */
export function ListControl(view: FieldView) {
  const { editor, resolve } = usePanel();
  const items = elementOf(view, resolve);
  const list = listOf(view.value ?? view.standard);
  const change = (changed: readonly Json[]) => {
    settle(editor);
    view.write(changed.length === 0 && !view.required ? undefined : changed);
  };
  const { props } = view;
  const ObjectField = props?.registry.fields.ObjectField;
  return (
    <fieldset className={classes.plain} aria-labelledby={view.labelId}>
      {list.map((one, index) => {
        const name = `${view.label} ${index + 1}`;
        const path = [...view.path, index];
        const fieldPathId = props && { ...props.fieldPathId, $id: `${props.fieldPathId.$id}_${index}`, path };
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: elements have no identity but their place.
          <fieldset key={index} className={classes.card} aria-label={name}>
            <Group justify="space-between" wrap="nowrap">
              <Text size="xs" c="dimmed" truncate>
                {index + 1}. {brief(one, 60)}
              </Text>
              <MoveButtons
                name={name}
                index={index}
                count={list.length}
                onMove={(to) => change(moved(list, index, to))}
                onRemove={() => change(list.filter((_, at) => at !== index))}
              />
            </Group>
            {typeof one === 'string' ? (
              <ValueInput
                value={one}
                label={name}
                onChange={(changed, merge) => view.write(withOne(list, index, changed), merge && `${index}.${merge}`)}
              />
            ) : fieldPathId && ObjectField ? (
              <ObjectField {...props} name={String(index)} fieldPathId={fieldPathId} schema={items} />
            ) : null}
          </fieldset>
        );
      })}
      <AddButton
        label={words.panel.addItem}
        name={view.label}
        onClick={() => change([...list, emptyOf(items, resolve)])}
      />
    </fieldset>
  );
}

/** The schema of a list's objects, where they may be texts, too. */
function elementOf(view: FieldView, resolve: Resolve): JsonObject {
  const items = isSchema(view.field.schema.items) ? resolve(view.field.schema.items) : {};
  if (!Array.isArray(items.anyOf)) return items;
  const options = (items.anyOf as readonly Json[]).filter(isSchema).map(resolve);
  return options.find((option) => isSchema(option.properties)) ?? items;
}

function withOne(list: readonly Json[], index: number, value: Json): readonly Json[] {
  return list.map((old, at) => (at === index ? value : old));
}

/** Buttons that move an element of a list, and take it away. */
export function MoveButtons(props: {
  readonly name: string;
  readonly index: number;
  readonly count: number;
  readonly onMove: (to: number) => void;
  readonly onRemove: () => void;
}) {
  const { name, index, count } = props;
  return (
    <div className={classes.buttons}>
      <ActionIcon
        size="sm"
        variant="subtle"
        color="gray"
        disabled={index === 0}
        aria-label={fill(words.panel.moveUp, { name })}
        onClick={() => props.onMove(index - 1)}
      >
        <IconArrowUp size={14} />
      </ActionIcon>
      <ActionIcon
        size="sm"
        variant="subtle"
        color="gray"
        disabled={index === count - 1}
        aria-label={fill(words.panel.moveDown, { name })}
        onClick={() => props.onMove(index + 1)}
      >
        <IconArrowDown size={14} />
      </ActionIcon>
      <ActionIcon
        size="sm"
        variant="subtle"
        color="gray"
        aria-label={fill(words.panel.remove, { name })}
        onClick={props.onRemove}
      >
        <IconTrash size={14} />
      </ActionIcon>
    </div>
  );
}

export function AddButton(props: { readonly label: string; readonly name: string; readonly onClick: () => void }) {
  return (
    <Button
      size="compact-sm"
      variant="default"
      mt={6}
      leftSection={<IconPlus size={14} />}
      aria-label={`${props.label}: ${props.name}`}
      onClick={props.onClick}
    >
      {props.label}
    </Button>
  );
}

/** A list with one of its elements somewhere else. */
export function moved<T>(list: readonly T[], from: number, to: number): readonly T[] {
  const one = list[from];
  if (one === undefined || to < 0 || to >= list.length) return list;
  const rest = list.filter((_, at) => at !== from);
  return [...rest.slice(0, to), one, ...rest.slice(to)];
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
