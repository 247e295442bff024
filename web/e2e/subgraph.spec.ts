import { expect, expectAccessible, openGraph, test } from './fixtures';

const BILL = `pyagent: 1
id: bill
name: Bill
inputs:
  prices: {type: array}
  rate: {type: number, default: 2}
outputs:
  texts: "{{ $('Tell').all().map(item => item.json.text) }}"
nodes:
  - id: split
    use: data.split@1
    name: Prices
    with: {field: prices, into: price}
  - id: tax
    use: data.set@1
    name: Tax
    with: {fields: {tax: "{{ $json.price * $inputs.rate }}"}}
  - id: tell
    use: data.set@1
    name: Tell
    with: {fields: {text: "{{ $json.tax + ' of ' + $('Prices').all().length + ', ' + $('Tax').item.json.price }}"}}
  - id: end
    use: flow.noop@1
    name: End
edges:
  - split -> tax
  - tax -> tell
  - tell -> end
layout:
  split: [0, 0]
  tax: [220, 0]
  tell: [440, 0]
  end: [660, 0]
`;

test('a selection becomes a graph of its own and comes back, and gives the same all the while', async ({
  page,
  server,
}) => {
  await server.write('bill', BILL);
  const runs = () => {
    const { stdout } = server.pyagent('run', 'bill', '--input', 'prices=[1, 2, 5]');
    return stdout.slice(stdout.lastIndexOf('texts'));
  };
  const before = runs();
  expect(before).toContain('10 of 3, 5');
  await openGraph(page, 'bill');
  const canvas = page.locator('[data-canvas]');
  const said = canvas.getByRole('status');
  const card = (name: string) => page.locator('[data-card]', { hasText: name });
  await canvas.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Alt+g');
  const dialog = page.getByRole('dialog', { name: 'A graph of its own' });
  await expect(dialog).toContainText('it takes: rate, prices_all');
  await expect(dialog.getByRole('textbox', { name: 'Name' })).toHaveValue('Tax to Tell');
  await expectAccessible(page);
  await dialog.getByRole('textbox', { name: 'Id' }).fill('bill');
  await expect(dialog.getByRole('button', { name: 'Create the graph' })).toBeDisabled();
  await dialog.getByRole('textbox', { name: 'Id' }).fill('texts');
  await page.keyboard.press('Enter');
  await expect(said).toHaveText('2 nodes are now in the graph Tax to Tell, and Tax to Tell calls it');
  await expect(card('Tax to Tell')).toBeVisible();
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('bill')).toContain('flow.graph@1');
  expect(runs()).toEqual(before);

  // Into the graph that is called, and back to the node that calls it.
  await page.keyboard.press('Control+ArrowDown');
  const way = page.getByRole('navigation', { name: 'Where you are' });
  await expect(way.getByRole('button', { name: 'Bill' })).toBeVisible();
  await expect(card('Tell')).toBeVisible();
  await expect(canvas).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press('Control+ArrowUp');
  await expect(way).toBeHidden();
  await expect(card('Tax to Tell')).toBeVisible();
  await expect(canvas).toBeFocused();

  await page.keyboard.press('Shift+Alt+x');
  await expect(said).toHaveText('The nodes of Tax to Tell are here now; its graph stays in the library');
  await expect(page.locator('[data-card]')).toHaveCount(4);
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('bill')).not.toContain('flow.graph@1');
  expect(runs()).toEqual(before);
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await expect(said).toContainText('The file of the new graph stays in the library.');
  expect(await server.read('texts')).toContain('id: texts');
});
