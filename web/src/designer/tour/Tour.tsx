import { Button, CloseButton, Group, Paper, Text, Title } from '@mantine/core';
import { type RefObject, useEffect, useRef } from 'react';
import type { CanvasControl } from '@/designer/canvas/Canvas';
import { apply, type Editor, graphOf, useEditor } from '@/editor/store';
import { connect } from '@/graph/edges';
import { freshId } from '@/graph/ids';
import type { GraphSpec } from '@/graph/model';
import { addNode } from '@/graph/nodes';
import { nodesAt } from '@/graph/read';
import { ENDED, useRunPart } from '@/runs/live';
import { requestRun } from '@/runs/start/bar';
import { fill, words } from '@/text/language';
import { endStep, endTour, STEPS, type Step, useTour } from './state';
import classes from './Tour.module.css';

/** What a step is about: it gets a ring. */
const TARGETS: { readonly [step in Step]: string } = {
  look: '[data-card]',
  add: `button[aria-label="${words.canvas.addNode}"]`,
  open: '[data-card]',
  run: '[data-tour="run"]',
  result: `section[aria-label="${words.runs.bar.panel}"]`,
};

interface Props {
  readonly editor: Editor;
  readonly canvas: RefObject<CanvasControl | null>;
}

/** Leads through making and running a graph, one step at a time; what a step asks for can be done for you. */
export default function Tour({ editor, canvas }: Props) {
  const step = useTour((state) => state.step);
  const nodes = useEditor(editor, (state) => nodesAt(state.history.graph, null).length);
  const opened = useEditor(editor, (state) => state.opened !== null);
  const run = useEditor(editor, (state) => state.run);
  const status = useRunPart(run, (live) => live?.status ?? null);
  const ended = status !== null && ENDED.has(status);
  const heading = useRef<HTMLHeadingElement>(null);

  // What is done by hand ends its step as the button does.
  useEffect(() => {
    if (step !== 'add' || nodes < 2) return;
    endStep('add');
    // On a phone the new one may be out of sight.
    requestAnimationFrame(() => canvas.current?.fit());
  }, [step, nodes, canvas]);
  const wasOpened = useRef(false);
  useEffect(() => {
    if (step === 'open' && wasOpened.current && !opened) endStep('open');
    wasOpened.current = opened;
  }, [step, opened]);
  useEffect(() => {
    if (step === 'run' && run !== null && ended) endStep('run');
  }, [step, run, ended]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each step is told by where the keyboard is
  useEffect(() => heading.current?.focus({ preventScroll: true }), [step]);

  if (opened) return null;
  const { title, text, action } = words.tour.steps[step];
  const told = step === 'result' && status !== 'completed' ? words.tour.notCompleted : text;
  const act = () => {
    if (step === 'add') apply(editor, words.tour.steps.add.action, withSecond);
    else if (step === 'open') editor.setState({ opened: nodesAt(graphOf(editor), null).at(-1)?.id ?? null });
    else if (step === 'run') void requestRun(editor);
    else endStep(step);
  };
  return (
    <>
      <Ring key={step} target={TARGETS[step]} />
      <Paper
        withBorder
        shadow="lg"
        p="md"
        className={classes.card}
        data-step={step}
        component="section"
        aria-label={words.tour.title}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          endTour();
        }}
      >
        <Group justify="space-between" wrap="nowrap">
          <Text size="xs" c="dimmed">
            {fill(words.tour.progress, { step: STEPS.indexOf(step) + 1, steps: STEPS.length })}
          </Text>
          <CloseButton size="sm" aria-label={words.tour.skip} title={words.tour.skip} onClick={endTour} />
        </Group>
        <Title order={2} size="h4" ref={heading} tabIndex={-1} className={classes.title ?? ''}>
          {title}
        </Title>
        <Text size="sm" role="status">
          {told}
        </Text>
        <Group justify="space-between" mt="sm">
          <Button size="xs" variant="subtle" onClick={endTour}>
            {step === 'result' ? words.tour.close : words.tour.skip}
          </Button>
          {step !== 'result' && (
            <Button size="xs" onClick={act} loading={step === 'run' && run !== null && !ended}>
              {action}
            </Button>
          )}
        </Group>
      </Paper>
    </>
  );
}

/** The graph with a second node that uses what the first one gives. */
function withSecond(graph: GraphSpec): GraphSpec {
  const first = nodesAt(graph, null)[0];
  const id = freshId(graph, 'answer');
  const fields = { answer: words.tour.answer };
  const added = addNode(
    null,
    { id, use: 'data.set@1', name: words.tour.secondNode, with: { fields } },
    [220, 0],
  )(graph);
  if (!first) return added;
  return connect(null, { source: first.id, sourcePort: null, target: id, targetPort: null })(added);
}

/** A ring around what a step is about, wherever that moves. */
function Ring({ target }: { readonly target: string }) {
  const ring = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let frame = 0;
    const follow = () => {
      const box = document.querySelector(target)?.getBoundingClientRect();
      const element = ring.current;
      if (element) {
        element.hidden = !box;
        if (box) {
          element.style.transform = `translate(${box.left - 6}px, ${box.top - 6}px)`;
          element.style.width = `${box.width + 12}px`;
          element.style.height = `${box.height + 12}px`;
        }
      }
      frame = requestAnimationFrame(follow);
    };
    follow();
    return () => cancelAnimationFrame(frame);
  }, [target]);
  return <div ref={ring} className={classes.ring} aria-hidden hidden />;
}
