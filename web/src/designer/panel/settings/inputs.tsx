import { Select, TextInput } from '@mantine/core';
import type { Json } from '@/graph/model';
import { words } from '@/text/language';
import { useTyped } from '../form/useParameter';
import { Problems, useProblems } from '../Problems';

const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;

/** One of a few values; the engine's default is what stands when nothing does. */
export function Choice(props: {
  readonly label: string;
  readonly field: string;
  readonly options: Readonly<Record<string, string>>;
  readonly standard: string;
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
}) {
  const problems = useProblems(props.field, true);
  return (
    <div>
      <Select
        label={props.label}
        data={Object.entries(props.options).map(([value, label]) => ({ value, label }))}
        value={props.value ?? props.standard}
        allowDeselect={false}
        error={problems.length > 0}
        onChange={(value) => props.onChange(value === props.standard || value === null ? undefined : value)}
      />
      <Problems problems={problems} />
    </div>
  );
}

/** A field that is typed. */
interface Setting {
  readonly label: string;
  readonly field: string;
  readonly value: Json | undefined;
  readonly standard?: Json | undefined;
  readonly onChange: (value: Json | undefined, merge: string | null) => void;
}

/** A length of time, `30s`. */
export function DurationSetting(props: Setting) {
  return (
    <TextSetting
      {...props}
      read={(text) => (text.trim() === '' ? undefined : text.trim())}
      fits={(text) => DURATION.test(text.trim())}
      hint={words.panel.duration}
    />
  );
}

/** A whole number from 1, or from `least`. */
export function NumberSetting(props: Setting & { readonly most: number; readonly least?: number }) {
  const least = props.least ?? 1;
  return (
    <TextSetting
      {...props}
      read={(text) => (text.trim() === '' || Number(text) === props.standard ? undefined : Number(text))}
      fits={(text) => /^-?\d+$/.test(text.trim()) && Number(text) >= least && Number(text) <= props.most}
      hint={`${least}–${props.most}`}
    />
  );
}

/** A text that is written when it fits. */
export function TextSetting(
  props: Setting & {
    readonly read: (text: string) => Json | undefined;
    readonly fits: (text: string) => boolean;
    readonly hint: string;
  },
) {
  const problems = useProblems(props.field, true);
  const fits = (text: string) => text.trim() === '' || props.fits(text);
  const typed = useTyped(props.value === undefined ? '' : String(props.value), (text, merge) => {
    if (fits(text)) props.onChange(props.read(text), merge);
  });
  return (
    <div>
      <TextInput
        label={props.label}
        value={typed.text}
        placeholder={props.standard === undefined ? '' : String(props.standard)}
        error={fits(typed.text) ? problems.length > 0 : props.hint}
        onChange={(event) => typed.type(event.currentTarget.value)}
        onBlur={typed.leave}
      />
      <Problems problems={problems} />
    </div>
  );
}
