import { ActionIcon, Button, Group, Menu, Text, TextInput } from '@mantine/core';
import {
  IconAdjustments,
  IconArrowLeft,
  IconDeviceFloppy,
  IconDots,
  IconFileCode,
  IconHistory,
  IconListDetails,
} from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { Link } from 'wouter';
import { apply, type Editor, settle, useEditor } from '@/editor/store';
import { withField } from '@/graph/change';
import { RunBar } from '@/runs/RunBar';
import { words } from '@/text/language';
import { type Asked, FileDialogs, FileMenuItems } from './files/FileMenu';
import { store } from './files/store';
import classes from './GraphPage.module.css';
import { ProblemCount } from './problems/ProblemsPanel';

const GraphSettings = lazy(() => import('./settings/GraphSettings'));

export type Side = 'text' | 'versions';

interface Props {
  readonly editor: Editor;
  readonly side: Side | null;
  readonly onSide: (side: Side) => void;
  readonly onProblems: () => void;
}

/** The graph's name, whether it is saved, and what is done with it as a whole. */
export function TopBar({ editor, side, onSide, onProblems }: Props) {
  const saving = useEditor(editor, (state) => state.saving);
  const gone = useEditor(editor, (state) => state.disk === 'gone');
  const [settings, setSettings] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  const saved = !gone && (saving === 'saved' || saving === 'saving' || saving === 'conflict');
  return (
    <Group className={classes.bar} justify="space-between" wrap="nowrap" gap="xs" component="header">
      <Group gap={4} wrap="nowrap" flex={1} miw={0}>
        <ActionIcon component={Link} href="/" variant="subtle" color="gray" aria-label={words.designer.back}>
          <IconArrowLeft size={18} />
        </ActionIcon>
        <GraphName editor={editor} />
      </Group>
      <Group wrap="nowrap" gap={6}>
        <Text size="sm" c="dimmed" role="status" className={classes.state}>
          {words.files.state[saving]}
        </Text>
        <Button
          size="xs"
          variant="subtle"
          px={4}
          onClick={onProblems}
          aria-label={words.designer.problems}
          className={classes.problems ?? ''}
        >
          <ProblemCount editor={editor} />
        </Button>
        <Group gap={2} wrap="nowrap" visibleFrom="sm">
          <SideButton label={words.graphSettings.title} open={settings} onClick={() => setSettings(true)}>
            <IconAdjustments size={18} />
          </SideButton>
          <SideButton label={words.designer.text} open={side === 'text'} onClick={() => onSide('text')}>
            <IconFileCode size={18} />
          </SideButton>
          <SideButton label={words.designer.versions} open={side === 'versions'} onClick={() => onSide('versions')}>
            <IconHistory size={18} />
          </SideButton>
        </Group>
        <Menu position="bottom-end" withinPortal>
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={words.designer.more}>
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item hiddenFrom="sm" leftSection={<IconListDetails size={16} />} onClick={onProblems}>
              {words.designer.problems}
            </Menu.Item>
            <Menu.Item hiddenFrom="sm" leftSection={<IconFileCode size={16} />} onClick={() => onSide('text')}>
              {words.designer.text}
            </Menu.Item>
            <Menu.Item hiddenFrom="sm" leftSection={<IconHistory size={16} />} onClick={() => onSide('versions')}>
              {words.designer.versions}
            </Menu.Item>
            <Menu.Item leftSection={<IconAdjustments size={16} />} onClick={() => setSettings(true)}>
              {words.graphSettings.title}
            </Menu.Item>
            <FileMenuItems editor={editor} onAsk={setAsked} />
          </Menu.Dropdown>
        </Menu>
        <Button
          size="xs"
          variant="default"
          disabled={saved}
          onClick={() => void store(editor)}
          aria-label={words.files.save}
          className={classes.save ?? ''}
        >
          <IconDeviceFloppy size={16} className={classes.saveIcon ?? ''} aria-hidden />
          <span className={classes.saveText}>{words.files.save}</span>
        </Button>
        <RunBar editor={editor} />
      </Group>
      {asked && <FileDialogs editor={editor} asked={asked} onClose={() => setAsked(null)} />}
      {settings && (
        <Suspense>
          <GraphSettings editor={editor} onClose={() => setSettings(false)} />
        </Suspense>
      )}
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
