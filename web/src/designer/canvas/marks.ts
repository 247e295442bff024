/** What is special about a node, in short signs and in words. */

import { fill, words } from '@/text/language';
import type { Card } from './scene';

export interface NodeMark {
  readonly mark: string;
  readonly text: string;
  readonly label: string;
}

const WAITING = /^flow\.(wait|approve|ask)@/;

/** The marks of a node, the ones that change what it does first. */
export function marksOf({ node, header, kind, pinned, inside }: Card): NodeMark[] {
  const marks: NodeMark[] = [];
  const add = (mark: string, text: string, label: string) => marks.push({ mark, text, label });
  if (node.disabled) add('disabled', '', words.canvas.disabled);
  if (pinned) add('pinned', '', words.canvas.pinned);
  if (header || kind === 'loop') add('header', '', words.canvas.header);
  if (node.join && node.join !== 'all') add('join', node.join, node.join);
  if (node.retry?.attempts && node.retry.attempts > 1) {
    add('retry', String(node.retry.attempts), fill(words.canvas.retry, { attempts: node.retry.attempts }));
  }
  if (WAITING.test(node.use)) add('wait', '', words.canvas.waits);
  if (node.cache) add('cached', '', words.canvas.cached);
  if (inside) add('inside', String(inside), fill(words.canvas.inside, { count: inside }));
  if (node.notes) add('noted', '', node.notes);
  return marks;
}

/** A node as one sentence, for who does not see it. */
export function toldOf(card: Card, status: string | undefined): string {
  const parts = [card.title, card.subtitle];
  if (!card.installed) parts.push(words.canvas.notInstalled);
  for (const { label, mark } of marksOf(card)) parts.push(mark === 'noted' ? words.canvas.noted : label);
  if (card.node.on_error === 'continue') parts.push(words.canvas.continues);
  if (card.errors) {
    parts.push(card.errors === 1 ? words.canvas.oneError : fill(words.canvas.errors, { count: card.errors }));
  }
  if (status) parts.push(status);
  return parts.join(', ');
}
