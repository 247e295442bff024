import { Badge, Button, Group, Loader, Modal, SegmentedControl, Stack, Text } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { Schemas } from '@/api/client';
import { useHistoryText } from '@/api/history';
import { apply, createEditor, type Editor, useEditor } from '@/editor/store';
import { type Difference, difference, type NodeMark, same } from '@/graph/difference';
import { specOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { showDone } from '@/widgets/showError';
import { TextDiff } from '@/widgets/TextDiff';
import { Canvas } from '../canvas/Canvas';
import classes from './CompareDialog.module.css';

interface Props {
  readonly editor: Editor;
  readonly entry: Schemas['HistoryEntry'];
  readonly onClose: () => void;
}

/** A version beside what is shown now; it can be taken back, as an edit that can be undone. */
export function CompareDialog({ editor, entry, onClose }: Props) {
  const id = useEditor(editor, (state) => state.id);
  const shown = useEditor(editor, (state) => state.history.graph);
  const text = useEditor(editor, (state) => (state.checked?.graph === shown ? state.checked.text : state.saved.text));
  const version = useHistoryText(id, entry.ref);
  const spec = specOf(version.data?.spec);
  const [asText, setAsText] = useState(false);
  const differs = useMemo(() => (spec ? difference(spec, shown) : null), [spec, shown]);
  const at = new Date(entry.at).toLocaleString();
  const restore = () => {
    if (!spec) return;
    apply(editor, words.versions.restore, () => spec);
    showDone(fill(words.versions.restored, { at }));
    onClose();
  };
  return (
    <Modal
      opened
      onClose={onClose}
      size="90%"
      title={entry.subject || at}
      centered
      classNames={{ body: classes.body ?? '' }}
    >
      <Stack h="100%">
        {version.isPending && <Loader aria-label={words.shell.loading} />}
        {version.error && <ErrorMessage title={words.home.failed} error={version.error} />}
        {version.data && !spec && <Text c="red">{words.versions.broken}</Text>}
        {spec && same(spec, shown) && <Text>{words.versions.same}</Text>}
        {differs && (
          <Group justify="space-between">
            <Legend marks={differs.nodes} />
            <SegmentedControl
              size="xs"
              aria-label={words.versions.compare}
              value={asText ? 'text' : 'canvas'}
              onChange={(value) => setAsText(value === 'text')}
              data={[
                { value: 'canvas', label: words.versions.onCanvas },
                { value: 'text', label: words.versions.asText },
              ]}
            />
          </Group>
        )}
        {version.data && (
          <div className={classes.difference}>
            {differs && !asText ? (
              <BothVersions id={id} differs={differs} />
            ) : (
              <TextDiff label={words.versions.asText} old={version.data.text} fresh={text} />
            )}
          </div>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {words.versions.close}
          </Button>
          <Button disabled={!spec} onClick={restore}>
            {words.versions.restore}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** Both versions on one canvas, with what differs marked. */
function BothVersions({ id, differs }: { readonly id: string; readonly differs: Difference }) {
  const editor = useMemo(() => createEditor(id, { text: '', textHash: '', graph: differs.both }), [id, differs]);
  return <Canvas key={editor.getState().id} editor={editor} marks={differs} readOnly />;
}

const COLORS: Readonly<Record<NodeMark, string>> = { added: 'teal', removed: 'red', changed: 'yellow', moved: 'gray' };

function Legend({ marks }: { readonly marks: Difference['nodes'] }) {
  const counts = Map.groupBy(marks.values(), (mark) => mark);
  return (
    <Group gap="xs" role="status">
      {[...counts].map(([mark, found]) => (
        <Badge key={mark} color={COLORS[mark]} variant="light" tt="none" autoContrast>
          {found.length} {words.versions.legend[mark]}
        </Badge>
      ))}
    </Group>
  );
}
