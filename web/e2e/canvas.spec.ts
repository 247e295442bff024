import { expect, expectAccessible, openGraph, test } from './fixtures';

const EMPTY = 'pyagent: 1\nid: empty\nname: Empty\nnodes: []\n';
const CHAIN = `pyagent: 1
id: chain
name: Chain
nodes:
  - id: start
    use: flow.manual@1
    name: Start
  # It stays.
  - id: one
    use: flow.noop@1
    name: One
  - id: two
    use: data.set@1
    name: Two
    with: {fields: {of: "{{ $('One').first().json }}"}}
edges:
  - start -> one
  - one -> two
layout:
  start: [0, 0]
  one: [220, 0]
  two: [440, 0]
`;

test('five nodes are built, connected, named and taken back without a mouse', async ({ page, server }) => {
  await server.write('empty', EMPTY);
  await openGraph(page, 'empty');
  const canvas = page.locator('[data-canvas]');
  await canvas.focus();
  for (const [search, title] of [
    ['start', 'Start'],
    ['do nothing', 'Do nothing'],
    ['do nothing', 'Do nothing 2'],
    ['merge', 'Merge'],
    ['stop the', 'Stop the run'],
  ]) {
    await page.keyboard.press('Tab');
    await page.getByRole('combobox').fill(search ?? '');
    await expect(page.getByRole('option', { selected: true })).toContainText((title ?? '').replace(/ \d$/, ''));
    await page.keyboard.press('Enter');
    await expect(canvas.getByRole('status')).toHaveText(`${title} added`);
    await expect(canvas).toBeFocused();
  }
  await expect(page.locator('[data-card]')).toHaveCount(5);
  // Each was connected with the one before.
  await expect(page.locator('[data-wire]')).toHaveCount(4);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('F2');
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('Renamed');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-card]', { hasText: 'Renamed' })).toBeVisible();
  await page.keyboard.press('c');
  await page.getByRole('combobox').fill('stop');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-wire]')).toHaveCount(5);
  await page.keyboard.press('Control+z');
  await expect(page.locator('[data-wire]')).toHaveCount(4);
  await page.keyboard.press('Control+Shift+z');
  await expect(page.locator('[data-wire]')).toHaveCount(5);
});

test('a node is dragged, a box selects, and what is copied is pasted', async ({ page, server }) => {
  await server.write('chain', CHAIN);
  await openGraph(page, 'chain');
  const card = page.locator('[data-card="two"]');
  const before = await card.boundingBox();
  if (!before) throw new Error('The node is not there.');
  const [x, y] = [before.x + before.width / 2, before.y + before.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 30, y + 100, { steps: 4 });
  await page.mouse.up();
  await expect.poll(async () => (await card.boundingBox())?.y).toBeCloseTo(before.y + 100, 0);
  const first = await page.locator('[data-card="start"]').boundingBox();
  if (!first) throw new Error('The node is not there.');
  await page.mouse.move(first.x - 20, first.y - 60);
  await page.mouse.down();
  await page.mouse.move(first.x + first.width + 120, first.y + 120, { steps: 4 });
  await page.mouse.up();
  await expect(page.locator('[data-card][data-selected]')).toHaveCount(2);
  await page.keyboard.press('Control+d');
  await expect(page.locator('[data-card]')).toHaveCount(5);
  await page.keyboard.press('Delete');
  await expect(page.locator('[data-card]')).toHaveCount(3);
});

test('renaming a node renames it where expressions say its name, and the comment stays', async ({ page, server }) => {
  await server.write('chain', CHAIN);
  await openGraph(page, 'chain');
  await page.locator('[data-card="one"]').click();
  await page.keyboard.press('F2');
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('First');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-card="one"]')).toContainText('First');
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('chain')).toContain("$('First')");
  expect(await server.read('chain')).toContain('# It stays.');
});

