// @vitest-environment jsdom
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FileEntry } from '@/api/files';

const server = vi.hoisted(() => ({ GET: vi.fn() }));
vi.mock('@/api/client', async (original) => ({ ...(await original<object>()), client: server }));

const { default: FileDialog } = await import('./FileDialog');

const entry = (name: string, kind: FileEntry['kind'], more: Partial<FileEntry> = {}): FileEntry => ({
  name,
  kind,
  target: null,
  size: null,
  modified: null,
  ...more,
});
const FOLDERS: { readonly [folder: string]: readonly FileEntry[] } = {
  '/home/ann': [entry('data', 'folder'), entry('closed', 'folder'), entry('link', 'link', { target: '/srv/a.csv' })],
  '/home/ann/data': [entry('a.csv', 'file', { size: 5 }), entry('huge', 'folder')],
  '/home/ann/data/huge': [entry('0001', 'file')],
};

function answer(asked: { folder?: string; search?: string }) {
  const folder = (asked.folder || '/home/ann').replace(/^~/, '/home/ann');
  const refused = (status: number, code: string) => ({
    response: { status, ok: false },
    error: { code, message: code },
  });
  if (folder === '/home/ann/link') return refused(422, 'files.not_a_folder');
  const entries = FOLDERS[folder];
  if (!entries) return refused(folder.endsWith('closed') ? 422 : 404, 'files.unreadable');
  const found = asked.search ? [entry(`${asked.search} was found`, 'file')] : entries;
  return {
    response: { status: 200, ok: true },
    data: {
      folder,
      written: folder.replace('/home/ann', '~'),
      parent: folder.slice(0, folder.lastIndexOf('/')) || '/',
      home: '/home/ann',
      start: '/home/ann',
      entries: found,
      more: folder.endsWith('huge') && !asked.search,
    },
  };
}

beforeEach(() => {
  Element.prototype.scrollIntoView = () => undefined;
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  server.GET.mockImplementation(async (_: string, { params }) => answer(params.query));
});
afterEach(() => {
  document.body.innerHTML = '';
});

function draw(folder = '', foldersOnly = false) {
  const chosen = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MantineProvider env="test">
        <FileDialog folder={folder} foldersOnly={foldersOnly} onChoose={chosen} onClose={() => undefined} />
      </MantineProvider>
    </QueryClientProvider>,
  );
  return chosen;
}

const field = () => screen.getByRole('combobox');
const press = (key: string, more = {}) => fireEvent.keyDown(field(), { key, ...more });
const shown = async (...names: readonly string[]) =>
  waitFor(() =>
    expect(screen.getAllByRole('option').map((one) => one.querySelector('span')?.textContent)).toEqual(
      names.map((name) => expect.stringContaining(name)),
    ),
  );

test('folders are walked by keys, and what is chosen is written from the home folder', async () => {
  const chosen = draw();
  await shown('data', 'closed', 'link');
  press('Enter');
  await shown('a.csv', 'huge');
  press('Backspace');
  await shown('data', 'closed', 'link');
  press('Enter');
  await shown('a.csv', 'huge');
  press('Enter');
  expect(chosen).toHaveBeenCalledExactlyOnceWith('~/data/a.csv');
});

test('keys that come before the folder wait for it', async () => {
  const chosen = draw('~/data');
  fireEvent.change(field(), { target: { value: 'a.c' } });
  press('Enter');
  await waitFor(() => expect(chosen).toHaveBeenCalledExactlyOnceWith('~/data/a.csv'));
});

test('a folder that cannot be read says so and is left as it was entered', async () => {
  draw('~');
  await shown('data', 'closed', 'link');
  press('ArrowDown');
  press('Enter');
  await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('files.unreadable'));
  press('Backspace');
  await shown('data', 'closed', 'link');
});

test('a link to a file is chosen as the file that it is', async () => {
  const chosen = draw('~');
  await shown('data', 'closed', 'link');
  fireEvent.change(field(), { target: { value: 'link' } });
  press('Enter');
  await waitFor(() => expect(chosen).toHaveBeenCalledExactlyOnceWith('~/link'));
});

test.each([
  ['goes on to another folder', () => fireEvent.click(screen.getByRole('button', { name: '/' }))],
  ['closes the dialog', () => cleanup()],
])('where a link leads is of no use to who meanwhile %s', async (_, leave) => {
  let tell: (() => void) | undefined;
  server.GET.mockImplementation(async (_: string, { params }) => {
    if (params.query.folder === '/home/ann/link') await new Promise<void>((resolve) => (tell = resolve));
    return answer(params.query);
  });
  const chosen = draw('~');
  await shown('data', 'closed', 'link');
  fireEvent.change(field(), { target: { value: 'link' } });
  press('Enter');
  await waitFor(() => expect(tell).toBeDefined());
  leave();
  await act(async () => tell?.());
  await act(async () => undefined);
  expect(chosen).not.toHaveBeenCalled();
});

test('a path that leads nowhere any more begins where one without a path does', async () => {
  draw('/gone/for/good');
  await shown('data', 'closed', 'link');
});

test('of a huge folder the server is asked for what is typed', async () => {
  const chosen = draw('~/data/huge');
  await shown('0001');
  fireEvent.change(field(), { target: { value: '99' } });
  await shown('99 was found', 'New: 99');
  // It runs the graph where nothing else takes it.
  const elsewhere = vi.fn();
  document.documentElement.addEventListener('keydown', elsewhere);
  press('Enter', { ctrlKey: true });
  expect(elsewhere).not.toHaveBeenCalled();
  expect(chosen).toHaveBeenCalledExactlyOnceWith('~/data/huge');
});

test('where a folder is wanted only folders are shown', async () => {
  draw('~/data', true);
  await shown('huge');
});
