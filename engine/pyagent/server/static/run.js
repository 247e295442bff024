// A run's page: its picture, steps, questions and outputs, live.

import { ApiError, follow, get, history, post } from './api.js';
import { askView } from './asks.js';
import { badge, between, errorView, fill, h, say, setText, valueView, when } from './dom.js';
import { Picture } from './picture.js';
import { RunState } from './state.js';
import { StepList } from './steps.js';

const ENDED = ['completed', 'failed', 'cancelled'];

export async function runPage(main, id, linkState) {
  const path = `/api/v1/runs/${encodeURIComponent(id)}`;
  let details = await get(path);
  const state = new RunState();
  const pictures = new Map();

  const status = h('span', { class: 'status' });
  const took = h('span', { class: 'soft n' });
  const actions = h('div', { class: 'actions' });
  const asks = h('div', { class: 'asks' });
  const gallery = h('div', { class: 'gallery' });
  const outcome = h('div');
  const steps = new StepList(state, labelOf);
  const notes = h('p', { class: 'soft facts' });
  const layout = h('div', { class: 'run-layout' }, gallery, h('div', { class: 'column' }, outcome,
    h('section', { class: 'panel padded', 'aria-labelledby': 'steps' }, h('h2', { id: 'steps' }, 'Steps'), steps.element),
    h('details', { class: 'panel padded' }, h('summary', {}, 'Inputs'), valueView(details.inputs)),
    notes));
  fill(main,
    h('div', { class: 'heading run-heading' },
      h('div', {}, h('h1', {}, details.name), h('p', {}, status, ' ', took)), actions),
    asks, layout);
  document.title = `${details.name} · PyAgent`;

  function labelOf(step) {
    const frame = frameOf(step.frame);
    const name = details.frames.find((each) => each.frame === frame)?.labels[step.node] ?? step.node;
    const element = step.frame.match(/\[(\d+)\]$/)?.[1];
    return [name, element !== undefined ? `[${element}]` : '', step.scope ? `#${step.scope}` : ''].filter(Boolean).join(' ');
  }

  /** The frame in whose picture a step's node is drawn: an inline body is part of its owner's. */
  function frameOf(frame) {
    for (let here = frame; ; ) {
      if (details.frames.some((each) => each.frame === here)) return here;
      const shorter = here.replace(/\[\d+\]$/, '');
      if (shorter !== here && details.frames.some((each) => each.frame === shorter)) return shorter;
      const slash = here.lastIndexOf('/');
      if (slash < 0) return '';
      here = here.slice(0, slash);
    }
  }

  async function drawFrames() {
    for (const frame of details.frames) {
      if (pictures.has(frame.frame)) continue;
      const pick = (node) => steps.reveal([...state.steps.values()]
        .filter((step) => step.node === node && frameOf(step.frame) === frame.frame).map((step) => step.key));
      const picture = new Picture(`Picture of ${frame.name}`, pick);
      pictures.set(frame.frame, picture);
      gallery.append(h('section', { class: 'panel' },
        frame.frame ? h('h2', { class: 'caption' }, frame.name, h('span', { class: 'soft' }, ` called by ${callerOf(frame.frame)}`)) : null,
        picture.element));
      await picture.load(`${path}/svg?frame=${encodeURIComponent(frame.frame)}`);
      // Pictures that run down stand beside the steps; one that runs to the right needs the whole width.
      layout.classList.toggle('beside', [...pictures.values()].every((each) => each.width <= 720));
    }
  }

  function callerOf(frame) {
    const step = state.steps.get(frame.replace(/\(\)$/, ''));
    return step ? labelOf(step) : frame;
  }

  function drawPictures() {
    const found = new Map([...pictures.keys()].map((frame) => [frame, new Map()]));
    for (const step of state.steps.values()) {
      const nodes = found.get(frameOf(step.frame));
      if (!nodes) continue;
      if (!nodes.has(step.node)) nodes.set(step.node, []);
      nodes.get(step.node).push(step);
    }
    for (const [frame, nodes] of found) {
      pictures.get(frame).update(new Map([...nodes].map(([node, its]) => [node, state.nodeStatus(its)])));
    }
  }

  function drawAsks() {
    const waiting = ENDED.includes(state.status) ? [] : state.waiting();
    const shown = new Map([...asks.children].map((panel) => [panel.dataset.step, panel]));
    for (const step of waiting) {
      if (!shown.delete(step.key)) {
        asks.append(askView(details.id, step, labelOf(step)));
        if (!['time', 'signal'].includes(step.wait.kind)) say(`Waiting for you: ${step.wait.title ?? labelOf(step)}`);
      }
    }
    for (const panel of shown.values()) panel.remove();
  }

  function drawTop() {
    status.replaceChildren(badge(state.status));
    tick();
    fill(actions,
      details.report ? h('a', { class: 'button primary', href: details.report, target: '_blank', rel: 'noopener' }, 'Open the report') : null,
      ['running', 'queued', 'waiting'].includes(state.status) ? button('Pause', 'pause', 'The run is asked to pause.') : null,
      ['paused', 'failed', 'cancelled'].includes(state.status) ? button(state.status === 'paused' ? 'Resume' : 'Try again from here', 'resume', 'The run goes on.', 'primary') : null,
      !ENDED.includes(state.status) ? button('Cancel', 'cancel', 'The run is asked to stop.', 'bad') : null,
      h('a', { class: 'button quiet', href: `#/graphs/${details.graph}` }, 'Graph'));
    fill(outcome,
      details.error && state.status === 'failed' ? h('section', { class: 'panel padded' }, h('h2', {}, 'What went wrong'), errorView(details.error)) : null,
      details.outputs && Object.keys(details.outputs).length
        ? h('section', { class: 'panel padded' }, h('h2', {}, 'Outputs'), valueView(details.outputs)) : null);
    setText(notes, [`run ${details.id}`, `started ${when(details.started_at ?? details.created_at)}`, `by ${details.actor}`,
      details.key ? `key ${details.key}` : '', details.forked_from ? `forked from ${details.forked_from}` : '',
      details.production ? '' : 'test run'].filter(Boolean).join(' · '));
  }

  function button(text, what, said, kind = '') {
    return h('button', { class: kind, onclick: async (event) => {
      event.target.disabled = true;
      try {
        await post(`${path}/${what}`);
        say(said);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        say(`${error.data.message} ${error.data.hint ?? ''}`, 'bad');
        event.target.disabled = false;
      }
    } }, text);
  }

  function tick() {
    setText(took, between(state.startedAt ?? details.created_at, state.endedAt));
    steps.tick();
    if (!ENDED.includes(state.status)) drawPictures();
  }

  async function refresh() {
    details = await get(path);
    await drawFrames();
    drawTop();
    steps.names();
    drawPictures();
  }

  let pending = null;
  function take(events) {
    const touched = new Set();
    let anew = false;
    for (const event of events) {
      const step = state.apply(event);
      if (step) touched.add(step);
      anew ||= !step || event.kind === 'step.expanded';
    }
    steps.update(touched);
    drawPictures();
    drawAsks();
    if (anew) {
      drawTop();
      clearTimeout(pending);
      pending = setTimeout(() => refresh().catch(() => {}), 100);
    }
  }

  const past = await history(`${path}/events`);
  for (const event of past.events) state.apply(event);
  steps.update(state.steps.values());
  drawTop();
  drawAsks();
  await drawFrames();
  drawPictures();
  const close = follow(`${path}/events`, past.after, take, linkState);
  const ticking = setInterval(tick, 1000);
  return () => {
    close();
    clearInterval(ticking);
    clearTimeout(pending);
  };
}
