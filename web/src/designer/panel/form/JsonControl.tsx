import { Text } from '@mantine/core';
import { useState } from 'react';
import type { Json } from '@/graph/model';
import { fill, words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { useLanguage } from '@/widgets/languages';
import type { FieldView } from './ParameterField';
import { same, useTyped } from './useParameter';

/** Any JSON; what is none yet stays in the field, and is not written. */
export function JsonControl(view: FieldView) {
  const language = useLanguage('json');
  const [wrong, setWrong] = useState('');
  const shown = view.value ?? (view.standard === null ? undefined : view.standard);
  const typed = useTyped(shown === undefined ? '' : JSON.stringify(shown, null, 2), (text, merge) => {
    const read = readJson(text);
    setWrong(read.error);
    if (!read.error && !same(read.value, view.value)) view.write(read.value, merge);
  });
  return (
    <>
      <CodeInput
        value={typed.text}
        onChange={typed.type}
        onBlur={() => {
          // What is not JSON stays to be mended.
          if (!readJson(typed.text).error) typed.leave();
        }}
        label={view.label}
        describedBy={view.describedBy}
        extensions={language}
        invalid={view.invalid || wrong !== ''}
        minLines={2}
      />
      {wrong && (
        <Text size="xs" c="var(--mantine-color-error)" role="status">
          {fill(words.panel.badJson, { message: wrong })}
        </Text>
      )}
    </>
  );
}

/** JSON as it was typed; nothing is nothing. */
export function readJson(text: string): { value: Json | undefined; error: string } {
  if (text.trim() === '') return { value: undefined, error: '' };
  try {
    return { value: JSON.parse(text) as Json, error: '' };
  } catch (error) {
    return { value: undefined, error: error instanceof Error ? error.message : String(error) };
  }
}
