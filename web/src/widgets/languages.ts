/** CodeMirror's language for a name; each is fetched when it is wanted. */

import { StreamLanguage } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { useEffect, useState } from 'react';

export type Language = 'javascript' | 'python' | 'sql' | 'json' | 'yaml' | 'html' | 'shell' | 'liquid' | 'text';

/** Shell and Liquid: comments, texts, names and keywords, which is what matters in short scripts. */
function simple(comment: string, keywords: readonly string[]): Extension {
  const known = new Set(keywords);
  return StreamLanguage.define({
    token(stream) {
      if (stream.match(comment)) {
        stream.skipToEnd();
        return 'comment';
      }
      if (stream.match(/^"(\\.|[^"\\])*"?/) || stream.match(/^'[^']*'?/)) return 'string';
      if (stream.match(/^\$\{?[\w@#?*]+\}?/)) return 'variableName.special';
      if (stream.match(/^\{[{%]-?|^-?[}%]\}/)) return 'brace';
      if (stream.match(/^\d+(\.\d+)?\b/)) return 'number';
      if (stream.match(/^[A-Za-z_][\w-]*/)) return known.has(stream.current()) ? 'keyword' : null;
      stream.next();
      return null;
    },
  });
}

const LOADERS: Readonly<Record<Language, () => Promise<Extension>>> = {
  javascript: async () => (await import('@codemirror/lang-javascript')).javascript(),
  python: async () => (await import('@codemirror/lang-python')).python(),
  sql: async () => (await import('@codemirror/lang-sql')).sql(),
  json: async () => (await import('@codemirror/lang-json')).json(),
  yaml: async () => (await import('@codemirror/lang-yaml')).yaml(),
  html: async () => simple('<!--', []),
  shell: async () =>
    simple('#', 'if then else elif fi for in do done while until case esac function return exit export set'.split(' ')),
  liquid: async () =>
    simple(
      '{#',
      'if elsif else endif for endfor in assign capture endcapture case when endcase unless endunless'.split(' '),
    ),
  text: async () => [],
};

/** The language as an extension; nothing until it has come. */
export function useLanguage(name: Language): Extension {
  const [found, setFound] = useState<{ name: Language; extension: Extension } | null>(null);
  useEffect(() => {
    let wanted = true;
    void LOADERS[name]().then((extension) => wanted && setFound({ name, extension }));
    return () => {
      wanted = false;
    };
  }, [name]);
  return found?.name === name ? found.extension : NOTHING;
}

const NOTHING: Extension = [];
