import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { GraphSpec } from '@/graph/model';

const server = vi.hoisted(() => ({ GET: vi.fn(), PUT: vi.fn(), POST: vi.fn() }));
vi.mock('@/api/client', async (original) => ({ ...(await original<object>()), client: server }));
vi.mock('@/api/watch', () => ({ watchGraphs: () => () => undefined }));

const { openEditor, save } = await import('./files');
const { apply } = await import('./store');

const answer = (status: number, body: object) => ({
  response: { status, ok: status < 400 },
  ...(status < 400 ? { data: body } : { error: body }),
});
const file = (id: string) => ({
  text: `id: ${id}`,
  text_hash: id,
  file: `${id}.yaml`,
  spec: { pyagent: 1, id, nodes: [] },
});
const renamed = (graph: GraphSpec): GraphSpec => ({ ...graph, name: 'Changed' });

beforeEach(() => {
  vi.resetAllMocks();
  server.GET.mockImplementation(async (_: string, { params }) => answer(200, file(params.path.graph_id)));
  server.POST.mockImplementation(async () => answer(200, { ok: true, text: '', problems: [], nodes: {} }));
  server.PUT.mockImplementation(async () => answer(409, { code: 'graph.conflict' }));
});

describe('a save that meets another file', () => {
  test('waits for the server where the file cannot be read any more', async () => {
    const editor = await openEditor('lost');
    apply(editor, 'Rename', renamed);
    server.GET.mockRejectedValue(new TypeError('Failed to fetch'));
    await save(editor);
    expect(editor.getState().saving).toBe('offline');
  });

  test('can be tried again where the file is as it was', async () => {
    const editor = await openEditor('same');
    apply(editor, 'Rename', renamed);
    await save(editor);
    expect(editor.getState().saving).toBe('refused');
    await save(editor);
    expect(server.PUT).toHaveBeenCalledTimes(2);
  });

  test('says that the file is gone where there is none', async () => {
    const editor = await openEditor('gone');
    apply(editor, 'Rename', renamed);
    const gone = answer(404, { code: 'graph.not_found' });
    server.GET.mockResolvedValue(gone);
    server.PUT.mockResolvedValue(gone);
    await save(editor);
    expect(editor.getState()).toMatchObject({ disk: 'gone', saving: 'refused' });
  });
});

test('editors that were left long ago are let go, but for unsaved changes', async () => {
  const left = await openEditor('left');
  const changed = await openEditor('changed');
  apply(changed, 'Rename', renamed);
  for (let count = 0; count < 40; count++) await openEditor(`other${count}`);
  expect(await openEditor('changed')).toBe(changed);
  expect(await openEditor('left')).not.toBe(left);
});

test('a file that is gone is told where the server has a version of it', async () => {
  server.GET.mockImplementation(async () => answer(200, { ...file('kept'), file: '' }));
  expect((await openEditor('kept')).getState().disk).toBe('gone');
});
