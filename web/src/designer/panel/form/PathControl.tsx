import { PathInput } from '@/widgets/PathInput';
import { emptied, hintOf } from './hint';
import type { FieldView } from './ParameterField';
import { useTyped } from './useParameter';

/** A file or a folder of the machine that runs are executed on. */
export function PathControl(view: FieldView) {
  const { value, write, required, field } = view;
  const typed = useTyped(typeof value === 'string' ? value : '', (text, merge) =>
    write(text === '' && !required && view.standard !== undefined ? emptied(view) : text, merge),
  );
  return (
    <PathInput
      label={view.label}
      labelId={view.labelId}
      describedBy={view.describedBy}
      value={typed.text}
      placeholder={hintOf(view)}
      invalid={view.invalid}
      foldersOnly={field.schema.format === 'directory-path'}
      onChange={typed.type}
      onBlur={typed.leave}
      onChoose={(path) => {
        typed.type(path);
        typed.leave();
      }}
    />
  );
}
