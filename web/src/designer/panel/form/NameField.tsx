import { TextInput } from '@mantine/core';
import { useState } from 'react';

/** A name that is changed when the field is left: names on the way to it would meet others. */
export function NameField(props: {
  readonly name: string;
  readonly label: string;
  readonly taken: (name: string) => boolean;
  readonly onRename: (name: string) => void;
}) {
  const { name, label, taken, onRename } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const text = draft ?? name;
  const leave = () => {
    if (draft !== null && draft !== name && draft !== '' && !taken(draft)) onRename(draft);
    setDraft(null);
  };
  return (
    <TextInput
      aria-label={label}
      value={text}
      error={text === '' || (text !== name && taken(text))}
      onChange={(event) => setDraft(event.currentTarget.value)}
      onBlur={leave}
      onKeyDown={(event) => {
        if (event.key === 'Enter') leave();
      }}
    />
  );
}
