import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, foldGutter } from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Annotation, EditorState } from '@codemirror/state';
import { EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import type { Schemas } from '@/api/client';
import { codeTheme } from '@/widgets/codeTheme';
import classes from './text.module.css';

interface Props {
  readonly label: string;
  readonly value: string;
  readonly problems: readonly Schemas['ProblemView'][];
  readonly onChange: (value: string) => void;
}

/** Changes that come from outside of the editor are not told to it as if they had been typed. */
const fromOutside = Annotation.define<boolean>();

/** A graph file as text, with its problems on their lines. */
export function YamlEditor({ label, value, problems, onChange }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const first = useRef(value);
  const changed = useRef(onChange);
  changed.current = onChange;
  useEffect(() => {
    if (!host.current) return;
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          codeTheme,
          EditorView.contentAttributes.of({ 'aria-label': label }),
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          bracketMatching(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          yaml(),
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
          EditorView.updateListener.of((update) => {
            const typed = update.transactions.some((one) => one.docChanged && !one.annotation(fromOutside));
            if (typed) changed.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [label]);
  useEffect(() => {
    const now = view.current;
    if (!now || now.state.doc.toString() === value) return;
    now.dispatch({ changes: changeTo(now.state.doc.toString(), value), annotations: fromOutside.of(true) });
  }, [value]);
  useEffect(() => {
    const now = view.current;
    if (now) now.dispatch(setDiagnostics(now.state, diagnostics(now.state, problems)));
  }, [problems]);
  return <div ref={host} className={classes.editor} />;
}

/** The one change between two texts: what they have in common at both ends stays, and with it the cursor. */
function changeTo(old: string, fresh: string): { from: number; to: number; insert: string } {
  const most = Math.min(old.length, fresh.length);
  let from = 0;
  while (from < most && old[from] === fresh[from]) from++;
  let end = 0;
  while (end < most - from && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end++;
  return { from, to: old.length - end, insert: fresh.slice(from, fresh.length - end) };
}

function diagnostics(state: EditorState, problems: Props['problems']): Diagnostic[] {
  return problems.flatMap((problem) => {
    const { line } = problem.where;
    if (!line) return [];
    // What is missing at the end is told of the line behind it.
    const at = state.doc.line(Math.min(line, state.doc.lines));
    const from = Math.min(at.from + Math.max(0, (problem.where.column ?? 1) - 1), at.to);
    const message = problem.hint ? `${problem.message}\n${problem.hint}` : problem.message;
    return [{ from, to: at.to, severity: problem.severity, message, source: problem.code }];
  });
}
