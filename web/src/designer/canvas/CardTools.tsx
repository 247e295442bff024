import { ActionIcon } from '@mantine/core';
import { IconArrowDownRight, IconDots, IconPlayerPlay, IconPower, IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { perform } from '@/actions';
import { select } from '@/editor/store';
import { words } from '@/text/language';
import classes from './CardTools.module.css';
import { useCanvas } from './context';
import type { Card } from './scene';

/** What floats above a node under the pointer; each of them is an action with a key too. */
export function CardTools({ card, readOnly }: { readonly card: Card; readonly readOnly: boolean }) {
  const { editor, actions } = useCanvas();
  const calls = card.kind === 'map' || card.kind === 'call';
  const tool = (id: string, label: string, icon: ReactNode) => (
    <ActionIcon
      key={id}
      size="sm"
      variant="subtle"
      color="gray"
      aria-label={`${label}: ${card.title}`}
      title={label}
      tabIndex={-1}
      onClick={(event) => {
        event.stopPropagation();
        if (!editor.getState().selection.nodes.has(card.id) || id === 'enter') select(editor, { nodes: [card.id] });
        void perform(id, actions);
      }}
    >
      {icon}
    </ActionIcon>
  );
  if (readOnly && !calls) return null;
  return (
    <div className={`${classes.tools} nodrag nopan`} data-tools>
      {!readOnly && tool('run-to', words.canvas.run, <IconPlayerPlay size={14} />)}
      {calls &&
        tool(
          'enter',
          card.kind === 'map' ? words.canvas.openInside : words.canvas.openGraph,
          <IconArrowDownRight size={14} />,
        )}
      {!readOnly &&
        tool('disable', card.node.disabled ? words.canvas.enable : words.canvas.disable, <IconPower size={14} />)}
      {!readOnly && tool('delete', words.canvas.remove, <IconTrash size={14} />)}
      {!readOnly && tool('menu', words.canvas.more, <IconDots size={14} />)}
    </div>
  );
}