test('of two wires that lie on each other the tools can be reached', async ({ page, server }) => {
  await server.write('chain', CHAIN.replace('layout:', '  - start -> two\nlayout:'));
  await openGraph(page, 'chain');
  const [from, to] = await Promise.all(['start', 'one'].map((id) => page.locator(`[data-card="${id}"]`).boundingBox()));
  if (!from || !to) throw new Error('The nodes are not there.');
  await page.mouse.move((from.x + from.width + to.x) / 2, from.y + from.height / 2, { steps: 3 });
  await page.getByRole('button', { name: 'Add a node here' }).click();
  const field = page.getByRole('combobox');
  await expect(field).toBeFocused();
  await field.fill('do nothing');
  await expect(page.getByRole('option', { selected: true })).toContainText('Do nothing');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-card]')).toHaveCount(4);
  await expect(page.locator('[data-wire="start -> noop"]')).toHaveCount(1);
  await expect(page.locator('[data-wire="noop -> one"]')).toHaveCount(1);
  await expect(page.locator('[data-wire="start -> two"]')).toHaveCount(1);
  await page.locator('[data-canvas]').focus();
  await page.keyboard.press('1');
  const last = page.locator('[data-wire="noop -> one"] path').first();
  await expect(last).toBeAttached();
  const [middle, after] = await Promise.all(
    ['noop', 'one'].map((id) => page.locator(`[data-card="${id}"]`).boundingBox()),
  );
  if (!middle || !after) throw new Error('The nodes are not there.');
  await page.mouse.move((middle.x + middle.width + after.x) / 2, middle.y + middle.height / 2, { steps: 3 });
  await page.getByRole('button', { name: 'Remove this connection' }).click();
  await expect(page.locator('[data-wire]')).toHaveCount(3);
});

test('a node is dragged from the palette, an edge is led elsewhere, and a finger chooses', async ({ page, server }) => {
  await server.write('chain', CHAIN.replace('one: [220, 0]', 'one: [280, 0]').replace('[440, 0]', '[560, 200]'));
  await openGraph(page, 'chain');
  const canvas = page.locator('[data-canvas]');
  const box = async (selector: string) => {
    const found = await page.locator(selector).boundingBox();
    if (!found) throw new Error(`${selector} is not there.`);
    return found;
  };
  await canvas.focus();
  await page.keyboard.press('Tab');
  await page.getByRole('combobox').fill('do nothing');
  await page
    .getByRole('option')
    .first()
    .dragTo(canvas, { targetPosition: { x: 300, y: 600 } });
  await expect(page.locator('[data-card]')).toHaveCount(4);
  await canvas.focus();
  await page.keyboard.press('1');
  // The end at `one` is taken beside its port, and let go on another node.
  await expect(page.locator('[data-card="start"]')).toBeInViewport();
  const updater = page.locator('[data-id="start -> one"] .react-flow__edgeupdater-target');
  const end = await updater.boundingBox();
  const other = await box('[data-card="two"]');
  if (!end) throw new Error('The edge has no end.');
  await page.mouse.move(end.x + 3, end.y + end.height / 2);
  await page.mouse.down();
  await page.mouse.move(other.x - 60, other.y, { steps: 3 });
  await page.mouse.move(other.x + other.width / 2, other.y + other.height / 2, { steps: 3 });
  await page.mouse.up();
  await expect(page.locator('[data-wire="start -> two"]')).toHaveCount(1);
  await expect(page.locator('[data-wire]')).toHaveCount(2);
  const finger = await page.context().newCDPSession(page);
  const one = await box('[data-card="one"]');
  const points = [{ x: one.x + one.width / 2, y: one.y + one.height / 2 }];
  await finger.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: points });
  await finger.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await expect(page.locator('[data-card="one"]')).toHaveAttribute('data-selected');
});

