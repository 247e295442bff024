/** Templates for CodeMirror: the code between braces is coloured as JavaScript, on a tinted ground. */

import { StreamLanguage } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { Decoration, type DecorationSet, type EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import { partsOf } from '@/graph/templates';

interface State {
  /** Inside of braces. */
  code: boolean;
  /** Objects that are open in the code. */
  depth: number;
}

const KEYWORDS = /^(new|typeof|instanceof|in|of|void|delete|return|const|let|function|if|else|this)\b/;
const ATOMS = /^(true|false|null|undefined|NaN|Infinity)\b/;

const tokens = StreamLanguage.define<State>({
  startState: () => ({ code: false, depth: 0 }),
  token(stream, state) {
    if (!state.code) {
      if (stream.match('\\{{')) return null;
      if (stream.match('{{')) {
        state.code = true;
        state.depth = 0;
        return 'brace';
      }
      stream.next();
      stream.eatWhile((char) => char !== '{' && char !== '\\');
      return null;
    }
    if (state.depth === 0 && stream.match('}}')) {
      state.code = false;
      return 'brace';
    }
    if (stream.eatSpace()) return null;
    if (stream.match(/^\/\*.*?\*\//) || stream.match(/^\/\/.*/)) return 'comment';
    if (stream.match(/^"(\\.|[^"\\])*"?/) || stream.match(/^'(\\.|[^'\\])*'?/) || stream.match(/^`(\\.|[^`\\])*`?/)) {
      return 'string';
    }
    if (stream.match(/^\d[\d_]*(\.\d+)?(e[+-]?\d+)?/i)) return 'number';
    if (stream.match(KEYWORDS)) return 'keyword';
    if (stream.match(ATOMS)) return 'atom';
    if (stream.match(/^\??\.[A-Za-z_$][\w$]*/)) return 'propertyName';
    if (stream.match(/^\$[\w$]*/)) return 'variableName.special';
    if (stream.match(/^[A-Za-z_][\w$]*/)) return null;
    const char = stream.next();
    if (char === '{') state.depth++;
    if (char === '}' && state.depth > 0) state.depth--;
    return null;
  },
  languageData: { closeBrackets: { brackets: ['(', '[', '{', "'", '"', '`'] } },
});

const ground = Decoration.mark({ class: 'cm-template' });
const open = Decoration.mark({ class: 'cm-template cm-template-open' });

const grounds = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = decorate(view);
    }
    update(update: ViewUpdate) {
      if (update.docChanged) this.decorations = decorate(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

function decorate(view: EditorView): DecorationSet {
  const text = view.state.doc.toString();
  const marks = partsOf(text)
    .filter((part) => part.kind === 'code')
    .map((part) => (part.closed ? ground : open).range(part.from - 2, part.closed ? part.to + 2 : part.to));
  return Decoration.set(marks);
}

export const templateLanguage: Extension = [tokens, grounds];
