/** What an empty field shows. */

import { sizeText } from '../data/Files';
import { brief } from '../data/shape';
import type { FieldView } from './ParameterField';

/** What stands in an empty field: what holds then, else an example. */
export function hintOf(view: FieldView): string {
  const { standard, field, props } = view;
  if (field.kind === 'size' && typeof standard === 'number') return sizeText(standard);
  if (standard !== undefined && standard !== null && standard !== '') return brief(standard, 60);
  const examples = (props.schema as { examples?: unknown }).examples ?? field.schema.examples;
  const example = Array.isArray(examples) ? examples[0] : undefined;
  return typeof example === 'string' ? example : '';
}
