/** Paths as people type them: which folder is meant, and what of a name stands behind it. */

import type { FileEntry } from '@/api/files';

/** A typed path as the folder to look into and the beginning of a name in it; null where no folder is meant yet. */
export interface TypedPath {
  readonly folder: string;
  readonly part: string;
}

/** `~/Doc` is `Doc` in `~`. A path that begins at a run's own directory names no folder that could be looked into. */
export function typedPath(text: string): TypedPath | null {
  const cut = text.lastIndexOf('/');
  if (cut < 0 || !(text.startsWith('/') || text.startsWith('~/'))) return null;
  return { folder: text.slice(0, cut) || '/', part: text.slice(cut + 1) };
}

/** The path of a name in a folder. */
export function joined(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

/** A folder and all that it is in, from the top: what a path leads through. */
export function steps(folder: string): readonly { readonly name: string; readonly folder: string }[] {
  const names = folder.split('/').filter((name) => name !== '');
  return [
    { name: '/', folder: '/' },
    ...names.map((name, index) => ({ name, folder: `/${names.slice(0, index + 1).join('/')}` })),
  ];
}

/** Whether an entry of a folder may be what is looked for; where a link leads, only the server can tell. */
export function suits({ kind }: FileEntry, foldersOnly: boolean): boolean {
  return !foldersOnly || kind === 'folder' || kind === 'link';
}

/** What can be chosen: an entry of the folder, a name that is to be made there, or a path that was typed as a whole. */
export interface Fitting {
  readonly kind: FileEntry['kind'] | 'new' | 'path';
  readonly name: string;
  readonly entry?: FileEntry;
}

/** What of a folder fits a text: names that begin so, then those that have it somewhere, then it as a new name. */
export function fitting(entries: readonly FileEntry[], text: string, foldersOnly: boolean): readonly Fitting[] {
  const wanted = text.trim().toLowerCase();
  const shown = entries.filter((one) => suits(one, foldersOnly));
  const all = shown.map((entry): Fitting => ({ kind: entry.kind, name: entry.name, entry }));
  if (!wanted) return all;
  if (wanted === '~' || wanted.startsWith('/') || wanted.startsWith('~/')) return [{ kind: 'path', name: text.trim() }];
  const begin = all.filter((one) => one.name.toLowerCase().startsWith(wanted));
  const inside = all.filter((one) => one.name.toLowerCase().indexOf(wanted) > 0);
  const known = entries.some((one) => one.name === text.trim());
  return [...begin, ...inside, ...(known ? [] : [{ kind: 'new' as const, name: text.trim() }])];
}
