/** What an empty field shows. */

import type { Json } from '@/graph/model';
import { sizeText } from '@/widgets/sizes';
import { brief } from '../data/shape';
import type { FieldView } from './ParameterField';

/** What stands in an empty field: what holds then, else an example. */
export function hintOf(view: FieldView): string {
  const { standard, field, props } = view;
  if (field.kind === 'size' && typeof standard === 'number') return sizeText(standard);
  if (standard !== undefined && standard !== null && standard !== '') return brief(standard, 60);
  const given = props?.schema as { examples?: unknown } | undefined;
  const examples = given?.examples ?? field.schema.examples;
  const example = Array.isArray(examples) ? examples[0] : undefined;
  return typeof example === 'string' ? example : '';
}

/** What an emptied field says: null or nothing where that is its default, else an empty text. */
export function emptied(view: FieldView): Json | undefined {
  return view.standard === '' || view.standard === null || view.field.nullable ? undefined : '';
}
