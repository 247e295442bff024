import { Button, Group, Menu, Text } from '@mantine/core';
import { IconChevronDown, IconPlayerPlay, IconPlayerTrackNext, IconRoute2 } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useEditor } from '@/editor/store';
import { beginAt, beginRun, showRun } from '@/runs/start/begin';
import { words } from '@/text/language';
import { usePanel } from '../context';

const StartDialog = lazy(() => import('@/runs/start/StartDialog'));

/** Run a node alone, everything up to it, or everything from it on. */
type Part = 'node' | 'to' | 'from';

/** Runs a part of the graph, saved first; where its inputs are needed, a dialog asks for them. */
function useRunPart(node: string) {
  const { editor, setSample, say } = usePanel();
  const id = useEditor(editor, (state) => state.id);
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [until, setUntil] = useState<string | null>(null);
  const started = () => {
    setSample({ step: null, item: 0 });
    void queries.invalidateQueries({ queryKey: ['runs', 'last'] });
    say(words.panel.running);
  };
  const run = async (part: Part) => {
    setBusy(true);
    const begun = await (part === 'to' ? beginRun(editor, node) : beginAt(editor, node, part === 'node'));
    setBusy(false);
    if (begun === 'started') started();
    if (begun === 'ask') setUntil(part === 'from' ? '' : node);
  };
  const dialog = until !== null && (
    <Suspense>
      <StartDialog
        graph={id}
        until={until}
        onClose={() => setUntil(null)}
        onStarted={(fresh) => {
          showRun(editor, fresh);
          setUntil(null);
          started();
        }}
      />
    </Suspense>
  );
  return { busy, run: (part: Part) => void run(part), dialog };
}

/** The panel's run button, with the other ways to run behind an arrow. */
export function RunButtons() {
  const { node } = usePanel();
  const { busy, run, dialog } = useRunPart(node);
  return (
    <Group gap={0} wrap="nowrap">
      <Button.Group>
        <Button size="xs" leftSection={<IconPlayerPlay size={14} />} loading={busy} onClick={() => run('node')}>
          {words.panel.runNode}
        </Button>
        <Menu position="bottom-end" width={300}>
          <Menu.Target>
            <Button size="xs" px={6} aria-label={words.panel.moreRuns}>
              <IconChevronDown size={14} />
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => run('node')}>
              <Words title={words.panel.runNode} hint={words.panel.runNodeHint} />
            </Menu.Item>
            <Menu.Item leftSection={<IconRoute2 size={16} />} onClick={() => run('to')}>
              <Words title={words.panel.runHere} hint={words.panel.runHereHint} />
            </Menu.Item>
            <Menu.Item leftSection={<IconPlayerTrackNext size={16} />} onClick={() => run('from')}>
              <Words title={words.panel.runFrom} hint={words.panel.runFromHint} />
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Button.Group>
      {dialog}
    </Group>
  );
}

function Words({ title, hint }: { readonly title: string; readonly hint: string }) {
  return (
    <>
      <Text size="sm">{title}</Text>
      <Text size="xs" c="dimmed">
        {hint}
      </Text>
    </>
  );
}

/** A button for empty panes: run everything up to a node. With what comes then it goes, and its pane has the keyboard. */
export function RunToHere({ node }: { readonly node: string }) {
  const { busy, run, dialog } = useRunPart(node);
  const pane = useRef<HTMLElement | null>(null);
  useEffect(
    () => () =>
      queueMicrotask(() => {
        if (document.activeElement === document.body) pane.current?.focus({ preventScroll: true });
      }),
    [],
  );
  return (
    <>
      <Button
        size="xs"
        leftSection={<IconPlayerPlay size={14} />}
        loading={busy}
        onClick={(event) => {
          pane.current = event.currentTarget.closest('section');
          run('to');
        }}
      >
        {words.panel.runHere}
      </Button>
      {dialog}
    </>
  );
}
