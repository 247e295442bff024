// What a run waits for, answered in place: approvals, forms, signals, outcomes that nobody knows.

import { ApiError, get, post } from './api.js';
import { count, errorView, h, say, valueView, when } from './dom.js';
import { schemaForm } from './form.js';

/** The panel of one waiting step. */
export function askView(runId, step, label) {
  const wrong = h('div', { role: 'alert' });
  const panel = h('section', { class: `panel padded ask ${step.wait.kind}`, 'data-step': step.key });

  async function send(path, body, said) {
    const buttons = [...panel.querySelectorAll('button')];
    for (const button of buttons) button.disabled = true;
    wrong.replaceChildren();
    try {
      await post(`/api/v1/runs/${runId}/${path}`, body);
      say(said);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      wrong.replaceChildren(errorView(error.data));
      for (const button of buttons) button.disabled = false;
    }
  }

  const parts = { approval, form: answerForm, webhook: answerForm, unknown, signal, time }[step.wait.kind] ?? answerForm;
  panel.append(...parts(step, label, send), wrong);
  if (['approval', 'form'].includes(step.wait.kind)) panel.append(forSomebodyElse(runId, step));
  return panel;
}

/** The address of a page by which whoever has it may answer once; asked for when it is wanted. */
function forSomebodyElse(runId, step) {
  const place = h('p', { class: 'soft' });
  const show = async () => {
    const run = await get(`/api/v1/runs/${runId}`);
    const form = run.steps.find((found) => found.step === step.key)?.form;
    if (!form) return place.replaceChildren('Nobody is asked any more.');
    const address = h('input', { type: 'text', class: 'code', readonly: true, value: location.origin + form, 'aria-label': 'Address of the form' });
    place.replaceChildren('Whoever opens this address may answer once, without the token: ', address);
    address.select();
  };
  place.append(h('button', { type: 'button', class: 'quiet', onclick: show }, 'Let somebody else answer'));
  return place;
}

function title(text, label) {
  return h('div', { class: 'heading' }, h('h2', {}, text), text === label ? '' : h('span', { class: 'soft' }, label));
}

function until(step) {
  return step.wait.until ? h('p', { class: 'soft' }, `Until ${when(step.wait.until)}.`) : '';
}

function approval(step, label, send) {
  const prompt = step.wait.prompt ?? {};
  const comment = h('input', { type: 'text', placeholder: 'Comment, for the record', 'aria-label': 'Comment' });
  const answer = (approved) =>
    send('answer', { step: step.key, value: { approved, comment: comment.value } }, approved ? 'Approved.' : 'Rejected.');
  const items = prompt.items ?? [];
  return [
    title(step.wait.title ?? 'Go on?', label),
    prompt.message ? h('p', { class: 'message' }, prompt.message) : '',
    until(step),
    items.length ? h('details', {}, h('summary', {}, `What this is about: ${count(prompt.count ?? items.length, 'item')}`),
      items.map((item) => valueView(item, 1))) : '',
    h('form', { class: 'actions', onsubmit: (event) => event.preventDefault() }, comment,
      h('button', { class: 'good', type: 'button', onclick: () => answer(true) }, 'Approve'),
      h('button', { class: 'bad', type: 'button', onclick: () => answer(false) }, 'Reject')),
  ];
}

function answerForm(step, label, send) {
  const schema = step.wait.response_schema ?? { properties: { value: {} } };
  const form = schemaForm(schema);
  const submit = (event) => {
    event.preventDefault();
    let value;
    try {
      value = form.read();
    } catch {
      return;
    }
    send('answer', { step: step.key, value: step.wait.response_schema ? value : value.value ?? null }, 'Answered.');
  };
  return [title(step.wait.title ?? 'An answer is needed', label), until(step),
    h('form', { onsubmit: submit }, form.element, h('div', { class: 'actions' }, h('button', { class: 'primary' }, 'Send')))];
}

function signal(step, label, send) {
  const value = h('input', { type: 'text', class: 'code', value: 'null', 'aria-label': 'Value, JSON', spellcheck: 'false' });
  const submit = (event) => {
    event.preventDefault();
    try {
      send('signal', { name: step.wait.name, key: step.wait.key ?? '', value: JSON.parse(value.value) }, 'Sent.');
    } catch (error) {
      say(`The value is no JSON: ${error.message}`, 'bad');
    }
  };
  return [title(`Waits for the signal ${step.wait.name}`, label),
    step.wait.key ? h('p', { class: 'soft' }, `with the key ${step.wait.key}`) : '', until(step),
    h('form', { class: 'actions', onsubmit: submit }, value, h('button', {}, 'Send it'))];
}

function unknown(step, label, send) {
  const settle = (how, said) => send('resolve', { step: step.key, how }, said);
  return [title('Nobody knows whether this took place', label),
    h('p', {}, step.wait.reason ?? ''),
    h('p', { class: 'soft' }, 'Look at what the step acts on, then say what became of it.'),
    h('div', { class: 'actions' },
      h('button', { type: 'button', class: 'good', onclick: () => settle('done', 'Settled as done.') }, 'It was done'),
      h('button', { type: 'button', onclick: () => settle('retry', 'It is tried again.') }, 'Try it again'),
      h('button', { type: 'button', class: 'bad', onclick: () => settle('failed', 'Settled as failed.') }, 'It failed'))];
}

function time(step, label) {
  return [title('Waits for a time', label), until(step)];
}
