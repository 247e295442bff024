import { ActionIcon, Button, Menu } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconChevronDown, IconForms, IconHistory, IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { type Editor, useEditor } from '@/editor/store';
import { words } from '@/text/language';
import { ENDED } from './fold';
import { useRunPart } from './live';
import classes from './RunBar.module.css';
import { cancelRun, tell } from './requests';
import { beginRun, saveFirst, showRun } from './start/begin';

const StartDialog = lazy(() => import('./start/StartDialog'));
const texts = words.runs.bar;

/** An event by which any part of the designer asks for a run: `until` a node, or of the whole graph. */
const RUN_EVENT = 'pyagent:run';

/** Ask the designer's run bar for a run; it asks for inputs where that is needed. */
export function requestRun(until = ''): void {
  window.dispatchEvent(new CustomEvent(RUN_EVENT, { detail: { until } }));
}

/** Runs the open graph, stops it, and offers the other ways to run it. */
export function RunBar({ editor }: { readonly editor: Editor }) {
  const run = useEditor(editor, (state) => state.run);
  const graph = useEditor(editor, (state) => state.id);
  const status = useRunPart(run, (live) => live?.status ?? null);
  const [asking, setAsking] = useState<{ until: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const active = status !== null && !ENDED.has(status);

  const begin = async (until = '') => {
    if (busy) return;
    setBusy(true);
    const begun = await beginRun(editor, until);
    setBusy(false);
    if (begun === 'ask') setAsking({ until });
  };
  const askFirst = async () => {
    if (await saveFirst(editor)) setAsking({ until: '' });
  };

  useEffect(() => {
    const listen = (event: Event) => void begin((event as CustomEvent<{ until: string }>).detail.until);
    window.addEventListener(RUN_EVENT, listen);
    return () => window.removeEventListener(RUN_EVENT, listen);
  });
  useHotkeys([['mod+Enter', () => void begin()]], []);

  return (
    <div className={classes.bar} data-tour="run">
      {active && run ? (
        <Button
          size="xs"
          color="red.9"
          leftSection={<IconPlayerStop size={16} />}
          onClick={() => void tell(run, () => cancelRun(run), words.runs.actions.cancelled)}
        >
          {texts.stop}
        </Button>
      ) : (
        <Button.Group>
          <Button
            size="xs"
            leftSection={<IconPlayerPlay size={16} />}
            loading={busy}
            title={texts.runAbout}
            onClick={() => void begin()}
          >
            {texts.run}
          </Button>
          <Menu position="bottom-end" withinPortal>
            <Menu.Target>
              <ActionIcon size={30} aria-label={texts.more} className={classes.more}>
                <IconChevronDown size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconForms size={16} />} onClick={() => void askFirst()}>
                {texts.withInputs}
              </Menu.Item>
              <Menu.Item leftSection={<IconHistory size={16} />} component={Link} href={`/runs/of/${graph}`}>
                {texts.history}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Button.Group>
      )}
      {asking && (
        <Suspense>
          <StartDialog
            graph={graph}
            until={asking.until}
            onClose={() => setAsking(null)}
            onStarted={(started) => showRun(editor, started)}
          />
        </Suspense>
      )}
    </div>
  );
}
