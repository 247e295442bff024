import { Alert } from '@mantine/core';
import { useEffect, useState } from 'react';
import { ask, client, type Schemas } from '@/api/client';
import { takeText } from '@/editor/files';
import { type Editor, useEditor } from '@/editor/store';
import { words } from '@/text/language';
import classes from './text.module.css';
import { YamlEditor } from './YamlEditor';

const DELAY = 300;

/** The graph's file as text: what is typed here is on the canvas, what is done there is here. */
export function TextPanel({ editor }: { readonly editor: Editor }) {
  const shown = useEditor(editor, (state) => state.checked?.text ?? state.saved.text);
  const problems = useEditor(editor, (state) => state.checked?.problems) ?? [];
  const typed = useEditor(editor, (state) => state.unread);
  const [broken, setBroken] = useState<readonly Schemas['ProblemView'][] | null>(null);

  useEffect(() => {
    if (typed === null) return;
    // What was typed since makes the answer one about the past.
    const asked = new AbortController();
    const timer = setTimeout(async () => {
      const told = await ask(client.POST('/api/v1/graphs/edit', { body: { text: typed }, signal: asked.signal })).catch(
        () => null,
      );
      if (told && !asked.signal.aborted) setBroken(takeText(editor, typed, told) ? null : told.problems);
    }, DELAY);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [editor, typed]);

  return (
    <div className={classes.panel}>
      {broken && (
        <Alert color="yellow" radius={0} py={6} role="status">
          {words.designer.textBroken}
        </Alert>
      )}
      <div className={classes.fill}>
        <YamlEditor
          label={words.designer.textLabel}
          value={typed ?? shown}
          problems={broken ?? problems}
          onChange={(unread) => editor.setState({ unread })}
        />
      </div>
    </div>
  );
}
