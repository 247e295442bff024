import { expect, expectAccessible, type Server, test } from './fixtures';

/** A form and a signal that a run waits for at the same time. */
const ASKED = `\
pyagent: 1
id: asked
name: Asked twice
inputs:
  source: {type: string, title: Source, default: ours, consent: it is run on this machine.}
outputs: {to: "{{ $('ask').first().json.to }}", paid: "{{ $('payment').first().json.payment.value }}"}
nodes:
  - id: ask
    use: flow.ask@1
    name: Address
    with:
      title: Where does it go?
      fields:
        - {name: name, label: Name, required: true}
        - {name: country, type: choice, label: Country, options: [DE, FR, IT], required: true}
        - {name: express, type: boolean, label: Express, default: false}
      into: to
  - id: payment
    use: flow.wait@1
    name: Payment
    with: {signal: paid, key: "17", into: payment}
edges: []
`;

async function begun(server: Server): Promise<string> {
  await server.write('asked', ASKED);
  const run = (await server.request('POST', '/api/v1/runs', { graph: 'asked' })) as { id: string };
  return run.id;
}

test('a form and a signal are answered on the run’s page', async ({ page, server }) => {
  const id = await begun(server);
  await page.goto(`${server.url}/#/runs/${id}`);
  const step = (name: string) => page.getByRole('tree').locator(`[data-step="${name}"]`);
  await step('ask').click();
  const form = page.getByRole('region', { name: 'Where does it go?' });
  await expect(form).toBeVisible();
  await expectAccessible(page);
  await form.getByRole('button', { name: 'Send' }).click();
  await expect(form.getByText('This is needed.').first()).toBeVisible();
  await form.getByLabel('Name').fill('<b>Ada</b>');
  await form.getByRole('combobox', { name: 'Country' }).click();
  await page.getByRole('option', { name: 'FR' }).click();
  await form.getByLabel('Express').check();
  await form.getByRole('button', { name: 'Send' }).click();
  await expect(step('ask')).toHaveAttribute('data-status', 'completed');
  await step('payment').click();
  const signal = page.getByRole('region', { name: 'Waits for the signal “paid”' });
  await signal.getByLabel('Value (JSON)').fill('{"amount": 12}');
  await signal.getByRole('button', { name: 'Send the signal' }).click();
  await expect(page.locator('[data-run-status]')).toHaveAttribute('data-run-status', 'completed');
  await page.getByRole('tab', { name: 'Result' }).click();
  const result = page.getByRole('tabpanel', { name: 'Result' });
  await expect(result).toContainText('<b>Ada</b>');
  await expect(result).toContainText('12');
});

test('what an input makes the machine do has to be agreed to', async ({ page, server }) => {
  await server.write('asked', ASKED);
  await page.goto(`${server.url}/#/graphs/asked`);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Source').fill('theirs');
  const consent = dialog.getByLabel('I trust this: it is run on this machine.');
  await expect(consent).toBeVisible();
  await dialog.getByRole('button', { name: 'Start' }).click();
  await expect(dialog.getByText('Agree to it, or take the default back.')).toBeVisible();
  await consent.check();
  await dialog.getByRole('button', { name: 'Start' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('region', { name: 'Run' }).getByText('Waiting').first()).toBeVisible();
});
