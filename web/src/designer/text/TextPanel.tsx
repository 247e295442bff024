import { Alert } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { ask, client, type Schemas } from '@/api/client';
import { takeText } from '@/editor/files';
import { type Editor, useEditor } from '@/editor/store';
import { specOf } from '@/graph/read';
import { words } from '@/text/language';
import classes from './text.module.css';
import { YamlEditor } from './YamlEditor';

const DELAY = 300;

/** The graph's file as text: what is typed here is on the canvas, what is done there is here. */
export function TextPanel({ editor }: { readonly editor: Editor }) {
  const shown = useEditor(editor, (state) => state.checked?.text ?? state.saved.text);
  const problems = useEditor(editor, (state) => state.checked?.problems) ?? [];
  const [typed, setTyped] = useState<string | null>(null);
  const [broken, setBroken] = useState<readonly Schemas['ProblemView'][] | null>(null);
  const asked = useRef<AbortController | null>(null);

  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(async () => {
      asked.current?.abort();
      asked.current = new AbortController();
      const answer = await ask(
        client.POST('/api/v1/graphs/edit', { body: { text: typed }, signal: asked.current.signal }),
      ).catch(() => null);
      if (!answer) return;
      if (answer.spec) {
        takeText(editor, typed, specOf(answer.spec));
        setBroken(null);
        setTyped(null);
      } else {
        setBroken(answer.problems);
      }
    }, DELAY);
    return () => clearTimeout(timer);
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
          onChange={setTyped}
        />
      </div>
    </div>
  );
}
