/** What CodeMirror needs for templates: colours, completion from the data, an error underlined where it is. */

import { type Diagnostic, setDiagnostics } from '@codemirror/lint';
import type { Extension } from '@codemirror/state';
import { ViewPlugin } from '@codemirror/view';
import { useMemo } from 'react';
import { templateLanguage } from './language';
import type { PreviewError } from './preview';
import { partsOf } from './templates';

/** The extensions for a template's editor. The list stays the same while it means the same. */
export function useExpressionExtensions(error: PreviewError | null): Extension {
  return useMemo(() => [templateLanguage, error && !error.missing ? underlined(error) : []], [error]);
}

function underlined(error: PreviewError): Extension {
  return ViewPlugin.define((view) => {
    queueMicrotask(() => {
      const text = view.state.doc.toString();
      const range = rangeOf(text, error.offset);
      const diagnostics: Diagnostic[] = range ? [{ ...range, severity: 'error', message: error.message }] : [];
      view.dispatch(setDiagnostics(view.state, diagnostics));
    });
    return {};
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
