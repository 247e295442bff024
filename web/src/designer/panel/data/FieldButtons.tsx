import { ActionIcon, Tooltip } from '@mantine/core';
import { IconCopy, IconRoute, IconSquareRoundedArrowRight } from '@tabler/icons-react';
import type { Json } from '@/graph/model';
import { fill, words } from '@/text/language';
import { accessor } from '../expression/templates';
import { useLooking } from './context';
import classes from './data.module.css';

/** What can be done with a field of the data. */
export interface FieldDoings {
  readonly use: (path: readonly (string | number)[]) => void;
  readonly copyPath: (path: readonly (string | number)[]) => void;
  readonly copyValue: (value: Json) => void;
  readonly code: (path: readonly (string | number)[]) => string;
  /** Whether it can be used in this node's parameters. */
  readonly usable: boolean;
}

/** The doings for data whose items are read by that code, `$json` or `$('Fetch').item.json`. */
export function useFieldDoings(item: string, usable: boolean): FieldDoings {
  const { target, say } = useLooking();
  const code = (path: readonly (string | number)[]) => `${item}${accessor(path)}`;
  const copy = (text: string) => {
    void navigator.clipboard?.writeText(text).then(() => say(words.panel.copied));
  };
  return {
    code,
    usable,
    copyPath: (path) => copy(code(path)),
    copyValue: (value) => copy(typeof value === 'string' ? value : JSON.stringify(value, null, 2)),
    use: (path) => {
      const to = target.current;
      if (!to) return say(words.panel.chooseParameter);
      to.insert(code(path));
      say(fill(words.panel.inserted, { path: code(path), field: to.label }));
    },
  };
}

/** Buttons on a field; they show when it is pointed at. By keyboard: Enter, C and Shift+C on its row. */
export function FieldButtons(props: {
  readonly doings: FieldDoings;
  readonly path: readonly (string | number)[];
  readonly value: Json;
}) {
  const { doings, path, value } = props;
  const name = doings.code(path);
  const shared = { size: 'xs', variant: 'subtle', color: 'gray', tabIndex: -1 } as const;
  return (
    <span className={classes.buttons}>
      {doings.usable && (
        <Tooltip label={fill(words.panel.use, { path: name })}>
          <ActionIcon
            {...shared}
            color="blue"
            aria-label={fill(words.panel.use, { path: name })}
            onClick={() => doings.use(path)}
          >
            <IconSquareRoundedArrowRight size={13} />
          </ActionIcon>
        </Tooltip>
      )}
      <Tooltip label={fill(words.panel.copyPath, { path: name })}>
        <ActionIcon
          {...shared}
          aria-label={fill(words.panel.copyPath, { path: name })}
          onClick={() => doings.copyPath(path)}
        >
          <IconRoute size={13} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={words.panel.copyValue}>
        <ActionIcon {...shared} aria-label={words.panel.copyValue} onClick={() => doings.copyValue(value)}>
          <IconCopy size={13} />
        </ActionIcon>
      </Tooltip>
    </span>
  );
}
