import { ActionIcon, Button, Menu } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconChevronDown, IconForms, IconHistory, IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';
import { lazy, Suspense, useEffect } from 'react';
import { Link } from 'wouter';
import { useStore } from 'zustand';
import { type Editor, useEditor } from '@/editor/store';
import { words } from '@/text/language';
import { ENDED } from './fold';
import { useRunPart } from './live';
import classes from './RunBar.module.css';
import { cancelRun, tell } from './requests';
import { barOf, requestRun } from './start/bar';
import { saveFirst, showRun } from './start/begin';

const StartDialog = lazy(() => import('./start/StartDialog'));
const texts = words.runs.bar;

/** Runs the open graph, stops it, and offers the other ways to run it. */
export function RunBar({ editor }: { readonly editor: Editor }) {
  const run = useEditor(editor, (state) => state.run);
  const graph = useEditor(editor, (state) => state.id);
  const status = useRunPart(run, (live) => live?.status ?? null);
  const bar = barOf(editor);
  const { asking, busy } = useStore(bar);
  const active = status !== null && !ENDED.has(status);

  // Who leaves the page has not answered.
  useEffect(() => () => bar.setState({ asking: null }), [bar]);

  const begin = () => void requestRun(editor);
  const askFirst = async () => {
    if (await saveFirst(editor)) bar.setState({ asking: { until: '' } });
  };

  useHotkeys([['mod+Enter', begin]], []);

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
            onClick={begin}
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
            onClose={() => bar.setState({ asking: null })}
            onStarted={(started) => showRun(editor, started)}
          />
        </Suspense>
      )}
    </div>
  );
}
