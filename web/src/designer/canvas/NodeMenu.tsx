import { Menu } from '@mantine/core';
import { useState } from 'react';
import { ACTIONS, perform, usable } from '@/actions';
import { apply, select, useEditor } from '@/editor/store';
import { disconnect } from '@/graph/edges';
import { words } from '@/text/language';
import { Keys } from './CommandPalette';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';
import type { Hit } from './gestures';

interface Asked {
  readonly x: number;
  readonly y: number;
  readonly hit: Hit;
}

const OF_NODES = [
  'open',
  'enter',
  'run-to',
  'rename',
  'connect',
  'disable',
  'pin',
  'duplicate',
  'copy',
  'cut',
  'extract',
  'separate',
  'inline',
  'tidy',
  'frame',
  'delete',
];
const OF_PAPER = [
  'color-yellow',
  'color-blue',
  'color-green',
  'color-red',
  'color-none',
  'duplicate',
  'copy',
  'delete',
];
const OF_EMPTY = ['add', 'note', 'paste', 'select-all', 'tidy', 'fit', 'find', 'export-svg', 'export-png', 'commands'];

/** The menu of what is under the pointer, or of what is chosen where the keyboard asks. */
export default function NodeMenu({ scene, argument, onClose }: DialogProps) {
  const { editor, actions } = useCanvas();
  const selection = useEditor(editor, (state) => state.selection);
  const [asked] = useState(() => {
    const given = argument as Asked | undefined;
    if (given?.hit.kind === 'node' && !selection.nodes.has(given.hit.id)) select(editor, { nodes: [given.hit.id] });
    else if (given?.hit.kind === 'note' && !selection.notes.has(given.hit.id))
      select(editor, { notes: [given.hit.id] });
    else if (given?.hit.kind === 'frame' && !selection.frames.has(given.hit.id))
      select(editor, { frames: [given.hit.id] });
    else if (given?.hit.kind === 'wire' && !selection.edges.has(given.hit.id))
      select(editor, { edges: [given.hit.id] });
    return given;
  });
  const chosen = [...selection.nodes][0];
  const element = chosen
    ? document.querySelector(`[data-card="${CSS.escape(chosen)}"]`)?.getBoundingClientRect()
    : null;
  const x = asked?.x ?? element?.left ?? window.innerWidth / 2;
  const y = asked?.y ?? element?.bottom ?? window.innerHeight / 3;
  const kind = asked?.hit.kind ?? (chosen ? 'node' : 'empty');
  const wire = asked?.hit.kind === 'wire' ? scene.wires.get(asked.hit.id) : undefined;
  const ids = kind === 'node' ? OF_NODES : kind === 'note' || kind === 'frame' ? OF_PAPER : OF_EMPTY;
  const items = ACTIONS.filter((one) => ids.includes(one.id) && usable(one, actions)).sort(
    (one, other) => ids.indexOf(one.id) - ids.indexOf(other.id),
  );
  return (
    <Menu
      opened
      onClose={onClose}
      position="bottom-start"
      middlewares={{ flip: false, shift: { padding: 8, crossAxis: true } }}
      withinPortal
      shadow="md"
      trapFocus
    >
      <Menu.Target>
        <span style={{ position: 'fixed', left: x, top: y, width: 1, height: 1 }} />
      </Menu.Target>
      <Menu.Dropdown mah="calc(100dvh - 16px)" style={{ overflowY: 'auto' }}>
        {wire && !actions.readOnly ? (
          <>
            <Menu.Item onClick={() => actions.open('palette', { edge: wire.id })}>{words.canvas.insertHere}</Menu.Item>
            <Menu.Item
              onClick={() => apply(editor, words.canvas.removeEdge, disconnect(editor.getState().level, [wire.id]))}
            >
              {words.canvas.removeEdge}
            </Menu.Item>
          </>
        ) : (
          items.map((one) => (
            <Menu.Item
              key={one.id}
              rightSection={one.keys?.[0] && <Keys chord={one.keys[0]} />}
              onClick={() => void perform(one.id, actions)}
            >
              {one.title}
            </Menu.Item>
          ))
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
