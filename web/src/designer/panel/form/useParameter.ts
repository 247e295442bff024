/** A parameter's value in the graph, and how it is written there. */

import { useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';
import { apply, settle, useEditor } from '@/editor/store';
import type { Json } from '@/graph/model';
import { type Path, setParameter, valueAt } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import { usePanel } from '../context';

const DELAY = 180;

/** What stands in the graph at a path of the node's parameters. */
export function useValue(path: Path): Json | undefined {
  const { editor, node } = usePanel();
  return useEditor(editor, (state) => valueAt(nodeOf(state.history.graph, node)?.with, path));
}

/** Write a parameter. What equals the default is left out, but where the file said it already. */
export function useWrite(path: Path, standard?: Json): (value: Json | undefined, merge?: string | null) => void {
  const { editor, node } = usePanel();
  const key = path.join('/');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the path is a new list each time; its text is what counts.
  return useCallback(
    (value, merge = null) => {
      const saved = valueAt(nodeOf(editor.getState().saved.graph, node)?.with, path);
      const given = saved === undefined && standard !== undefined && same(value, standard) ? undefined : value;
      apply(editor, `${key}`, setParameter(node, path, given), merge === null ? null : `with/${node}/${key}#${merge}`);
    },
    [editor, node, key, standard],
  );
}

/** A text that is typed: shown at once, told a moment later, word by word for undo, and when the field is left. */
export function useTyped(
  value: string,
  commit: (text: string, merge: string) => void,
): { text: string; type: (text: string) => void; leave: () => void } {
  const { editor } = usePanel();
  const [draft, setDraft] = useState<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const ended = useRef<{ text: string; word: number } | null>(null);
  const waiting = useRef<string | null>(null);
  const word = useRef(0);

  const flushWord = () => {
    const before = ended.current;
    ended.current = null;
    if (before) commit(before.text, String(before.word));
  };
  const flushAll = () => {
    clearTimeout(timer.current);
    flushWord();
    const text = waiting.current;
    waiting.current = null;
    if (text !== null) commit(text, String(word.current));
  };
  const later = useEffectEvent((what: 'word' | 'all') => (what === 'word' ? flushWord() : flushAll()));
  const type = (text: string) => {
    const before = draft ?? value;
    if (/\s$/.test(text) && text.length > before.length && !/\s$/.test(before)) {
      flushWord();
      ended.current = { text: before, word: word.current };
      word.current++;
      // The letter is painted before the word is written.
      requestAnimationFrame(() => setTimeout(() => later('word')));
    }
    setDraft(text);
    waiting.current = text;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => later('all'), DELAY);
  };
  const leave = () => {
    flushAll();
    setDraft(null);
    word.current++;
    settle(editor);
  };
  useEffect(() => () => later('all'), []);
  // Until the field is left it shows what was typed: `1.` is on its way to `1.5`, though the graph says 1.
  return { text: draft ?? value, type, leave };
}

/** Whether two values say the same. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = b as Record<string, Json>;
  return left.length === Object.keys(b).length && left.every(([key, value]) => key in b && same(value, right[key]));
}
