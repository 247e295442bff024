import { Autocomplete, TextInput } from '@mantine/core';
import { words } from '@/text/language';
import { hintOf } from './hint';
import type { FieldView } from './ParameterField';
import { useTyped } from './useParameter';

const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;
const SIZE = /^\s*(\d*\.?\d+)\s*(\w+)?\s*$/;
const CRON = /^\s*(@\w+|\S+(\s+\S+){4,5})\s*$/;
const CRONS: readonly { value: string; label: string }[] = [
  { value: '*/15 * * * *', label: '*/15 * * * *  (every 15 minutes)' },
  { value: '0 * * * *', label: '0 * * * *  (every hour)' },
  { value: '0 9 * * *', label: '0 9 * * *  (every day at 9:00)' },
  { value: '0 9 * * 1-5', label: '0 9 * * 1-5  (Monday to Friday at 9:00)' },
  { value: '0 9 * * 1', label: '0 9 * * 1  (every Monday at 9:00)' },
  { value: '0 0 1 * *', label: '0 0 1 * *  (on the 1st of each month)' },
];

/** `60s`, `1h30m`; where the schema takes numbers, they are seconds. */
export function DurationControl(view: FieldView) {
  const numbers = view.field.schema.anyOf !== undefined;
  return (
    <Checked
      view={view}
      hint={words.panel.duration}
      fits={(text) => DURATION.test(text) || (numbers && text.trim() !== '' && Number.isFinite(Number(text)))}
      read={(text) => (numbers && Number.isFinite(Number(text)) ? Number(text) : text.trim())}
    />
  );
}

/** Bytes, or a number with a unit. */
export function SizeControl(view: FieldView) {
  return (
    <Checked
      view={view}
      hint={words.panel.size}
      fits={(text) => SIZE.test(text)}
      read={(text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : text.trim())}
    />
  );
}

/** When a schedule fires. */
export function CronControl(view: FieldView) {
  const { value, write } = view;
  const typed = useTyped(typeof value === 'string' ? value : '', (text, merge) =>
    write(text.trim() === '' ? undefined : text, merge),
  );
  const bad = typed.text.trim() !== '' && !CRON.test(typed.text);
  return (
    <Autocomplete
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      data={CRONS.map((one) => one.value)}
      renderOption={({ option }) => CRONS.find((one) => one.value === option.value)?.label ?? option.value}
      filter={({ options }) => options}
      value={typed.text}
      placeholder={words.panel.cron}
      error={bad ? words.panel.cron : view.invalid}
      onChange={typed.type}
      onBlur={typed.leave}
    />
  );
}

const ZONES: readonly string[] = ['UTC', ...Intl.supportedValuesOf('timeZone')];

/** A name of the time zone database. */
export function TimeZoneControl(view: FieldView) {
  const typed = useTyped(typeof view.value === 'string' ? view.value : '', (text, merge) =>
    view.write(text.trim() === '' ? undefined : text, merge),
  );
  return (
    <Autocomplete
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      data={[...ZONES]}
      limit={50}
      value={typed.text}
      placeholder="UTC"
      error={view.invalid}
      onChange={typed.type}
      onBlur={typed.leave}
    />
  );
}

function Checked(props: {
  readonly view: FieldView;
  readonly hint: string;
  readonly fits: (text: string) => boolean;
  readonly read: (text: string) => string | number;
}) {
  const { view, hint, fits, read } = props;
  const { value, write } = view;
  const shown = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  const typed = useTyped(shown, (text, merge) => write(text.trim() === '' ? undefined : read(text), merge));
  const bad = typed.text.trim() !== '' && !fits(typed.text);
  return (
    <TextInput
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      value={typed.text}
      placeholder={hintOf(view) || hint}
      error={bad ? hint : view.invalid}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onBlur={typed.leave}
    />
  );
}
