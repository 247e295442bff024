import { ActionIcon, Button, Center, Group, Loader, Text, TextInput } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconAdjustments, IconArrowLeft, IconFileCode, IconHistory, IconX } from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { Link } from 'wouter';
import { save } from '@/editor/files';
import { apply, type Editor, settle, useEditor } from '@/editor/store';
import { useOpenEditor } from '@/editor/useOpenEditor';
import { withField } from '@/graph/change';
import { RunBar } from '@/runs/RunBar';
import { RunPanel } from '@/runs/RunPanel';
import { words } from '@/text/language';
import { showError } from '@/widgets/showError';
import { FileBanner } from './files/FileBanner';
import { GraphCanvas } from './GraphCanvas';
import classes from './GraphPage.module.css';
import { ProblemCount, ProblemsPanel } from './problems/ProblemsPanel';

const GraphSettings = lazy(() => import('./settings/GraphSettings'));
const NodePanel = lazy(() => import('./panel/NodePanel'));
const BrokenFile = lazy(() => import('./text/BrokenFile').then((module) => ({ default: module.BrokenFile })));
const TextPanel = lazy(() => import('./text/TextPanel').then((module) => ({ default: module.TextPanel })));
const VersionsPanel = lazy(() =>
  import('./versions/VersionsPanel').then((module) => ({ default: module.VersionsPanel })),
);

type Side = 'text' | 'versions';

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
  useHotkeys([['mod+S', () => void store(editor)]], []);
  const toggle = (one: Side) => setSide((now) => (now === one ? null : one));
  return (
    <div className={classes.page}>
      <TopBar editor={editor} side={side} onSide={toggle} onProblems={() => setProblems((open) => !open)} />
      <FileBanner editor={editor} />
      <div className={classes.middle}>
        <div className={classes.canvas}>
          <GraphCanvas editor={editor} />
        </div>
        {side && (
          <Panel title={words.designer[side]} onClose={() => setSide(null)} className={classes.side}>
            <Suspense fallback={<Waiting />}>
              {side === 'text' ? <TextPanel editor={editor} /> : <VersionsPanel editor={editor} />}
            </Suspense>
          </Panel>
        )}
      </div>
      {problems && (
        <Panel title={words.designer.problems} onClose={() => setProblems(false)} className={classes.bottom}>
          <ProblemsPanel editor={editor} onReveal={() => undefined} />
        </Panel>
      )}
      <RunPanel editor={editor} />
      <OpenedNode editor={editor} />
    </div>
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

interface BarProps {
  readonly editor: Editor;
  readonly side: Side | null;
  readonly onSide: (side: Side) => void;
  readonly onProblems: () => void;
}

function TopBar({ editor, side, onSide, onProblems }: BarProps) {
  const saving = useEditor(editor, (state) => state.saving);
  const [settings, setSettings] = useState(false);
  return (
    <Group className={classes.bar} justify="space-between" wrap="nowrap" gap="xs" component="header">
      <Group gap="xs" wrap="nowrap" flex={1} miw={0}>
        <ActionIcon component={Link} href="/" variant="subtle" color="gray" aria-label={words.designer.back}>
          <IconArrowLeft size={18} />
        </ActionIcon>
        <GraphName editor={editor} />
      </Group>
      <Group wrap="nowrap" gap="xs">
        <Text size="sm" c="dimmed" role="status" className={classes.state}>
          {words.files[saving]}
        </Text>
        <Button size="xs" variant="subtle" px={6} onClick={onProblems} aria-label={words.designer.problems}>
          <ProblemCount editor={editor} />
        </Button>
        <SideButton label={words.graphSettings.title} open={settings} onClick={() => setSettings(true)}>
          <IconAdjustments size={18} />
        </SideButton>
        {settings && (
          <Suspense>
            <GraphSettings editor={editor} onClose={() => setSettings(false)} />
          </Suspense>
        )}
        <SideButton label={words.designer.text} open={side === 'text'} onClick={() => onSide('text')}>
          <IconFileCode size={18} />
        </SideButton>
        <SideButton label={words.designer.versions} open={side === 'versions'} onClick={() => onSide('versions')}>
          <IconHistory size={18} />
        </SideButton>
        <Button
          size="xs"
          variant="default"
          disabled={saving === 'saved' || saving === 'saving' || saving === 'conflict'}
          onClick={() => void store(editor)}
        >
          {words.files.save}
        </Button>
        <RunBar editor={editor} />
      </Group>
    </Group>
  );
}

/** The graph's name, to be written over; the page's heading. */
function GraphName({ editor }: { readonly editor: Editor }) {
  const id = useEditor(editor, (state) => state.id);
  const name = useEditor(editor, (state) => state.history.graph.name ?? '');
  return (
    <h1 className={classes.heading} aria-label={name || id}>
      <TextInput
        variant="unstyled"
        aria-label={words.designer.rename}
        classNames={{ input: classes.name ?? '' }}
        value={name}
        placeholder={id}
        onChange={(event) => {
          const text = event.target.value;
          apply(editor, words.designer.rename, (graph) => withField(graph, 'name', text || undefined), 'graph name');
        }}
        onBlur={() => settle(editor)}
      />
    </h1>
  );
}

interface SideProps {
  readonly label: string;
  readonly open: boolean;
  readonly onClick: () => void;
  readonly children: ReactNode;
}

function SideButton({ label, open, onClick, children }: SideProps) {
  return (
    <ActionIcon
      variant={open ? 'light' : 'subtle'}
      color={open ? 'indigo' : 'gray'}
      size="lg"
      aria-label={label}
      aria-pressed={open}
      title={label}
      onClick={onClick}
    >
      {children}
    </ActionIcon>
  );
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

/** Save, and tell what the server refuses. */
async function store(editor: Editor): Promise<void> {
  try {
    await save(editor);
  } catch (error) {
    showError(error, words.files.refused);
  }
}
