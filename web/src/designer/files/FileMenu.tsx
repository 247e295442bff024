import { Menu } from '@mantine/core';
import { IconCopy, IconDownload, IconPhoto, IconPlayerPlay, IconTrash } from '@tabler/icons-react';
import { Link, useLocation } from 'wouter';
import { useDeleteGraph, useDuplicateGraph, useGraphs } from '@/api/graphs';
import { closeEditor } from '@/editor/files';
import { type Editor, useEditor } from '@/editor/store';
import { fill, words } from '@/text/language';
import { ConfirmDialog } from '@/widgets/ConfirmDialog';
import { NewGraphDialog } from '@/widgets/NewGraphDialog';
import { showError } from '@/widgets/showError';
import { store } from './store';

/** What is done with the graph's file. */
export function FileMenuItems({ editor, onAsk }: { readonly editor: Editor; readonly onAsk: (what: Asked) => void }) {
  const id = useEditor(editor, (state) => state.id);
  const readyMade = useEditor(editor, (state) => state.readyMade);
  return (
    <>
      <Menu.Item component={Link} href={`/runs/of/${id}`} leftSection={<IconPlayerPlay size={16} />}>
        {words.designer.runs}
      </Menu.Item>
      <Menu.Divider />
      <Menu.Item leftSection={<IconCopy size={16} />} onClick={() => onAsk('duplicate')}>
        {words.designer.duplicate}
      </Menu.Item>
      <Menu.Item leftSection={<IconDownload size={16} />} onClick={() => download(editor)}>
        {words.designer.download}
      </Menu.Item>
      <Menu.Item
        component="a"
        href={`/api/v1/graphs/${id}/svg`}
        download={`${id}.svg`}
        leftSection={<IconPhoto size={16} />}
      >
        {words.designer.picture}
      </Menu.Item>
      {!readyMade && (
        <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAsk('delete')}>
          {words.home.remove}
        </Menu.Item>
      )}
    </>
  );
}

export type Asked = 'duplicate' | 'delete';

/** The dialogs of these. */
export function FileDialogs({
  editor,
  asked,
  onClose,
}: {
  readonly editor: Editor;
  readonly asked: Asked;
  readonly onClose: () => void;
}) {
  const id = useEditor(editor, (state) => state.id);
  const name = useEditor(editor, (state) => state.history.graph.name || state.id);
  const [, go] = useLocation();
  const graphs = useGraphs();
  const duplicate = useDuplicateGraph();
  const remove = useDeleteGraph();
  if (asked === 'duplicate') {
    return (
      <NewGraphDialog
        title={words.designer.duplicate}
        name={fill(words.home.copyOf, { name })}
        taken={new Set(graphs.data?.map((graph) => graph.id))}
        error={duplicate.error}
        busy={duplicate.isPending}
        onClose={onClose}
        onCreate={async (copy, title) => {
          // A copy is made from the file: what is shown goes there first.
          await store(editor);
          duplicate.mutate({ graph: id, id: copy, name: title }, { onSuccess: (made) => go(`/graphs/${made.id}`) });
        }}
      />
    );
  }
  return (
    <ConfirmDialog
      title={fill(words.home.removeTitle, { name })}
      text={fill(words.home.removeHint, { file: `${id}.yaml` })}
      action={words.home.remove}
      error={remove.error}
      busy={remove.isPending}
      onClose={onClose}
      onConfirm={() =>
        remove.mutate(id, {
          onSuccess: () => {
            closeEditor(id);
            go('/');
          },
        })
      }
    />
  );
}

/** Hand the file over as it would be saved now. */
function download(editor: Editor): void {
  const { id, checked, history, saved } = editor.getState();
  if (checked?.graph !== history.graph && history.graph !== saved.graph) {
    showError(new Error(words.designer.notYet));
    return;
  }
  const text = checked?.graph === history.graph ? checked.text : saved.text;
  const address = URL.createObjectURL(new Blob([text], { type: 'text/yaml' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = `${id}.yaml`;
  link.click();
  URL.revokeObjectURL(address);
}
