/** What a graph was started with last in this browser, so that nobody types it twice. */

import { consentsOf, draftOf, type FormSchema, readDraft, rememberable } from '../form/fields';

const KEY = 'pyagent.inputs.';

export type Inputs = { readonly [name: string]: unknown };

/** Keep the inputs of a run that was started; secrets are left out. */
export function rememberInputs(graph: string, schema: FormSchema, inputs: Inputs): void {
  try {
    localStorage.setItem(KEY + graph, JSON.stringify(rememberable(schema, inputs)));
  } catch {
    // A browser that keeps nothing asks anew.
  }
}

/** The inputs of the last run; null where there was none. */
export function lastInputs(graph: string, schema: FormSchema): Inputs | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY + graph) ?? 'null');
    return found && typeof found === 'object' ? rememberable(schema, found as Inputs) : null;
  } catch {
    return null;
  }
}

/** The inputs with which a graph can be started without asking; null where somebody has to be asked. */
export function inputsWithoutAsking(graph: string, schema: FormSchema): Inputs | null {
  if (!Object.keys(schema.properties ?? {}).length) return {};
  const last = lastInputs(graph, schema);
  if (!last) return null;
  const draft = draftOf(schema, last);
  const read = readDraft(schema, draft);
  return read.ok && !consentsOf(schema, draft).length ? read.values : null;
}
