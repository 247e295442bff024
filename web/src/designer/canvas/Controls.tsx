import { ActionIcon } from '@mantine/core';
import {
  IconBinaryTree,
  IconCommand,
  IconFocusCentered,
  IconKeyboard,
  IconList,
  IconMinus,
  IconNote,
  IconPlus,
  IconSearch,
  IconZoomIn,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ACTIONS, perform } from '@/actions';
import { shownKeys } from '@/actions/keys';
import { words } from '@/text/language';
import classes from './Controls.module.css';
import { useCanvas } from './context';

/** The buttons that float on the canvas: each is an action. */
export function Controls() {
  const { actions, readOnly } = useCanvas();
  const button = (id: string, label: string, icon: ReactNode, prominent = false) => {
    const keys = ACTIONS.find((one) => one.id === id)?.keys?.[0];
    return (
      <ActionIcon
        key={id}
        size={prominent ? 'lg' : 'md'}
        variant={prominent ? 'filled' : 'default'}
        aria-label={label}
        title={keys ? `${label} (${shownKeys(keys).join(' ')})` : label}
        onClick={() => void perform(id, actions)}
      >
        {icon}
      </ActionIcon>
    );
  };
  return (
    <>
      <div className={classes.view} data-overlay role="toolbar" aria-label={words.canvas.label.split(' ')[0]}>
        {button('fit', words.canvas.fit, <IconFocusCentered size={16} />)}
        {button('zoom-in', words.canvas.zoomIn, <IconZoomIn size={16} />)}
        {button('zoom-out', words.canvas.zoomOut, <IconMinus size={16} />)}
        {!readOnly && button('tidy', words.canvas.tidy, <IconBinaryTree size={16} />)}
        {button('outline', words.canvas.outline, <IconList size={16} />)}
        {button('shortcuts', words.canvas.shortcuts, <IconKeyboard size={16} />)}
      </div>
      <div className={classes.add} data-overlay>
        {!readOnly && button('add', words.canvas.addNode, <IconPlus size={20} />, true)}
        {button('find', words.canvas.find, <IconSearch size={16} />)}
        {!readOnly && button('note', words.canvas.addNote, <IconNote size={16} />)}
        {button('commands', words.canvas.commands, <IconCommand size={16} />)}
      </div>
    </>
  );
}