test('keys that are pressed before a dialog is there are typed into it', async ({ page, server }) => {
  await server.write('chain', CHAIN);
  // The dialog's chunk comes when the keys have been pressed.
  let letIn = () => {};
  const typed = new Promise<void>((resolve) => {
    letIn = resolve;
  });
  await page.route(/\/NodePalette-[^/]*\.js$/, async (route) => {
    await typed;
    await route.continue();
  });
  await openGraph(page, 'chain');
  await page.locator('[data-card="two"]').click();
  await page.keyboard.press('Tab');
  await page.keyboard.type('drd');
  letIn();
  await expect(page.getByRole('combobox')).toHaveValue('drd');
  await expect(page.locator('[data-card][data-disabled]')).toHaveCount(0);
});

test('a node is chosen by keys that are all pressed before the palette is there', async ({ page, server }) => {
  await server.write('chain', CHAIN);
  let letIn = () => {};
  const typed = new Promise<void>((resolve) => {
    letIn = resolve;
  });
  await page.route(/\/NodePalette-[^/]*\.js$/, async (route) => {
    await typed;
    await route.continue();
  });
  await openGraph(page, 'chain');
  await page.locator('[data-card="two"]').click();
  await page.keyboard.press('Tab');
  await page.keyboard.type('stop the');
  await page.keyboard.press('Enter');
  letIn();
  await expect(page.locator('[data-wire="two -> stop"]')).toHaveCount(1);
});

test('an empty map is looked into, and the first node there makes its body', async ({ page, server }) => {
  await server.write(
    'each',
    'pyagent: 1\nid: each\nname: Each\nnodes:\n  - id: start\n    use: flow.manual@1\n  - id: map\n    use: flow.map@1\n    name: Each item\nedges:\n  - start -> map\n',
  );
  await openGraph(page, 'each');
  await page.locator('[data-card="map"]').click();
  await page.keyboard.press('Control+ArrowDown');
  await expect(page.getByRole('navigation', { name: 'Where you are' })).toContainText('Each item');
  await expect(page.getByText('Nothing is in here yet.')).toBeVisible();
  await page.getByRole('button', { name: 'Add what runs for each item' }).click();
  await page.getByRole('combobox').fill('do nothing');
  await page.keyboard.press('Enter');
  await expect(page.locator('[data-card]')).toHaveCount(1);
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('each')).toContain('body:');
  expect(await server.read('each')).toContain('use: flow.noop@1');
  await page.keyboard.press('Control+ArrowUp');
  await expect(page.locator('[data-card]')).toHaveCount(2);
});

test('hostile names and notes are only text', async ({ page, server }) => {
  const bad = `<img src=x onerror="document.title='hit'"><script>document.title='hit'</script>`;
  const spec = {
    pyagent: 1,
    id: 'hostile',
    name: bad,
    nodes: [{ id: 'a', use: 'flow.noop@1', name: bad, notes: bad }],
    canvas: {
      notes: { n: { text: `${bad} [click](javascript:alert(1))`, at: [0, 120], size: [300, 120] } },
      frames: { f: { title: bad, at: [-40, -80], size: [400, 180] } },
    },
  };
  await server.write('hostile', JSON.stringify(spec));
  await openGraph(page, 'hostile');
  await expect(page.locator('[data-card="a"]')).toContainText('<img src=x');
  await expect(page.locator('[data-note="n"]')).toBeVisible();
  expect(await page.locator('[data-canvas] :is(img, script, a[href^="javascript:"])').count()).toBe(0);
  expect(await page.title()).not.toBe('hit');
});

test('the canvas, its palette, its outline and its sheet of keys are accessible', async ({ page, server }) => {
  await server.write('chain', CHAIN);
  await openGraph(page, 'chain');
  await expect(page.locator('[data-card]')).toHaveCount(3);
  await expectAccessible(page);
  await page.locator('[data-canvas]').focus();
  await page.keyboard.press('Shift+O');
  await expect(page.getByRole('option')).toHaveCount(3);
  await expectAccessible(page);
  await page.locator('[data-canvas]').focus();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('combobox')).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await expectAccessible(page);
});
