import { Text } from '@mantine/core';
import { useState } from 'react';
import { toldRefusal } from '@/actions/extract';
import { separatedNow } from '@/actions/separate';
import { useCreateGraph, useGraphs } from '@/api/graphs';
import { apply, graphOf, select } from '@/editor/store';
import { isRefusal } from '@/graph/cut';
import { same } from '@/graph/difference';
import { labelOf } from '@/graph/model';
import { nodesAt } from '@/graph/read';
import { fill, words } from '@/text/language';
import { NewGraphDialog } from '@/widgets/NewGraphDialog';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';

/** Asks what the graph is called that the selection becomes, writes its file, and puts the call in its place. */
export default function SeparateDialog({ onClose }: DialogProps) {
  const { editor, actions } = useCanvas();
  const { data: graphs } = useGraphs();
  const create = useCreateGraph();
  const [begun] = useState(() => {
    const { level, selection } = editor.getState();
    const labels = nodesAt(graphOf(editor), level).flatMap((node) =>
      selection.nodes.has(node.id) ? labelOf(node) : [],
    );
    const found = separatedNow(actions, 'graph', words.canvas.extractedName);
    const values = isRefusal(found) ? {} : found.called.inputs;
    return { labels, takes: Object.keys(values ?? {}) };
  });
  const { labels, takes } = begun;
  const count = labels.length;
  const [first = '', last = first] = [labels[0], labels.at(-1)];
  // The names of what is there already are wanted before one is proposed.
  if (!graphs) return null;

  const onCreate = (id: string, wanted: string) => {
    const name = wanted || id;
    const made = separatedNow(actions, id, name);
    if (isRefusal(made)) {
      actions.say(toldRefusal(made));
      onClose();
      return;
    }
    create.mutate(
      { spec: made.called },
      {
        onSuccess: () => {
          // What others have written into the file meanwhile may be in it now.
          const now = separatedNow(actions, id, name);
          if (isRefusal(now) || !same(now.called, made.called)) {
            actions.say(fill(words.canvas.said.changedMeanwhile, { name }));
          } else {
            apply(editor, words.actions.separate, () => now.graph);
            select(editor, { nodes: [now.node] });
            const said = count === 1 ? words.canvas.said.oneSeparated : words.canvas.said.separated;
            actions.say(fill(said, { count, name, call: name }));
          }
          onClose();
        },
      },
    );
  };
  return (
    <NewGraphDialog
      title={words.canvas.separateTitle}
      action={words.canvas.separateCreate}
      name={count === 1 ? first : fill(words.canvas.separateName, { first, last })}
      taken={new Set(graphs.map((graph) => graph.id))}
      error={create.error}
      busy={create.isPending}
      onCreate={onCreate}
      onClose={onClose}
    >
      <Text size="sm" c="dimmed">
        {fill(count === 1 ? words.canvas.oneSeparateHint : words.canvas.separateHint, { count })}
        {takes.length > 0 && ` ${fill(words.canvas.separateTakes, { names: takes.join(', ') })}`}
      </Text>
    </NewGraphDialog>
  );
}
