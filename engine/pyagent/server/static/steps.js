// The list of a run's steps: a tree of rows that are changed in place, each with its log and error inside.

import { between, count, errorView, h, setText, sign, when } from './dom.js';

const MOST_CHILDREN = 200;
const FOLDED = ['completed', 'skipped', 'cancelled'];

export class StepList {
  /** `labelOf(step)` names a step. */
  constructor(state, labelOf) {
    this.state = state;
    this.labelOf = labelOf;
    this.element = h('ol', { class: 'steps' });
    this.rows = new Map();
    this.counts = new Map();
  }

  /** Brings the rows of these steps up to date. */
  update(steps) {
    for (const step of steps) this.#row(step).update(step);
  }

  /** Times of what runs. */
  tick() {
    for (const row of this.rows.values()) if (!row.step.endedAt) row.tick();
  }

  names() {
    for (const row of this.rows.values()) row.update(row.step);
  }

  /** Shows the newest step of a node. */
  reveal(keys) {
    const row = keys.map((key) => this.rows.get(key)).filter(Boolean).at(-1);
    if (!row) return;
    for (let parent = row.element.parentElement; parent; parent = parent.parentElement?.closest('details')) {
      if (parent.tagName === 'DETAILS') parent.open = true;
    }
    row.details.open = true;
    row.element.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
    row.details.querySelector('summary').focus({ preventScroll: true });
  }

  #row(step) {
    let row = this.rows.get(step.key);
    if (!row) {
      row = new Row(this, step);
      this.rows.set(step.key, row);
      const parent = step.owner === null ? null : this.#row(this.state.steps.get(step.owner) ?? this.#stub(step));
      const place = parent ? parent.inside() : this.element;
      const number = (this.counts.get(step.owner) ?? 0) + 1;
      this.counts.set(step.owner, number);
      if (number <= MOST_CHILDREN) place.append(row.element);
      else {
        let more = place.querySelector(':scope > .more');
        if (!more) place.append((more = h('li', { class: 'more soft' })));
        setText(more, `… ${count(number - MOST_CHILDREN, 'more step')}`);
      }
    }
    return row;
  }

  /** A step whose own events have not come yet. */
  #stub(step) {
    return { ...step, key: step.owner, owner: null, frame: '', node: step.owner, scope: '', status: 'running', log: [], itemsOut: {} };
  }
}

class Row {
  constructor(list, step) {
    this.list = list;
    this.step = step;
    this.mark = h('span', { class: 'mark' });
    this.label = h('span', { class: 'label' });
    this.message = h('span', { class: 'message soft' });
    this.items = h('span', { class: 'items soft' });
    this.time = h('span', { class: 'time soft n' });
    this.bar = h('span', { class: 'bar', hidden: true }, h('i'));
    this.body = h('div', { class: 'body' });
    this.details = h('details', {},
      h('summary', {}, this.mark, this.label, this.message, this.items, this.time, this.bar), this.body);
    this.element = h('li', { 'data-step': step.key }, this.details);
    this.drawn = {};
    this.details.addEventListener('toggle', () => this.#draw());
    this.children = null;
    this.touched = false;
    this.details.querySelector('summary').addEventListener('click', () => (this.touched = true));
  }

  inside() {
    if (!this.children) {
      this.children = h('ol', { class: 'steps' });
      this.details.append(this.children);
      if (!FOLDED.includes(this.step.status)) this.details.open = true;
    }
    return this.children;
  }

  update(step) {
    this.step = step;
    const { list, drawn } = this;
    if (drawn.status !== step.status) {
      // What a finished call held is folded away, unless somebody has opened it.
      if (this.children && !this.touched && drawn.status && FOLDED.includes(step.status)) this.details.open = false;
      drawn.status = step.status;
      this.mark.replaceChildren(sign(step.status));
      this.element.dataset.status = step.status;
      this.mark.title = step.status;
    }
    const attempt = step.attempt > 1 ? ` · try ${step.attempt}` : '';
    setText(this.label, list.labelOf(step) + attempt);
    setText(this.message, step.message ?? '');
    this.message.classList.toggle('bad', Boolean(step.error && !step.handled));
    const given = Object.values(step.itemsOut ?? {}).reduce((sum, each) => sum + each, 0);
    setText(this.items, step.status === 'completed' ? count(given, 'item') : '');
    this.bar.hidden = step.fraction === null || step.fraction === undefined || step.status !== 'running';
    if (!this.bar.hidden) this.bar.firstChild.style.width = `${step.fraction * 100}%`;
    this.tick();
    if (this.details.open) this.#draw();
  }

  tick() {
    const { step } = this;
    setText(this.time, step.status === 'skipped' ? '' : between(step.startedAt, step.endedAt));
  }

  #draw() {
    if (!this.details.open) return;
    const { step, drawn } = this;
    const version = [step.status, step.logged, step.attempt, step.error?.message, step.text?.length].join('|');
    if (drawn.version === version) return;
    drawn.version = version;
    const ports = Object.entries(step.itemsOut ?? {});
    this.body.replaceChildren(
      step.error ? errorView(step.error) : '',
      this.children ? '' : h('p', { class: 'soft facts' }, [
        step.key, step.startedAt ? `began ${when(step.startedAt)}` : '', count(step.itemsIn ?? 0, 'item') + ' in',
        ...ports.map(([port, number]) => `${count(number, 'item')} on ${port}`), step.handled ? 'the run went on' : '',
      ].filter(Boolean).join(' · ')),
      step.text ? h('pre', { class: 'text' }, step.text) : '',
      step.log.length
        ? h('ol', { class: 'log' }, step.log.map((line) =>
          h('li', { class: line.level }, h('time', {}, when(line.at)), h('span', {}, line.message))))
        : '');
  }
}
