import { SegmentedControl, Text } from '@mantine/core';
import { useCallback, useMemo, useState } from 'react';
import { fill, words } from '@/text/language';
import { type Choice, ChooseList } from '@/widgets/ChooseList';
import { connectNodes } from './add';
import classes from './CommandPalette.module.css';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';
import { outputFor } from './ports';
import { ranked } from './search';

/** Connect a node with another without a mouse: choose the target, and the ports where there are several. */
export default function ConnectDialog({ scene, argument, onClose }: DialogProps) {
  const { actions } = useCanvas();
  const [query, setQuery] = useState('');
  const card = typeof argument === 'string' ? scene.cards.get(argument) : undefined;
  const [port, setPort] = useState(() => (card && outputFor(scene, card)) ?? '');
  const all = useMemo((): readonly Choice[] => {
    if (!card) return [];
    const targets = [...scene.cards.values()].filter((one) => one !== card && (one.inputs.length > 0 || one.open));
    // What is nearest to the right is what one mostly means.
    const distance = (one: typeof card) =>
      Math.hypot(one.box.left - card.box.right, one.box.top - card.box.top) + (one.box.left < card.box.left ? 2000 : 0);
    targets.sort((one, other) => distance(one) - distance(other));
    return targets.flatMap((one): Choice[] => {
      const entry = (into: string | null): Choice => ({
        key: JSON.stringify([one.id, into]),
        title: into && one.inputs.length > 1 ? `${one.title} · ${into}` : one.title,
        detail: one.subtitle,
      });
      return one.inputs.length > 1 && !one.open ? one.inputs.map(entry) : [entry(null)];
    });
  }, [card, scene]);
  const find = useCallback(
    (text: string) => ranked(all, text, (one) => [one.title, one.detail ?? '']).slice(0, 50),
    [all],
  );
  if (!card) return null;
  return (
    <div className={classes.shade} onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <div
        className={classes.dialog}
        role="dialog"
        aria-modal="true"
        aria-label={fill(words.canvas.connectTo, { name: card.title })}
      >
        <Text fw={600} mb={8}>
          {fill(words.canvas.connectTo, { name: card.title })}
        </Text>
        {card.outputs.length > 1 && (
          <SegmentedControl
            mb={8}
            size="xs"
            aria-label={words.canvas.fromPort}
            value={port}
            onChange={setPort}
            data={[...card.outputs]}
          />
        )}
        <ChooseList
          label={fill(words.canvas.connectTo, { name: card.title })}
          placeholder={words.canvas.search}
          query={query}
          onQuery={setQuery}
          find={find}
          nothing={words.canvas.noNodes}
          onClose={onClose}
          onChoose={({ key }) => {
            const [node, into] = JSON.parse(key) as [string, string | null];
            onClose();
            connectNodes(actions, { node: card.id, port: port || null }, { node, port: into });
          }}
        />
      </div>
    </div>
  );
}
