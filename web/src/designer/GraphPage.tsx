import { Box, Button, Center, Group, Loader, Text, Title } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { lazy, Suspense } from 'react';
import { save } from '@/editor/files';
import { type Editor, useEditor } from '@/editor/store';
import { useOpenEditor } from '@/editor/useOpenEditor';
import { RunBar } from '@/runs/RunBar';
import { RunPanel } from '@/runs/RunPanel';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { FileBanner } from './files/FileBanner';
import { GraphCanvas } from './GraphCanvas';
import classes from './GraphPage.module.css';

const NodePanel = lazy(() => import('./panel/NodePanel'));

/** The designer of one graph: its canvas with what stands around it. */
export default function GraphPage({ id }: { readonly id: string }) {
  const editor = useOpenEditor(id);
  if (editor === null) {
    return (
      <Center h="100%">
        <Loader aria-label={words.shell.loading} />
      </Center>
    );
  }
  if (editor instanceof Error) {
    return (
      <Box p="md">
        <ErrorMessage title={words.files.unreadable} error={editor} />
      </Box>
    );
  }
  return <Designer editor={editor} />;
}

function Designer({ editor }: { readonly editor: Editor }) {
  useHotkeys([['mod+S', () => void save(editor).catch(() => undefined)]], []);
  return (
    <div className={classes.page}>
      <TopBar editor={editor} />
      <FileBanner editor={editor} />
      <div className={classes.canvas}>
        <GraphCanvas editor={editor} />
      </div>
      <RunPanel editor={editor} />
      <OpenedNode editor={editor} />
    </div>
  );
}

function TopBar({ editor }: { readonly editor: Editor }) {
  const name = useEditor(editor, (state) => state.history.graph.name ?? state.id);
  const saving = useEditor(editor, (state) => state.saving);
  return (
    <Group className={classes.bar} justify="space-between" wrap="nowrap">
      <Title order={1} size="h4" lineClamp={1}>
        {name}
      </Title>
      <Group wrap="nowrap">
        <Text size="sm" c="dimmed" role="status">
          {words.files[saving]}
        </Text>
        <Button size="xs" disabled={saving !== 'changed'} onClick={() => void save(editor).catch(() => undefined)}>
          {words.files.save}
        </Button>
        <RunBar editor={editor} />
      </Group>
    </Group>
  );
}

/** The panel of the node that is opened. */
function OpenedNode({ editor }: { readonly editor: Editor }) {
  const opened = useEditor(editor, (state) => state.opened);
  if (opened === null) return null;
  return (
    <Suspense>
      <NodePanel editor={editor} nodeId={opened} onClose={() => editor.setState({ opened: null })} />
    </Suspense>
  );
}
