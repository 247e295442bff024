// A form from a JSON Schema: what a graph takes, or what somebody is asked for.

import { h } from './dom.js';

let last = 0;

/** The form's element, `read()` for its values (throws where one does not parse) and `problem(field, text)`. */
export function schemaForm(schema, onChange = () => {}) {
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    makeField(name, field, (schema.required ?? []).includes(name), onChange));
  const element = h('div', { class: 'fields' }, fields.map((field) => field.element));
  return {
    element,
    read() {
      const values = {};
      for (const field of fields) {
        field.problem('');
        const value = field.read();
        if (value !== undefined) values[field.name] = value;
      }
      return values;
    },
    problem(name, text) {
      fields.find((field) => field.name === name)?.problem(text);
    },
    /** Inputs whose value is not the one that the graph's author vouches for, with what they make the machine do. */
    consents() {
      return fields.filter((field) => field.schema.consent && field.differs()).map((field) => field.schema.consent);
    },
  };
}

function makeField(name, schema, required, onChange) {
  const id = `field-${(last += 1)}`;
  const types = [].concat(schema.type ?? []);
  const kind = schema.enum ? 'enum' : types[0] ?? 'any';
  const described = schema.description ? `${id}-about` : undefined;
  const shared = { id, name, 'aria-describedby': described, oninput: onChange, onchange: onChange };
  const fallback = schema.default;
  let control;
  if (kind === 'boolean') {
    control = h('input', { ...shared, type: 'checkbox', checked: fallback === true });
  } else if (kind === 'enum') {
    control = h('select', shared,
      schema.enum.map((value, index) => h('option', { value: String(index), selected: value === fallback }, String(value))));
  } else if (kind === 'number' || kind === 'integer') {
    control = h('input', { ...shared, type: 'number', step: kind === 'integer' ? '1' : 'any', required, value: fallback ?? '' });
  } else if (kind === 'string') {
    const long = schema.format === 'textarea' || String(fallback ?? '').includes('\n');
    control = long
      ? h('textarea', { ...shared, rows: '4', required, value: fallback ?? '' })
      : h('input', { ...shared, type: 'text', spellcheck: 'false', value: fallback ?? '' });
  } else {
    const text = fallback === undefined ? '' : JSON.stringify(fallback, null, 2);
    control = h('textarea', { ...shared, rows: '3', class: 'code', placeholder: 'JSON', spellcheck: 'false', value: text });
  }
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const label = h('label', { for: id }, schema.title ?? name);
  const about = h('p', { class: 'about', id: described }, schema.description ?? '');
  const read = () => {
    if (kind === 'boolean') return control.checked;
    if (kind === 'enum') return schema.enum[Number(control.value)];
    const text = control.value;
    if (kind === 'string') return text;
    if (text.trim() === '') return undefined;
    if (kind === 'number' || kind === 'integer') return Number(text);
    try {
      return JSON.parse(text);
    } catch (error) {
      wrong.textContent = `This is no JSON: ${error.message}`;
      control.focus();
      throw error;
    }
  };
  return {
    name,
    schema,
    read,
    problem(text) {
      wrong.textContent = text;
      control.toggleAttribute('aria-invalid', Boolean(text));
    },
    differs() {
      try {
        return JSON.stringify(read()) !== JSON.stringify(fallback);
      } catch {
        return true;
      }
    },
    element: kind === 'boolean'
      ? h('div', { class: 'field check' }, control, h('div', {}, label, about, wrong))
      : h('div', { class: 'field' }, label, about, control, wrong),
  };
}
