import { ActionIcon, Group, SegmentedControl, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import type { FieldProps } from '@rjsf/utils';
import { IconArrowBackUp, IconInfoCircle } from '@tabler/icons-react';
import { memo, useId, useMemo, useState } from 'react';
import { settle } from '@/editor/store';
import type { Json, JsonObject } from '@/graph/model';
import { hasTemplate, partsOf } from '@/graph/templates';
import { fill, words } from '@/text/language';
import { usePanel } from '../context';
import { CODE_TYPE } from '../data/drag';
import { ExpressionField } from '../expression/ExpressionField';
import { readName, withExpression } from '../expression/templates';
import { Problems, useProblems } from '../Problems';
import { Control } from './Control';
import classes from './form.module.css';
import { type Field, fieldOf, humanName } from './kinds';
import { useValue, useWrite } from './useParameter';

/** Where a field is and what it holds, for the controls of each kind. */
export interface FieldView {
  readonly path: readonly (string | number)[];
  readonly field: Field;
  readonly label: string;
  readonly labelId: string;
  readonly describedBy: string;
  readonly required: boolean;
  readonly invalid: boolean;
  readonly value: Json | undefined;
  readonly standard: Json | undefined;
  /** Write it; with `merge`, changes in a row are one step of undo. */
  readonly write: (value: Json | undefined, merge?: string | null) => void;
  /** What the library that walks the schema gave, where it did: it draws objects and elements of lists. */
  readonly props?: FieldProps;
}

const GROUPS = new Set(['object', 'list', 'map', 'strings']);

/** A parameter as the form library meets it in the schema: its editor, its expression, its problems. */
export function ParameterField(props: FieldProps) {
  const path = props.fieldPathId.path;
  if (path.length === 0) {
    const { ObjectField } = props.registry.fields;
    return ObjectField ? <ObjectField {...props} /> : null;
  }
  return <Parameter props={props} path={path} />;
}

const Parameter = memo(function Parameter({
  props,
  path,
}: {
  readonly props: FieldProps;
  readonly path: readonly (string | number)[];
}) {
  const { use, resolve, editor, target } = usePanel();
  const id = useId();
  const name = String(path.at(-1));
  const field = useMemo(() => fieldOf(props.schema as JsonObject, props.name, use, resolve), [props, use, resolve]);
  const standard = (props.schema as JsonObject).default as Json | undefined;
  const value = useValue(path);
  const write = useWrite(path, standard);
  const group = GROUPS.has(field.kind);
  const problems = useProblems(`with/${path.join('/')}`, !group);
  const invalid = problems.some((problem) => problem.severity === 'error');
  const label = props.title || (props.schema.title as string | undefined) || humanName(name);
  const description = props.schema.description;

  const templated = typeof value === 'string' && hasTemplate(value) && field.expressions;
  // What is made of many parts comes from another node as a whole, mostly.
  const whole = field.kind === 'object' && props.required === true && field.expressions;
  const unset = value === undefined && (field.kind === 'condition' || whole);
  const [chosen, setChosen] = useState<boolean | null>(null);
  const asExpression = templated || (chosen ?? unset);
  const canSwitch = field.expressions && !isElementOfObjects(field);

  const choose = (expression: boolean) => {
    settle(editor);
    setChosen(expression);
    if (expression) {
      if (typeof value !== 'string') write(value === undefined ? undefined : asTemplate(value));
    } else if (templated) write(fixedOf(String(value), field));
  };
  const put = (code: string) => {
    setChosen(null);
    const name = field.kind === 'map' && !asExpression ? readName(code) : null;
    if (name !== null) {
      settle(editor);
      write({ ...(value as JsonObject | undefined), [name]: withExpression(undefined, code) });
      settle(editor);
      return;
    }
    const text = field.kind === 'text' || field.kind === 'lines' || field.kind === 'path' ? value : undefined;
    settle(editor);
    write(withExpression(text, code));
    settle(editor);
  };

  const describedBy = `${id}-description ${id}-problems`;
  const view: FieldView = {
    path,
    field,
    label,
    labelId: `${id}-label`,
    describedBy,
    required: props.required ?? false,
    invalid,
    value,
    standard,
    write,
    props,
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop on; by keyboard the data's buttons do the same.
    <div
      className={classes.field}
      data-field={path.join('/')}
      data-expression={asExpression || undefined}
      data-required={view.required || undefined}
      tabIndex={-1}
      onFocus={(event) => {
        // What is inside of it, a row of a list or an editor of code, has told of itself.
        event.stopPropagation();
        if (!asExpression && canSwitch && !event.target.closest('.cm-content')) {
          target.current = { label, insert: put };
        }
      }}
      onDragOver={(event) => {
        if (canSwitch && event.dataTransfer.types.includes(CODE_TYPE)) {
          event.preventDefault();
          event.currentTarget.dataset.over = 'true';
        }
      }}
      onDragLeave={(event) => {
        delete event.currentTarget.dataset.over;
      }}
      onDropCapture={(event) => {
        delete event.currentTarget.dataset.over;
      }}
      onDrop={(event) => {
        const code = event.dataTransfer.getData(CODE_TYPE);
        if (!code || !canSwitch || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        put(code);
      }}
    >
      <Group gap={4} wrap="nowrap" className={classes.head}>
        <Text id={view.labelId} component="span" size="sm" fw={500} className={classes.label}>
          {label}
          {view.required && (
            <Text component="span" c="red" aria-hidden>
              {' '}
              *
            </Text>
          )}
          {view.required && <VisuallyHidden>, {words.panel.required}</VisuallyHidden>}
        </Text>
        {description && (
          <Tooltip label={description} multiline maw={360} events={{ hover: true, focus: true, touch: true }}>
            <IconInfoCircle size={14} className={classes.info} aria-hidden />
          </Tooltip>
        )}
        <VisuallyHidden id={`${id}-description`}>{description}</VisuallyHidden>
        <span className={classes.space} />
        {value !== undefined && standard !== undefined && !view.required && (
          <Tooltip label={words.panel.reset}>
            <ActionIcon
              size="xs"
              variant="subtle"
              color="gray"
              className={classes.quiet}
              aria-label={`${words.panel.reset}: ${label}`}
              onClick={() => {
                setChosen(null);
                settle(editor);
                write(undefined);
              }}
            >
              <IconArrowBackUp size={12} />
            </ActionIcon>
          </Tooltip>
        )}
        {canSwitch && (
          <SegmentedControl
            className={classes.mode}
            size="xs"
            aria-label={fill(words.panel.mode, { field: label })}
            data={[
              { value: 'fixed', label: words.panel.fixed },
              { value: 'expression', label: words.panel.expression },
            ]}
            value={asExpression ? 'expression' : 'fixed'}
            onChange={(mode) => choose(mode === 'expression')}
          />
        )}
      </Group>
      {asExpression ? (
        <ExpressionField
          value={typeof value === 'string' ? value : ''}
          label={label}
          describedBy={describedBy}
          invalid={invalid}
          autoFocus={chosen === true}
          onChange={(text, merge) => write(text === '' ? undefined : text, merge)}
        />
      ) : (
        <Control {...view} />
      )}
      <Problems id={`${id}-problems`} problems={problems} />
    </div>
  );
});

/** Lists of objects and objects with named parts hold their expressions inside. */
function isElementOfObjects(field: Field): boolean {
  return field.kind === 'code';
}

/** A value that is no text as a template: 5 is `{{ 5 }}`. */
function asTemplate(value: Json): Json {
  return hasTemplate(value) ? value : `{{ ${JSON.stringify(value)} }}`;
}

/** What a template says without data, where it says that: `{{ 5 }}` is 5. Else nothing is left of it. */
function fixedOf(text: string, field: Field): Json | undefined {
  const parts = partsOf(text);
  const code = parts.length === 1 && parts[0]?.kind === 'code' ? text.slice(parts[0].from, parts[0].to).trim() : null;
  if (code === null || code === '') return undefined;
  try {
    const value = JSON.parse(code) as Json;
    const fits = field.kind === 'text' ? typeof value === 'string' : true;
    return fits ? value : undefined;
  } catch {
    return undefined;
  }
}
