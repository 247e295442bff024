// The first page: graphs to run, and runs as they come and go.

import { follow, get } from './api.js';
import { badge, between, count, fill, h, setText, sign, when } from './dom.js';

export async function home(main, linkState) {
  const graphs = h('div', { class: 'cards' });
  const list = h('tbody');
  const more = h('button', { class: 'quiet', hidden: true }, 'Older runs');
  const none = h('p', { class: 'empty', hidden: true }, 'No runs yet. Choose a graph and start one.');
  const chosen = h('select', { 'aria-label': 'Show runs by status' },
    [['', 'All'], ['running', 'Running'], ['waiting', 'Waiting'], ['completed', 'Completed'], ['failed', 'Failed'],
      ['cancelled', 'Cancelled']].map(([value, label]) => h('option', { value }, label)));
  fill(main,
    h('div', { class: 'home' },
      h('section', { 'aria-labelledby': 'graphs' }, h('h2', { id: 'graphs' }, 'Graphs'), graphs),
      h('section', { 'aria-labelledby': 'runs', class: 'grow' },
        h('div', { class: 'heading' }, h('h2', { id: 'runs' }, 'Runs'), chosen),
        h('div', { class: 'scroll panel' }, h('table', { class: 'runs' },
          h('thead', {}, h('tr', {}, ['', 'Graph', 'Status', 'Started', 'Took', 'Run'].map((name) => h('th', { scope: 'col' }, name)))),
          list)),
        none, more)));

  const rows = new Map();
  let next = null;
  const { graphs: found } = await get('/api/v1/graphs?limit=1000');
  const names = new Map(found.map((graph) => [graph.id, graph.name]));
  graphs.replaceChildren(...found.map((graph) =>
    graph.problem
      ? h('div', { class: 'card' },
        h('strong', {}, graph.name),
        h('span', { class: 'bad' }, graph.problem.message),
        h('span', { class: 'soft' }, graph.problem.where.line ? `line ${graph.problem.where.line}` : graph.problem.code))
      : h('a', { class: 'card', href: `#/graphs/${graph.id}` },
        h('strong', {}, graph.name),
        graph.description ? h('span', { class: 'soft' }, graph.description) : null,
        h('span', { class: 'soft' }, `${graph.id} · ${count(graph.nodes, 'node')}`))));
  if (!found.length) graphs.replaceChildren(h('p', { class: 'empty' }, 'No graph files found. Set PYAGENT_GRAPHS to a folder.'));

  function row(run) {
    let entry = rows.get(run.id);
    if (!entry) {
      const took = h('td', { class: 'n' });
      const status = h('td');
      const mark = h('td', { class: 'mark' });
      const link = h('a', { href: `#/runs/${run.id}` }, names.get(run.graph) ?? run.graph);
      const element = h('tr', {}, mark, h('td', {}, link), status, h('td', { class: 'soft n' }, when(run.started_at ?? run.created_at)),
        took, h('td', { class: 'soft mono' }, h('a', { href: link.href, tabindex: -1 }, run.id)));
      // The whole row, unless somebody selects text or wants another tab.
      element.onclick = (event) => {
        if (!event.target.closest('a') && !String(getSelection())) link.click();
      };
      entry = { element, took, status, mark, run: null };
      rows.set(run.id, entry);
    }
    if (entry.run?.status !== run.status) {
      entry.mark.replaceChildren(sign(run.status));
      entry.status.replaceChildren(badge(run.status));
    }
    entry.run = run;
    return entry.element;
  }

  function tick() {
    for (const { run, took } of rows.values()) {
      const active = ['running', 'waiting'].includes(run.status);
      setText(took, active || run.ended_at ? between(run.started_at ?? run.created_at, run.ended_at) : '');
    }
  }

  async function load(before) {
    const filter = `${chosen.value ? `&status=${chosen.value}` : ''}${before ? `&before=${before}` : ''}`;
    const page = await get(`/api/v1/runs?limit=30${filter}`);
    if (!before) {
      const old = new Set(rows.keys());
      list.prepend(...page.runs.map(row));
      if (chosen.value) for (const id of old) if (!page.runs.some((run) => run.id === id)) drop(id);
      // Those that fell off the first page stay: they were asked for by `Older runs`.
      next ??= page.next;
    } else {
      list.append(...page.runs.map(row));
      next = page.next;
    }
    more.hidden = !next;
    none.hidden = rows.size > 0;
    tick();
  }

  function drop(id) {
    rows.get(id)?.element.remove();
    rows.delete(id);
  }

  chosen.onchange = async () => {
    for (const id of [...rows.keys()]) drop(id);
    next = null;
    await load();
  };
  more.onclick = () => load(next);

  let timer = null;
  // The cursor first: what happens while the list is read comes again as an event.
  const { cursor } = await get('/api/v1/cursor');
  await load();
  const close = follow('/api/v1/events?kinds=run.', cursor, () => {
    clearTimeout(timer);
    timer = setTimeout(() => load().catch(() => {}), 150);
  }, linkState);
  const ticking = setInterval(tick, 1000);
  return () => {
    close();
    clearInterval(ticking);
    clearTimeout(timer);
  };
}
