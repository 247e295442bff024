// A graph's page: its picture, what is wrong with it, and the form that starts a run.

import { ApiError, get, post } from './api.js';
import { errorView, fill, h, say } from './dom.js';
import { schemaForm } from './form.js';
import { Picture } from './picture.js';

export async function graphPage(main, id) {
  const graph = await get(`/api/v1/graphs/${encodeURIComponent(id)}`);
  const picture = new Picture(`Picture of ${graph.name}`, null);
  const problems = graph.problems.map((problem) =>
    h('li', { class: problem.severity }, h('code', {}, problem.code), ` line ${problem.where.line ?? '?'}: ${problem.message}`,
      problem.hint ? h('span', { class: 'soft' }, ` ${problem.hint}`) : null));
  const broken = graph.problems.some((problem) => problem.severity === 'error');
  const wrong = h('div', { role: 'alert' });
  const agreed = h('input', { type: 'checkbox', id: 'agree' });
  const about = h('span');
  const consent = h('div', { class: 'field check consent', hidden: true }, agreed,
    h('label', { for: 'agree' }, 'I trust this: ', about));
  const form = schemaForm(graph.inputs_schema, () => askConsent());
  const test = h('input', { type: 'checkbox', id: 'test' });
  const hasPins = Object.keys(graph.spec.pins ?? {}).length > 0;
  const start = h('button', { class: 'primary', type: 'submit', disabled: broken }, 'Start a run');

  function askConsent() {
    const needed = form.consents();
    consent.hidden = !needed.length;
    agreed.required = needed.length > 0;
    about.textContent = needed.join(' ');
  }

  async function submit(event) {
    event.preventDefault();
    wrong.replaceChildren();
    let inputs;
    try {
      inputs = form.read();
    } catch {
      return;
    }
    start.disabled = true;
    try {
      const run = await post('/api/v1/runs', {
        graph: graph.id, inputs, consent: agreed.checked && !consent.hidden, test: hasPins && test.checked,
      });
      location.hash = `#/runs/${run.id}`;
      say('The run has been started.');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const field = error.data.where?.field?.match(/^inputs\.([^.]+)/)?.[1];
      if (field) form.problem(field, error.data.message);
      wrong.replaceChildren(errorView(error.data));
      start.disabled = false;
    }
  }

  fill(main,
    h('div', { class: 'heading' },
      h('div', {}, h('h1', {}, graph.name), h('p', { class: 'soft' }, h('span', { class: 'mono' }, graph.id), graph.description ? ` · ${graph.description}` : ''))),
    h('div', { class: 'panel' }, picture.element),
    problems.length ? h('section', { class: 'panel padded' }, h('h2', {}, 'Problems'), h('ul', { class: 'problems' }, problems)) : null,
    h('form', { class: 'panel padded start', onsubmit: submit },
      h('h2', {}, 'Start a run'), form.element, consent,
      hasPins ? h('div', { class: 'field check' }, test, h('label', { for: 'test' }, 'Test run: nodes with pins give their pinned data')) : null,
      wrong, h('div', { class: 'actions' }, start)),
    h('details', { class: 'panel padded' }, h('summary', {}, 'The graph file'), h('pre', { class: 'text code' }, graph.text)));
  document.title = `${graph.name} · PyAgent`;
  await picture.load(`/api/v1/graphs/${encodeURIComponent(id)}/svg`);
  return () => {};
}
