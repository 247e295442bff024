import { Alert, Collapse, Text, UnstyledButton } from '@mantine/core';
// The package's index wants a validator that makes code from schemas, which the security policy forbids.
import Form from '@rjsf/core/lib/components/Form.js';
import type { ObjectFieldTemplateProps, RJSFSchema, ValidatorType } from '@rjsf/utils';
import { IconChevronRight, IconPuzzleOff } from '@tabler/icons-react';
import { useState } from 'react';
import { useEditor } from '@/editor/store';
import { valueAt } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { usePanel } from '../context';
import classes from './form.module.css';
import { JsonControl } from './JsonControl';
import { isSchema } from './kinds';
import { ParameterField } from './ParameterField';
import { useValue, useWrite } from './useParameter';

/** Parameters that are shown before one asks for more. */
const SHOWN = 6;

// The library walks the schema; every value is read from the graph and written there, and the server checks it.
const noValidator: ValidatorType = {
  isValid: () => true,
  validateFormData: () => ({ errors: [], errorSchema: {} }),
  rawValidation: () => ({ errors: [] }),
};
const FIELDS = { SchemaField: ParameterField };
const TEMPLATES = { ObjectFieldTemplate: Properties };
const NO_DATA = {};
const KEEP = { emptyObjectFields: 'skipDefaults', arrayMinItems: { populate: 'never' } } as const;

/** A node's parameters as a form. */
export function ParameterForm({ schema }: { readonly schema: RJSFSchema }) {
  if (Object.keys(schema.properties ?? {}).length === 0) {
    return (
      <Text size="sm" c="dimmed" py="sm">
        {words.panel.noParameters}
      </Text>
    );
  }
  return (
    <Form
      tagName="div"
      schema={schema}
      formData={NO_DATA}
      validator={noValidator}
      noValidate
      noHtml5Validate
      fields={FIELDS}
      templates={TEMPLATES}
      experimental_defaultFormStateBehavior={KEEP}
    >
      <span hidden />
    </Form>
  );
}

/** The parts of an object. Of the parameters themselves, those that are rarely set come when they are asked for. */
function Properties(props: ObjectFieldTemplateProps) {
  const { editor, node } = usePanel();
  const path = props.fieldPathId.path;
  const required = new Set(props.schema.required ?? []);
  const [first] = useState(() => {
    const given = valueAt(nodeOf(editor.getState().history.graph, node)?.with, path);
    const set = new Set(isSchema(given) ? Object.keys(given) : []);
    const names = props.properties.map((one) => one.name);
    if (names.length <= SHOWN + 2) return new Set(names);
    return new Set(names.filter((name, index) => required.has(name) || set.has(name) || index < SHOWN));
  });
  const [open, setOpen] = useState(false);
  const more = props.properties.filter((one) => !first.has(one.name));
  return (
    <>
      {props.properties.filter((one) => first.has(one.name)).map((one) => one.content)}
      {more.length > 0 && (
        <>
          <UnstyledButton className={classes.more} aria-expanded={open} onClick={() => setOpen(!open)}>
            <IconChevronRight size={14} className={classes.chevron} data-open={open || undefined} />
            <Text size="sm" c="dimmed">
              {words.panel.optional} ({more.length})
            </Text>
          </UnstyledButton>
          <Collapse expanded={open}>{open && more.map((one) => one.content)}</Collapse>
        </>
      )}
    </>
  );
}

/** The parameters of a node whose type is not installed: as they are. */
export function UnknownParameters() {
  const { editor, node } = usePanel();
  const type = useEditor(editor, (state) => nodeOf(state.history.graph, node)?.use ?? '');
  const value = useValue(ROOT);
  const write = useWrite(ROOT);
  return (
    <>
      <Alert color="yellow" icon={<IconPuzzleOff size={18} />} title={words.panel.missingType} mb="sm">
        {fill(words.panel.missingTypeHint, { use: type })}
      </Alert>
      <JsonControl
        path={ROOT}
        field={{ kind: 'json', schema: {}, nullable: false, expressions: true, options: [], language: 'json' }}
        label={words.panel.parameters}
        labelId=""
        describedBy=""
        required={false}
        invalid={false}
        value={value}
        standard={undefined}
        write={write}
      />
    </>
  );
}

const ROOT: readonly string[] = [];
