import { expect, test } from 'vitest';
import type { FileEntry } from '@/api/files';
import { fitting, joined, steps, suits, typedPath } from './paths';

test('a typed path is a folder and the beginning of a name', () => {
  expect(typedPath('~/Doc')).toEqual({ folder: '~', part: 'Doc' });
  expect(typedPath('/')).toEqual({ folder: '/', part: '' });
  expect(typedPath('/srv/data/')).toEqual({ folder: '/srv/data', part: '' });
  expect(typedPath('/srv/data/a.c')).toEqual({ folder: '/srv/data', part: 'a.c' });
});

test('what begins at a run’s own directory, or is no path, names no folder', () => {
  for (const text of ['', 'out.csv', 'out/a', '~', '~root/a', 'requests==2.0', '{{ $json.path }}']) {
    expect(typedPath(text)).toBeNull();
  }
});

test('names are put behind folders, also behind the topmost', () => {
  expect(joined('~', 'a')).toBe('~/a');
  expect(joined('/', 'a')).toBe('/a');
  expect(steps('/srv/data').map((step) => step.folder)).toEqual(['/', '/srv', '/srv/data']);
  expect(steps('/')).toEqual([{ name: '/', folder: '/' }]);
});

const entry = (name: string, kind: FileEntry['kind'] = 'file'): FileEntry => ({
  name,
  kind,
  target: null,
  size: null,
  modified: null,
});
const ENTRIES = [entry('data', 'folder'), entry('link', 'link'), entry('Report.csv'), entry('old-report.csv')];
const names = (text: string, foldersOnly = false) =>
  fitting(ENTRIES, text, foldersOnly).map((one) => `${one.kind} ${one.name}`);

test('what begins with the text comes first, and the text itself can be a new name', () => {
  expect(names('report')).toEqual(['file Report.csv', 'file old-report.csv', 'new report']);
  expect(names('Report.csv')).toEqual(['file Report.csv', 'file old-report.csv']);
  expect(names('')).toHaveLength(4);
});

test('where a folder is wanted files are left out, and a name that a file has is not new', () => {
  expect(names('', true)).toEqual(['folder data', 'link link']);
  expect(names('Report.csv', true)).toEqual([]);
});

test('a device or a socket is no folder, and may be a file', () => {
  expect(suits(entry('null', 'other'), true)).toBe(false);
  expect(suits(entry('null', 'other'), false)).toBe(true);
});

test('a whole path can be typed, too', () => {
  expect(names('~/Documents')).toEqual(['path ~/Documents']);
  expect(names('/')).toEqual(['path /']);
});
