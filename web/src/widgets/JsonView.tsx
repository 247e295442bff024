import { ActionIcon, Button, CopyButton, Text } from '@mantine/core';
import { IconCheck, IconChevronDown, IconChevronRight, IconCopy } from '@tabler/icons-react';
import { useState } from 'react';
import { fill, words } from '@/text/language';
import classes from './JsonView.module.css';

const PAGE = 100;
const LONG = 2000;

/** A JSON value that is opened bit by bit: however large it is, little of it is drawn. */
export function JsonView({ value, open = 2 }: { readonly value: unknown; readonly open?: number }) {
  return (
    <div className={classes.json}>
      <CopyButton value={JSON.stringify(value, null, 2) ?? ''}>
        {({ copied, copy }) => (
          <ActionIcon
            className={classes.copy}
            variant="subtle"
            color="gray"
            size="sm"
            aria-label={copied ? words.runs.step.copied : words.runs.step.copy}
            onClick={copy}
          >
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        )}
      </CopyButton>
      <Value name={null} value={value} open={open} />
    </div>
  );
}

function Value({
  name,
  value,
  open,
}: {
  readonly name: string | null;
  readonly value: unknown;
  readonly open: number;
}) {
  const [unfolded, setUnfolded] = useState(open > 0);
  const [shown, setShown] = useState(PAGE);
  const key = name !== null && <span className={classes.key}>{name}: </span>;
  if (value === null || typeof value !== 'object') {
    return (
      <div className={classes.line}>
        {key}
        <Leaf value={value} />
      </div>
    );
  }
  const list = Array.isArray(value);
  const size = list ? value.length : Object.keys(value).length;
  if (!size) {
    return (
      <div className={classes.line}>
        {key}
        {list ? '[]' : '{}'}
      </div>
    );
  }
  const entries: [string, unknown][] = unfolded
    ? list
      ? value.slice(0, shown).map((each, index) => [String(index), each])
      : Object.entries(value).slice(0, shown)
    : [];
  return (
    <div>
      <button type="button" className={classes.fold} aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
        {unfolded ? <IconChevronDown size={13} /> : <IconChevronRight size={13} />}
        {key}
        <span className={classes.size}>{list ? `[${size}]` : `{${size}}`}</span>
      </button>
      {unfolded && (
        <div className={classes.inner}>
          {entries.map(([inner, each]) => (
            <Value key={inner} name={inner} value={each} open={open - 1} />
          ))}
          {size > shown && (
            <Button size="compact-xs" variant="subtle" onClick={() => setShown(shown + PAGE)}>
              {fill(words.runs.step.more, { left: size - shown })}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

function Leaf({ value }: { readonly value: unknown }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== 'string') return <span className={classes.plain}>{String(value)}</span>;
  const cut = value.length > LONG && !whole;
  return (
    <span className={classes.string}>
      {cut ? value.slice(0, LONG) : value === '' ? '""' : value}
      {cut && (
        <Text component="button" type="button" className={classes.more} onClick={() => setWhole(true)}>
          {fill(words.runs.step.more, { left: (value.length - LONG).toLocaleString() })}
        </Text>
      )}
    </span>
  );
}
