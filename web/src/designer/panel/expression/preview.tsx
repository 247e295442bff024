import { Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { ApiError, ask, client } from '@/api/client';
import { graphOf, useEditor } from '@/editor/store';
import type { Json } from '@/graph/model';
import { hasTemplate } from '@/graph/templates';
import { words } from '@/text/language';
import { usePanel } from '../context';
import { brief } from '../data/shape';
import classes from './expression.module.css';

/** What a template gives. */
export interface Preview {
  readonly state: 'none' | 'given' | 'failed';
  readonly text: string;
  readonly value: Json | undefined;
  readonly error: PreviewError | null;
  /** Items that the node is given. */
  readonly items: number;
}

export interface PreviewError {
  readonly message: string;
  readonly hint: string;
  /** Where in the template, in characters. */
  readonly offset: number | null;
  /** There are no data yet: nothing is wrong with the template. */
  readonly missing: boolean;
}

const NONE: Preview = { state: 'none', text: '', value: undefined, error: null, items: 0 };
const DELAY = 250;

/** What the template gives for the chosen item: asked a moment after the last change, a newer question ends an older. */
export function usePreview(template: string): Preview {
  const { editor, node, sample } = usePanel();
  // What else is changed in the graph, other parameters above all, does not change what a template gives.
  const around = useEditor(
    editor,
    useShallow(({ history: { graph } }) => [graph.edges, graph.inputs, graph.state, graph.pins, graph.nodes.length]),
  );
  const [preview, setPreview] = useState<Preview>(NONE);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is around the node decides what a template gives.
  useEffect(() => {
    // The graph's own outputs are evaluated when a run has ended, and by no node.
    if (!hasTemplate(template) || node === '') {
      setPreview(NONE);
      return;
    }
    const asked = new AbortController();
    const timer = setTimeout(() => {
      const { id, saved } = editor.getState();
      const graph = graphOf(editor);
      const which = graph === saved.graph ? { graph: id } : { spec: graph };
      const body = { ...which, node, template, run: sample.run, step: sample.step, item: sample.item };
      ask(client.POST('/api/v1/expressions/preview', { body, signal: asked.signal })).then(
        (answer) =>
          setPreview({
            state: answer.ok ? 'given' : 'failed',
            text: answer.text,
            value: answer.value as Json,
            error: answer.error && {
              message: answer.error.message,
              hint: answer.error.hint ?? '',
              offset: answer.error.offset,
              missing: (answer.error.missing ?? []).length > 0,
            },
            items: answer.items,
          }),
        (error: unknown) => {
          // A graph that is broken elsewhere, or a lost server: the result is not known.
          if (error instanceof ApiError) setPreview(NONE);
        },
      );
    }, DELAY);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [editor, node, template, around, sample]);
  return preview;
}

interface ResultProps {
  readonly preview: Preview;
  readonly active: boolean;
  /** A result may come: its line is kept free from the beginning, so that nothing below moves when it does. */
  readonly expected: boolean;
}

/** The result under a field: a line of it, all while it is edited. */
export function Result({ preview, active, expected }: ResultProps) {
  if (preview.state === 'none') return expected ? <div className={classes.result} data-small data-none /> : null;
  // On one line the outermost bracket alone would say nothing.
  const short = !active && preview.value !== null && typeof preview.value === 'object' ? brief(preview.value) : null;
  return (
    <div className={classes.result} data-small={!active || undefined} role="status">
      {short ?? <Shown preview={preview} />}
    </div>
  );
}

/** What a template gives, or why it gives nothing. */
export function Shown({ preview }: { readonly preview: Preview }) {
  if (preview.error) {
    return (
      <>
        <Text size="xs" c={preview.error.missing ? 'dimmed' : 'var(--mantine-color-error)'}>
          {preview.error.message}
        </Text>
        {preview.error.hint && (
          <Text size="xs" c="dimmed">
            {preview.error.hint}
          </Text>
        )}
      </>
    );
  }
  if (preview.state === 'none') return <Text c="dimmed">{words.panel.noPreview}</Text>;
  return <>{preview.text === '' ? <Text c="dimmed">{words.panel.emptyText}</Text> : preview.text}</>;
}
