import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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

describe('drafts', () => {
  const storage = (setItem: (key: string, value: string) => void, items = new Map<string, string>()) => ({
    getItem: (key: string) => items.get(key) ?? null,
    removeItem: (key: string) => items.delete(key),
    setItem,
    items,
  });
  const page = () => {
    const page = new EventTarget();
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    return page;
  };
  afterEach(() => vi.unstubAllGlobals());

  test('have what was changed in the moment before the page is closed', async () => {
    const items = new Map<string, string>();
    vi.stubGlobal(
      'localStorage',
      storage((key, value) => items.set(key, value), items),
    );
    const window = page();
    const editor = await openEditor('closed');
    apply(editor, 'Rename', renamed);
    expect(window.dispatchEvent(new Event('beforeunload', { cancelable: true }))).toBe(true);
    expect(JSON.parse(items.get('pyagent.draft.closed') ?? '')).toMatchObject({ graph: { name: 'Changed' } });
  });

  test('that another tab has written over are not lost without a word', async () => {
    const items = new Map<string, string>();
    vi.stubGlobal(
      'localStorage',
      storage((key, value) => items.set(key, value), items),
    );
    const window = page();
    const leave = () => window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
    const editor = await openEditor('tabs');
    apply(editor, 'Rename', renamed);
    expect(leave()).toBe(true);
    const theirs = (items.get('pyagent.draft.tabs') ?? '').replace('Changed', 'By another tab');
    items.set('pyagent.draft.tabs', theirs);
    expect(leave()).toBe(false);
    expect(items.get('pyagent.draft.tabs')).toBe(theirs);
    items.delete('pyagent.draft.tabs');
    expect(leave()).toBe(false);
  });

  test('are of the file as it was saved by others meanwhile, and those of other tabs stay', async () => {
    const items = new Map<string, string>([['pyagent.draft.calm', 'of another tab']]);
    vi.stubGlobal(
      'localStorage',
      storage((key, value) => items.set(key, value), items),
    );
    const window = page();
    const leave = () => window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
    const editor = await openEditor('base');
    apply(editor, 'Rename', renamed);
    expect(leave()).toBe(true);
    editor.setState(({ saved }) => ({ saved: { ...saved, textHash: 'new' } }));
    expect(leave()).toBe(true);
    expect(JSON.parse(items.get('pyagent.draft.base') ?? '')).toMatchObject({ textHash: 'new' });
    const calm = await openEditor('calm');
    calm.setState(({ saved, history }) => {
      const graph = renamed(saved.graph);
      return { saved: { ...saved, graph }, history: { ...history, graph } };
    });
    leave();
    expect(items.get('pyagent.draft.calm')).toBe('of another tab');
  });

  test('of another tab stay where a graph is let go that was left long ago', async () => {
    const items = new Map<string, string>([['pyagent.draft.idle', 'of another tab']]);
    vi.stubGlobal(
      'localStorage',
      storage((key, value) => items.set(key, value), items),
    );
    const idle = await openEditor('idle');
    for (let count = 0; count < 40; count++) await openEditor(`since then ${count}`);
    expect(await openEditor('idle')).not.toBe(idle);
    expect(items.get('pyagent.draft.idle')).toBe('of another tab');
  });

  test('that were opened can be left again', async () => {
    const items = new Map<string, string>();
    vi.stubGlobal(
      'localStorage',
      storage((key, value) => items.set(key, value), items),
    );
    const graph = { ...file('opened').spec, name: 'Draft' };
    items.set('pyagent.draft.opened', JSON.stringify({ graph, textHash: 'opened', text: 'id: opened' }));
    const window = page();
    expect((await openEditor('opened')).getState().saving).toBe('changed');
    expect(window.dispatchEvent(new Event('beforeunload', { cancelable: true }))).toBe(true);
  });

  test('that the browser has no room for are told, and the page is not closed without a word', async () => {
    vi.stubGlobal(
      'localStorage',
      storage(() => {
        throw new DOMException('full', 'QuotaExceededError');
      }),
    );
    const window = page();
    const leave = () => window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
    const editor = await openEditor('full');
    expect(leave()).toBe(true);
    apply(editor, 'Rename', renamed);
    expect(leave()).toBe(false);
    expect(editor.getState().kept).toBe(false);
    server.PUT.mockImplementation(async () => answer(200, { ...file('full'), text_hash: 'new' }));
    await save(editor);
    expect(leave()).toBe(true);
  });

  test.each(['{}', '1', '"x"', '[]', '{"textHash": 1}', '{"textHash": "a", "text": "", "graph": null}', '{', 'null'])(
    'that are none keep no graph from opening: %s',
    async (draft) => {
      const id = `strange${draft}`;
      vi.stubGlobal(
        'localStorage',
        storage(() => undefined, new Map([[`pyagent.draft.${id}`, draft]])),
      );
      expect((await openEditor(id)).getState()).toMatchObject({ saving: 'saved', history: { graph: { id } } });
    },
  );
});

describe('an answer that is none of the server', () => {
  test.each([
    ['a page', () => Promise.reject(new SyntaxError('Unexpected token <'))],
    ['nothing', async () => ({ response: { status: 200, ok: true } })],
    ['null', async () => ({ response: { status: 200, ok: true }, data: null })],
  ])('%s: what was to be saved waits for the server', async (name, put) => {
    const editor = await openEditor(`answered by ${name}`);
    apply(editor, 'Rename', renamed);
    server.PUT.mockImplementation(put);
    await save(editor);
    expect(editor.getState().saving).toBe('offline');
    server.PUT.mockImplementation(async () => answer(200, { ...file(name), text_hash: 'new' }));
    await save(editor);
    expect(editor.getState().saving).toBe('saved');
  });
});
