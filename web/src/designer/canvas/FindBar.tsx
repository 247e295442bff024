import { ActionIcon, CloseButton, Text } from '@mantine/core';
import { IconChevronDown, IconChevronUp } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { select, useEditor } from '@/editor/store';
import { placesOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';
import classes from './FindBar.module.css';
import { findIn } from './find';

/** Find in the graph: each step shows the node where the text is. */
export default function FindBar({ onClose }: DialogProps) {
  const { editor, actions } = useCanvas();
  const graph = useEditor(editor, (state) => state.history.graph);
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(-1);
  const found = useMemo(() => findIn(graph, query), [graph, query]);
  const show = (index: number, among = found) => {
    const wrapped = (index + among.length) % Math.max(1, among.length);
    const hit = among[wrapped];
    if (!hit) return;
    setAt(wrapped);
    const level = hit.kind === 'node' ? (placesOf(graph).get(hit.id)?.level ?? null) : null;
    if (level !== editor.getState().level) editor.setState({ level });
    if (hit.kind === 'node') {
      select(editor, { nodes: [hit.id] });
      requestAnimationFrame(() => actions.view.reveal(hit.id));
    } else {
      select(editor, hit.kind === 'note' ? { notes: [hit.id] } : { frames: [hit.id] });
    }
  };
  const current = found[at];
  const told = !query.trim()
    ? ''
    : found.length
      ? at < 0
        ? String(found.length)
        : fill(words.canvas.found, { at: at + 1, count: found.length })
      : words.canvas.notFound;
  return (
    <div className={classes.bar} role="dialog" aria-label={words.canvas.find}>
      <div className={classes.line}>
        <input
          className={classes.field}
          type="search"
          aria-label={words.canvas.find}
          placeholder={words.canvas.findPlaceholder}
          value={query}
          // biome-ignore lint/a11y/noAutofocus: it was opened to be typed in
          autoFocus
          onChange={(event) => {
            const wanted = event.currentTarget.value;
            setQuery(wanted);
            setAt(-1);
            // The first is shown while one types, as browsers do.
            if (wanted.trim()) show(0, findIn(graph, wanted));
          }}
          onKeyDown={(event) => {
            const wanted = event.currentTarget.value;
            if (event.nativeEvent.isComposing) return;
            // What is found fits the text that stands in the field now, drawn or not.
            if (event.key === 'Enter' && wanted !== query) show(0, findIn(graph, wanted));
            else if (event.key === 'Enter') show(at + (event.shiftKey ? -1 : 1));
            else if (event.key === 'Escape') onClose();
            else return;
            event.preventDefault();
            event.stopPropagation();
          }}
        />
        <Text size="xs" c="dimmed" className={classes.count} role="status">
          {told}
        </Text>
        <ActionIcon variant="subtle" color="gray" aria-label={words.canvas.previous} onClick={() => show(at - 1)}>
          <IconChevronUp size={16} />
        </ActionIcon>
        <ActionIcon variant="subtle" color="gray" aria-label={words.canvas.next} onClick={() => show(at + 1)}>
          <IconChevronDown size={16} />
        </ActionIcon>
        <CloseButton aria-label={words.canvas.close} onClick={onClose} />
      </div>
      {current && (
        <Text size="xs" c="dimmed" truncate>
          {current.id} · {current.where}: {current.text}
        </Text>
      )}
    </div>
  );
}
