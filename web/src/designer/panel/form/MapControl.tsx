import { ActionIcon, Menu } from '@mantine/core';
import { IconAbc, IconBraces, IconNumber123, IconToggleLeft, IconTrash } from '@tabler/icons-react';
import { settle } from '@/editor/store';
import type { Json, JsonObject } from '@/graph/model';
import { fill, words } from '@/text/language';
import { usePanel } from '../context';
import { brief } from '../data/shape';
import classes from './form.module.css';
import { emptyOf, isSchema, optionsOf } from './kinds';
import { AddButton } from './lists';
import { NameField } from './NameField';
import type { FieldView } from './ParameterField';
import { ValueInput } from './ValueInput';

const TYPES = [
  { name: 'text', icon: IconAbc, of: (old: Json) => (typeof old === 'string' ? old : brief(old)) },
  { name: 'number', icon: IconNumber123, of: (old: Json) => (Number.isFinite(Number(old)) ? Number(old) : 0) },
  { name: 'boolean', icon: IconToggleLeft, of: (old: Json) => old === true || old === 'true' },
  { name: 'JSON', icon: IconBraces, of: (old: Json) => (old !== null && typeof old === 'object' ? old : {}) },
] as const;

/** Names with values: fields, headers, variables. Where any JSON may stand, a value's type can be chosen. */
export function MapControl(view: FieldView) {
  const { editor, resolve } = usePanel();
  const value = (view.value ?? view.standard ?? {}) as JsonObject;
  const inner = isSchema(view.field.schema.additionalProperties)
    ? resolve(view.field.schema.additionalProperties)
    : null;
  const names = isSchema(view.field.schema.propertyNames) ? optionsOf(view.field.schema.propertyNames) : [];
  const entries = Object.entries(value);
  const put = (changed: readonly (readonly [string, Json])[], merge: string | null = null) =>
    view.write(changed.length === 0 && !view.required ? undefined : Object.fromEntries(changed), merge);
  const free = () => {
    const left = names.map(String).find((name) => !(name in value));
    if (left !== undefined) return left;
    for (let count = entries.length + 1; ; count++) if (!(`field${count}` in value)) return `field${count}`;
  };
  return (
    <fieldset className={classes.plain} aria-labelledby={view.labelId} aria-describedby={view.describedBy}>
      {entries.map(([name, one], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a name that is being typed must not take the focus away.
        <div key={index} className={classes.row}>
          <NameField
            name={name}
            label={`${view.label}: ${words.panel.key} ${index + 1}`}
            taken={(fresh) => fresh in value}
            onRename={(fresh) => put(entries.map((entry, at) => (at === index ? [fresh, one] : entry)))}
          />
          <ValueInput
            value={one as Json}
            label={`${view.label}: ${name}`}
            expressions={view.field.expressions}
            options={inner ? optionsOf(inner) : []}
            {...(inner?.type === 'number' || inner?.type === 'integer' ? { read: numberOf } : {})}
            onChange={(changed, merge) =>
              put(
                entries.map((entry, at) => (at === index ? [name, changed] : entry)),
                merge === null ? null : `${index}.${merge}`,
              )
            }
          />
          <div className={classes.buttons}>
            {inner === null && (
              <TypeMenu
                value={one as Json}
                name={name}
                onChange={(changed) => put(entries.map((entry, at) => (at === index ? [name, changed] : entry)))}
              />
            )}
            <ActionIcon
              size="sm"
              variant="subtle"
              color="gray"
              aria-label={fill(words.panel.remove, { name })}
              onClick={() => put(entries.filter((_, at) => at !== index) as [string, Json][])}
            >
              <IconTrash size={14} />
            </ActionIcon>
          </div>
        </div>
      ))}
      <AddButton
        label={words.panel.addEntry}
        name={view.label}
        onClick={() => {
          settle(editor);
          put([...(entries as [string, Json][]), [free(), inner ? emptyOf(inner, resolve) : '']]);
        }}
      />
    </fieldset>
  );
}

function TypeMenu(props: { readonly value: Json; readonly name: string; readonly onChange: (value: Json) => void }) {
  const { value } = props;
  const at = typeof value === 'string' ? 0 : typeof value === 'number' ? 1 : typeof value === 'boolean' ? 2 : 3;
  const Icon = TYPES[at]?.icon ?? IconAbc;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon
          size="sm"
          variant="subtle"
          color="gray"
          aria-label={`${words.panel.type}: ${props.name}: ${TYPES[at]?.name}`}
        >
          <Icon size={14} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {TYPES.map((type) => (
          <Menu.Item
            key={type.name}
            leftSection={<type.icon size={14} />}
            onClick={() => props.onChange(type.of(value))}
          >
            {type.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function numberOf(text: string): Json {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}
