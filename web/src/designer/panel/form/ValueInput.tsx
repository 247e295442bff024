import { ActionIcon, Select, Switch, TextInput, Tooltip } from '@mantine/core';
import { IconMathFunction } from '@tabler/icons-react';
import { useState } from 'react';
import type { Json } from '@/graph/model';
import { hasTemplate } from '@/graph/templates';
import { words } from '@/text/language';
import { usePanel } from '../context';
import { CODE_TYPE } from '../data/drag';
import { ExpressionField } from '../expression/ExpressionField';
import { withExpression } from '../expression/templates';
import { readJson } from './JsonControl';
import { useTyped } from './useParameter';

interface Props {
  readonly value: Json | undefined;
  readonly label: string;
  readonly onChange: (value: Json, merge: string | null) => void;
  /** What a text that is typed becomes; left out: the text, or the type that the value had. */
  readonly read?: (text: string) => Json;
  readonly options?: readonly Json[];
  readonly expressions?: boolean;
  readonly placeholder?: string;
}

/** One value of a list or a map: fixed, or an expression. Numbers, booleans and objects keep their type. */
export function ValueInput(props: Props) {
  const { value, label, onChange, options, expressions = true } = props;
  const { target } = usePanel();
  const [chosen, setChosen] = useState(false);
  const templated = expressions && typeof value === 'string' && hasTemplate(value);
  const shown = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  const read = props.read ?? ((text: string) => likeBefore(text, value));
  const typed = useTyped(shown, (text, merge) => onChange(read(text), merge));
  const put = (code: string) => onChange(withExpression(typeof value === 'string' ? value : undefined, code), null);

  if (templated || chosen) {
    return (
      <ExpressionField
        value={typeof value === 'string' ? value : ''}
        label={label}
        autoFocus={chosen}
        onChange={(text, merge) => onChange(text, merge)}
        onLeave={() => setChosen(false)}
      />
    );
  }
  if (options?.length) {
    return (
      <Select
        aria-label={label}
        data={options.map(String)}
        value={value === undefined ? null : String(value)}
        allowDeselect={false}
        onChange={(text) => onChange(options.find((option) => String(option) === text) ?? text ?? '', null)}
      />
    );
  }
  if (typeof value === 'boolean') {
    return (
      <Switch aria-label={label} mt={8} checked={value} onChange={(e) => onChange(e.currentTarget.checked, null)} />
    );
  }
  return (
    <TextInput
      aria-label={label}
      value={typed.text}
      placeholder={props.placeholder}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onBlur={typed.leave}
      onFocus={(event) => {
        event.stopPropagation();
        if (expressions) target.current = { label, insert: put };
      }}
      onDragOver={(event) => {
        if (expressions && event.dataTransfer.types.includes(CODE_TYPE)) event.preventDefault();
      }}
      onDrop={(event) => {
        const code = event.dataTransfer.getData(CODE_TYPE);
        if (!code || !expressions) return;
        event.preventDefault();
        event.stopPropagation();
        put(code);
      }}
      rightSection={
        expressions && (
          <Tooltip label={words.panel.expression}>
            <ActionIcon
              size="sm"
              variant="subtle"
              color="gray"
              aria-label={`${words.panel.expression}: ${label}`}
              onClick={() => {
                typed.leave();
                setChosen(true);
              }}
            >
              <IconMathFunction size={14} />
            </ActionIcon>
          </Tooltip>
        )
      }
    />
  );
}

/** A typed text with the type of the value that it replaces, where it can have it. */
function likeBefore(text: string, before: Json | undefined): Json {
  if (before === undefined || typeof before === 'string') return text;
  const { value, error } = readJson(text);
  return error || value === undefined ? text : value;
}
