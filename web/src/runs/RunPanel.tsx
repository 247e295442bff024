import { ActionIcon, Anchor, Button, Group, Text } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconChevronDown, IconChevronUp, IconExternalLink, IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useLastRun } from '@/api/runData';
import { type Editor, select, useEditor } from '@/editor/store';
import { words } from '@/text/language';
import { ENDED } from './fold';
import { between } from './format';
import { LinkBanner } from './LinkBanner';
import { type RunLive, useRunLive } from './live';
import { RunInspector } from './RunInspector';
import classes from './RunPanel.module.css';
import { Separator } from './Separator';
import { StatusBadge } from './StatusBadge';
import { showRun } from './start/begin';
import { pictureOf, shapeOf } from './steps';
import { useNow } from './useNow';

const texts = words.runs.bar;

/** The run that is shown in the designer, below the canvas: its steps, timeline, data and questions. */
export function RunPanel({ editor }: { readonly editor: Editor }) {
  const id = useEditor(editor, (state) => state.run);
  const run = useRunLive(id);
  const [height, setHeight] = useLocalStorage({ key: 'pyagent.run-panel', defaultValue: 300 });
  const [folded, setFolded] = useState(false);

  // Another run is worth a look.
  useEffect(() => {
    if (id) setFolded(false);
  }, [id]);

  if (!id) return <Empty editor={editor} />;
  return (
    <section className={classes.panel} aria-label={texts.panel} style={{ height: folded ? undefined : height }}>
      {!folded && (
        <Separator label={texts.resize} size={height} onSize={setHeight} least={140} most={window.innerHeight * 0.75} />
      )}
      <Group className={classes.bar} justify="space-between" wrap="nowrap">
        <Group gap="sm" wrap="nowrap">
          <Text size="sm" fw={600}>
            {texts.panel}
          </Text>
          {run && <Standing run={run} />}
        </Group>
        <Group gap={4} wrap="nowrap">
          <ActionIcon
            variant="subtle"
            color="gray"
            component={Link}
            href={`/runs/${id}`}
            aria-label={words.runs.actions.page}
            title={words.runs.actions.page}
          >
            <IconExternalLink size={16} />
          </ActionIcon>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-expanded={!folded}
            aria-label={folded ? texts.expand : texts.collapse}
            onClick={() => setFolded(!folded)}
          >
            {folded ? <IconChevronUp size={16} /> : <IconChevronDown size={16} />}
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" aria-label={texts.hide} onClick={() => showRun(editor, null)}>
            <IconX size={16} />
          </ActionIcon>
        </Group>
      </Group>
      {run && <LinkBanner link={run.link} />}
      {run && !folded && (
        <div className={classes.body}>
          <Steps editor={editor} run={run} />
        </div>
      )}
    </section>
  );
}

function Standing({ run }: { readonly run: RunLive }) {
  const now = useNow(!ENDED.has(run.status));
  return (
    <Group gap="xs" wrap="nowrap" role="status">
      <StatusBadge status={run.status} />
      <Text size="xs" c="dimmed" aria-hidden>
        {between(run.state.started_at ?? run.details.created_at, run.state.ended_at, now)}
      </Text>
    </Group>
  );
}

/** A step that is chosen here is chosen on the canvas, and the other way round. */
function Steps({ editor, run }: { readonly editor: Editor; readonly run: RunLive }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const selected = useEditor(editor, (state) =>
    state.selection.nodes.size === 1 ? first(state.selection.nodes) : null,
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: another choice on the canvas counts, not what steps do
  useEffect(() => {
    const latest = selected && run.byNode.get(selected)?.latest;
    if (!latest) return;
    setChosen((before) => (before && run.steps.get(before)?.node === selected ? before : latest));
  }, [selected]);
  const choose = (step: string) => {
    setChosen(step);
    const found = run.steps.get(step);
    if (!found) return;
    const frames = run.details.frames.map((each) => each.frame);
    if (pictureOf(shapeOf(found.frame), frames) === '') select(editor, { nodes: [found.node] });
  };
  return <RunInspector run={run} chosen={chosen} onChoose={choose} onForked={(made) => showRun(editor, made)} />;
}

function first<T>(set: ReadonlySet<T>): T | null {
  for (const each of set) return each;
  return null;
}

function Empty({ editor }: { readonly editor: Editor }) {
  const graph = useEditor(editor, (state) => state.id);
  const { data: run } = useLastRun(graph);
  return (
    <section className={classes.empty} aria-label={texts.panel}>
      <Text size="xs" c="dimmed">
        {texts.none}
      </Text>
      {run && (
        <Group gap="xs">
          <Button size="compact-xs" variant="default" onClick={() => showRun(editor, run)}>
            {texts.last}
          </Button>
          <Anchor component={Link} href={`/runs/of/${graph}`} size="xs">
            {texts.history}
          </Anchor>
        </Group>
      )}
    </section>
  );
}
