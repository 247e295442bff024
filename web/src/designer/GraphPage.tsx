import { ActionIcon, Center, Group, Loader, Text } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconX } from '@tabler/icons-react';
import { lazy, type ReactNode, type RefObject, Suspense, useRef, useState } from 'react';
import { type Editor, graphOf, select, useEditor } from '@/editor/store';
import { useOpenEditor } from '@/editor/useOpenEditor';
import { nodesAt } from '@/graph/read';
import { RunPanel } from '@/runs/RunPanel';
import { words } from '@/text/language';
import type { CanvasControl } from './canvas/Canvas';
import { FileBanner } from './files/FileBanner';
import { store } from './files/store';
import { GraphCanvas } from './GraphCanvas';
import classes from './GraphPage.module.css';
import { ProblemsPanel } from './problems/ProblemsPanel';
import { type Side, TopBar } from './TopBar';
import { useTour } from './tour/state';

const Tour = lazy(() => import('./tour/Tour'));
const NodePanel = lazy(() => import('./panel/NodePanel'));
const BrokenFile = lazy(() => import('./text/BrokenFile').then((module) => ({ default: module.BrokenFile })));
const TextPanel = lazy(() => import('./text/TextPanel').then((module) => ({ default: module.TextPanel })));
const VersionsPanel = lazy(() =>
  import('./versions/VersionsPanel').then((module) => ({ default: module.VersionsPanel })),
);

/** The designer of one graph: its canvas with what stands around it. */
export default function GraphPage({ id }: { readonly id: string }) {
  const { editor, error, again } = useOpenEditor(id);
  if (editor) return <Designer editor={editor} />;
  if (!error) return <Waiting />;
  return (
    <Suspense fallback={<Waiting />}>
      <BrokenFile id={id} error={error} onMended={again} />
    </Suspense>
  );
}

function Designer({ editor }: { readonly editor: Editor }) {
  const [side, setSide] = useState<Side | null>(null);
  const [problems, setProblems] = useState(false);
  const canvas = useRef<CanvasControl>(null);
  const broken = useEditor(editor, (state) => state.disk === 'broken');
  const [mending, setMending] = useState(false);
  const id = useEditor(editor, (state) => state.id);
  const tour = useTour((state) => state.graph === id);
  useHotkeys([['mod+S', () => void store(editor)]], []);
  const toggle = (one: Side) => setSide((now) => (now === one ? null : one));
  return (
    <div className={classes.page}>
      <TopBar editor={editor} side={side} onSide={toggle} onProblems={() => setProblems((open) => !open)} />
      <FileBanner editor={editor} onMend={() => setMending(true)} />
      <div className={classes.middle}>
        <div className={classes.canvas}>
          <GraphCanvas editor={editor} control={canvas} />
        </div>
        {broken && mending && (
          <Panel title={words.designer.text} onClose={() => setMending(false)} className={classes.side}>
            <Suspense fallback={<Waiting />}>
              <BrokenFile id={id} error={null} onMended={() => setMending(false)} />
            </Suspense>
          </Panel>
        )}
        {side && !(broken && mending) && (
          <Panel title={words.designer[side]} onClose={() => setSide(null)} className={classes.side}>
            <Suspense fallback={<Waiting />}>
              {side === 'text' ? <TextPanel editor={editor} /> : <VersionsPanel editor={editor} />}
            </Suspense>
          </Panel>
        )}
      </div>
      {problems && (
        <Panel title={words.designer.problems} onClose={() => setProblems(false)} className={classes.bottom}>
          <ProblemsPanel editor={editor} onReveal={(node) => canvas.current?.reveal(node)} />
        </Panel>
      )}
      <RunPanel editor={editor} />
      <OpenedNode editor={editor} canvas={canvas} />
      {tour && (
        <Suspense>
          <Tour editor={editor} canvas={canvas} />
        </Suspense>
      )}
    </div>
  );
}

/** The panel of the node that is opened. */
function OpenedNode({ editor, canvas }: { readonly editor: Editor; readonly canvas: RefObject<CanvasControl | null> }) {
  const opened = useEditor(editor, (state) => state.opened);
  if (opened === null) return null;
  return (
    <Suspense>
      <NodePanel
        editor={editor}
        nodeId={opened}
        onClose={() => leaveNode(editor)}
        onNext={() => {
          leaveNode(editor);
          void canvas.current?.perform('add');
        }}
      />
    </Suspense>
  );
}

/** Close a node's panel: the keys go on at the node, which may be another one than was opened. */
function leaveNode(editor: Editor): void {
  const { opened, level } = editor.getState();
  if (opened && nodesAt(graphOf(editor), level).some((node) => node.id === opened)) select(editor, { nodes: [opened] });
  editor.setState({ opened: null });
  document.querySelector<HTMLElement>('[data-canvas]')?.focus();
}

interface PanelProps {
  readonly title: string;
  readonly className: string | undefined;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

function Panel({ title, className, onClose, children }: PanelProps) {
  return (
    <section aria-label={title} className={className}>
      <Group justify="space-between" className={classes.panelTitle}>
        <Text size="sm" fw={600}>
          {title}
        </Text>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label={words.designer.close} onClick={onClose}>
          <IconX size={14} />
        </ActionIcon>
      </Group>
      <div className={classes.panelBody}>{children}</div>
    </section>
  );
}

function Waiting() {
  return (
    <Center h="100%">
      <Loader aria-label={words.shell.loading} />
    </Center>
  );
}
