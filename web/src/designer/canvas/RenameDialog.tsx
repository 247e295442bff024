import { Button, Collapse, Group, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';
import { apply, graphOf, select } from '@/editor/store';
import { nodeOf } from '@/graph/read';
import { idProblem, renameId, renameNode } from '@/graph/rename';
import { fill, words } from '@/text/language';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';

/** Rename a node: its name, which nothing depends on, and, if wanted, its id, which follows everywhere. */
export default function RenameDialog({ argument, onClose }: DialogProps) {
  const { editor, actions } = useCanvas();
  const id = String(argument ?? '');
  const node = nodeOf(graphOf(editor), id);
  const [name, setName] = useState(node?.name ?? '');
  const [wanted, setWanted] = useState(id);
  const [more, setMore] = useState(false);
  if (!node) return null;
  const problem = idProblem(graphOf(editor), id, wanted);
  const save = () => {
    if (problem) return;
    apply(editor, words.actions.rename, (graph) => renameId(id, wanted)(renameNode(id, name)(graph)));
    if (wanted !== id) select(editor, { nodes: [wanted] });
    actions.say(fill(words.canvas.said.renamed, { name: name.trim() || wanted }));
    onClose();
  };
  return (
    <Modal opened onClose={onClose} title={fill(words.canvas.renameTitle, { name: node.name || node.id })} size="sm">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <TextInput
          label={words.canvas.name}
          value={name}
          placeholder={node.id}
          data-autofocus
          onFocus={(event) => event.currentTarget.select()}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Collapse expanded={more}>
          <TextInput
            mt="sm"
            label={words.canvas.id}
            description={words.canvas.idHint}
            value={wanted}
            error={problem === 'form' ? words.canvas.idForm : problem === 'taken' ? words.canvas.idTaken : null}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
        </Collapse>
        <Group justify="space-between" mt="md">
          <Button variant="subtle" size="xs" onClick={() => setMore(!more)} aria-expanded={more}>
            {words.canvas.changeId}
          </Button>
          <Group gap="xs">
            <Button variant="default" onClick={onClose}>
              {words.canvas.cancel}
            </Button>
            <Button type="submit" disabled={problem !== null}>
              {words.canvas.save}
            </Button>
          </Group>
        </Group>
      </form>
    </Modal>
  );
}
