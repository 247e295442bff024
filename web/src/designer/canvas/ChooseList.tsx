import { type KeyboardEvent, type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react';
import classes from './ChooseList.module.css';

/** An entry of a list to choose from by typing. */
export interface Choice {
  readonly key: string;
  readonly group?: string;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly icon?: ReactNode;
  readonly aside?: ReactNode;
  readonly draggable?: { readonly type: string; readonly data: string };
}

interface Props {
  readonly label: string;
  readonly placeholder: string;
  readonly query: string;
  readonly onQuery: (query: string) => void;
  readonly choices: readonly Choice[];
  readonly nothing: string;
  readonly onChoose: (choice: Choice) => void;
  readonly onClose: () => void;
}

/** A field and what fits it: typed, walked with arrows, chosen with Enter. */
export function ChooseList({ label, placeholder, query, onQuery, choices, nothing, onChoose, onClose }: Props) {
  const id = useId();
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const current = Math.min(at, Math.max(0, choices.length - 1));
  useLayoutEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const chosen = choices[current];
    if (event.key === 'ArrowDown') setAt(Math.min(choices.length - 1, current + 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(0, current - 1));
    else if (event.key === 'PageDown') setAt(Math.min(choices.length - 1, current + 8));
    else if (event.key === 'PageUp') setAt(Math.max(0, current - 8));
    else if (event.key === 'Enter' && chosen) onChoose(chosen);
    else if (event.key === 'Escape') onClose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      <input
        className={classes.field}
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={choices.length ? `${id}-${current}` : undefined}
        aria-autocomplete="list"
        placeholder={placeholder}
        value={query}
        // biome-ignore lint/a11y/noAutofocus: it was opened to be typed in
        autoFocus
        onChange={(event) => {
          setAt(0);
          onQuery(event.currentTarget.value);
        }}
        onKeyDown={onKeyDown}
      />
      <div ref={list} id={`${id}-list`} className={classes.list} role="listbox" aria-label={label}>
        {choices.map((choice, index) => (
          <Entry
            key={choice.key}
            id={`${id}-${index}`}
            choice={choice}
            heading={choice.group !== choices[index - 1]?.group ? choice.group : undefined}
            chosen={index === current}
            onChoose={() => onChoose(choice)}
            onPoint={() => setAt(index)}
          />
        ))}
        {!choices.length && <p className={classes.nothing}>{nothing}</p>}
      </div>
    </>
  );
}

interface EntryProps {
  readonly id: string;
  readonly choice: Choice;
  readonly heading: string | undefined;
  readonly chosen: boolean;
  readonly onChoose: () => void;
  readonly onPoint: () => void;
}

function Entry({ id, choice, heading, chosen, onChoose, onPoint }: EntryProps) {
  const { draggable } = choice;
  return (
    <>
      {heading && (
        <div className={classes.heading} role="presentation">
          {heading}
        </div>
      )}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the field above it takes the keys */}
      <div
        id={id}
        className={classes.entry}
        role="option"
        tabIndex={-1}
        aria-selected={chosen}
        draggable={draggable !== undefined}
        onDragStart={(event) => {
          if (draggable) event.dataTransfer.setData(draggable.type, draggable.data);
        }}
        onPointerMove={() => !chosen && onPoint()}
        onClick={onChoose}
      >
        {choice.icon}
        <span className={classes.names}>
          <span className={classes.title}>{choice.title}</span>
          {choice.detail && <span className={classes.detail}>{choice.detail}</span>}
        </span>
        {choice.aside}
      </div>
    </>
  );
}
