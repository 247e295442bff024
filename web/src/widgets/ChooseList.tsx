import {
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useEffectEvent,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
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
  /** What fits a text, the best first. */
  readonly find: (query: string) => readonly Choice[];
  /** What is to be searched is there; Enter before that waits for it. */
  readonly ready?: boolean;
  readonly nothing: string;
  readonly onChoose: (choice: Choice) => void;
  readonly onClose: () => void;
  /** Keys that the list has no use for. */
  readonly onKey?: (event: KeyboardEvent<HTMLInputElement>, marked: Choice | undefined) => void;
}

/** A field and what fits it: typed, walked with arrows, chosen with Enter. */
export function ChooseList(props: Props) {
  const { label, placeholder, query, onQuery, find, ready = true, nothing, onChoose, onClose, onKey } = props;
  const id = useId();
  const [at, setAt] = useState(0);
  const [waiting, setWaiting] = useState<string | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const choices = useMemo(() => find(query), [find, query]);
  const current = Math.min(at, Math.max(0, choices.length - 1));
  useLayoutEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  });
  const chooseFirst = useEffectEvent((text: string) => {
    setWaiting(null);
    const first = find(text)[0];
    if (first) onChoose(first);
  });
  useEffect(() => {
    if (ready && waiting !== null) chooseFirst(waiting);
  }, [ready, waiting]);
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    // The Enter that ends the writing of a word in Japanese or Chinese chooses nothing.
    if (event.nativeEvent.isComposing) return;
    const text = event.currentTarget.value;
    // What is chosen fits the text that stands in the field now, also where the list is drawn a moment later.
    const drawn = text === query;
    const chosen = drawn ? choices[current] : find(text)[0];
    const enters = event.key === 'Enter' && !event.ctrlKey && !event.metaKey;
    if (event.key === 'ArrowDown') setAt(Math.min(choices.length - 1, current + 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(0, current - 1));
    else if (event.key === 'PageDown') setAt(Math.min(choices.length - 1, current + 8));
    else if (event.key === 'PageUp') setAt(Math.max(0, current - 8));
    else if (enters && !ready) setWaiting(text);
    else if (enters && chosen) onChoose(chosen);
    else if (event.key === 'Escape') onClose();
    else {
      onKey?.(event, chosen);
      return;
    }
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
        // Where it is in a dialog, that asks for its first field in this way.
        data-autofocus
        onChange={(event) => {
          setAt(0);
          setWaiting(null);
          onQuery(event.currentTarget.value);
        }}
        onKeyDown={onKeyDown}
      />
      <div ref={list} id={`${id}-list`} className={classes.list} role="listbox" aria-label={label} aria-busy={!ready}>
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
        {ready && !choices.length && <p className={classes.nothing}>{nothing}</p>}
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
        // A list that changes under a pointer at rest is not pointed at.
        onPointerMove={(event) => !chosen && (event.movementX || event.movementY) && onPoint()}
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
