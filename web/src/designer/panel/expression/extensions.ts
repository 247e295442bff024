/** What CodeMirror needs for templates: colours, completion from the data, an error underlined where it is. */

import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { type Diagnostic, setDiagnostics } from '@codemirror/lint';
import type { Extension } from '@codemirror/state';
import { EditorView, ViewPlugin } from '@codemirror/view';
import { useMemo } from 'react';
import { partsOf } from '@/graph/templates';
import { CODE_TYPE } from '../data/drag';
import { proposals, type Readable } from './complete';
import { insertCode } from './insert';
import { templateLanguage } from './language';
import type { PreviewError } from './preview';
import { useReadable } from './useReadable';

/** The extensions for a template's editor. The list stays the same while it means the same. */
export function useExpressionExtensions(error: PreviewError | null): Extension {
  const readable = useReadable();
  const language = useMemo(
    () => [
      templateLanguage,
      drops,
      autocompletion({
        override: [(context) => complete(context, readable)],
        icons: false,
        maxRenderedOptions: 80,
        // What is shown can be taken: a key in its first moments is no line break.
        interactionDelay: 0,
      }),
    ],
    [readable],
  );
  const message = error?.missing ? null : (error?.message ?? null);
  const offset = error?.offset ?? null;
  return useMemo(
    () => [language, message === null ? cleared : underlined(message, offset)],
    [language, message, offset],
  );
}

const BOOSTS = { field: 3, node: 2, name: 1, method: 0 } as const;

async function complete(context: CompletionContext, readable: () => Readable): Promise<CompletionResult | null> {
  const text = context.state.doc.toString();
  const before = text.slice(0, context.pos);
  if (!context.explicit && !/[\w$.[("']$/.test(before)) return null;
  const found = await proposals(text, context.pos, readable());
  if (!found?.length || context.aborted) return null;
  const from = Math.max(...found.map((one) => one.from));
  return {
    from,
    options: found.map((one) => ({
      label: one.label,
      detail: one.detail,
      ...(one.info ? { info: one.info } : {}),
      type: one.kind,
      boost: BOOSTS[one.kind],
      apply: (view, _, __, to) => {
        const closed = one.insert.endsWith(')') && view.state.sliceDoc(to, to + 1) === ')' ? to + 1 : to;
        view.dispatch({
          changes: { from: one.from, to: closed, insert: one.insert },
          selection: { anchor: one.from + one.insert.length },
          userEvent: 'input.complete',
        });
      },
    })),
    validFor: /^[\w$]*$/,
  };
}

/** A field that is dropped becomes an expression where it falls. */
const drops = EditorView.domEventHandlers({
  drop(event, view) {
    const code = event.dataTransfer?.getData(CODE_TYPE);
    if (!code) return false;
    event.preventDefault();
    event.stopPropagation();
    const place = view.posAtCoords({ x: event.clientX, y: event.clientY }) ?? view.state.doc.length;
    insertCode(view, code, place);
    return true;
  },
});

function underlined(message: string, offset: number | null): Extension {
  return marks((text) => {
    const range = rangeOf(text, offset);
    return range ? [{ ...range, severity: 'error', message }] : [];
  });
}

const cleared = marks(() => []);

function marks(find: (text: string) => Diagnostic[]): Extension {
  return ViewPlugin.define((view) => {
    let alive = true;
    // While a view is set up it takes no changes.
    queueMicrotask(() => {
      if (alive) view.dispatch(setDiagnostics(view.state, find(view.state.doc.toString())));
    });
    return {
      destroy() {
        alive = false;
      },
    };
  });
}

/** What is underlined: from the error to the end of its word, else all the code. */
export function rangeOf(text: string, offset: number | null): { from: number; to: number } | null {
  const code = partsOf(text).filter((part) => part.kind === 'code');
  if (offset === null || offset >= text.length) {
    const first = code[0];
    return first && first.to > first.from ? { from: first.from, to: first.to } : null;
  }
  const word = /^[\w$]+/.exec(text.slice(offset));
  return { from: offset, to: Math.min(text.length, offset + Math.max(1, word?.[0].length ?? 1)) };
}
