import { yaml } from '@codemirror/lang-yaml';
import { unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { codeTheme } from './codeTheme';
import classes from './TextDiff.module.css';

interface Props {
  readonly label: string;
  readonly old: string;
  readonly fresh: string;
}

/** Two texts as one, with what was taken away and what was added. */
export function TextDiff({ label, old, fresh }: Props) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!host.current) return;
    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: fresh,
        extensions: [
          codeTheme,
          EditorState.readOnly.of(true),
          EditorView.contentAttributes.of({ 'aria-label': label }),
          EditorView.lineWrapping,
          lineNumbers(),
          yaml(),
          unifiedMergeView({ original: old, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 6 } }),
        ],
      }),
    });
    return () => view.destroy();
  }, [label, old, fresh]);
  return <div ref={host} className={classes.diff} />;
}
