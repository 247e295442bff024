// Chooses the page by the address's hash, and says whether the server is there.

import { ApiError } from './api.js';
import { errorView, h } from './dom.js';
import { graphPage } from './graph.js';
import { home } from './home.js';
import { runPage } from './run.js';

const main = document.getElementById('main');
const state = document.getElementById('link-state');
let leave = () => {};
let turn = 0;

function linkState(now) {
  state.className = `link-state ${now}`;
  state.textContent = now === 'live' ? 'live' : 'reconnecting…';
}

async function show() {
  const mine = (turn += 1);
  leave();
  leave = () => {};
  state.textContent = '';
  document.title = 'PyAgent';
  const [, kind, id] = location.hash.match(/^#\/(runs|graphs)\/([^/]+)$/) ?? [];
  main.replaceChildren(h('p', { class: 'empty' }, 'Loading…'));
  try {
    const left = kind === 'runs' ? await runPage(main, decodeURIComponent(id), linkState)
      : kind === 'graphs' ? await graphPage(main, decodeURIComponent(id))
        : await home(main, linkState);
    // Somebody may have gone on to another page meanwhile.
    if (mine === turn) leave = left;
    else left();
  } catch (error) {
    if (mine !== turn) return;
    const data = error instanceof ApiError ? error.data : { code: 'page', message: String(error) };
    main.replaceChildren(h('section', { class: 'panel padded' }, h('h1', {}, 'This did not work'), errorView(data),
      h('p', {}, h('a', { href: '#/' }, 'Graphs and runs'))));
    if (!(error instanceof ApiError)) throw error;
  }
}

window.addEventListener('hashchange', () => {
  show();
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
});
show();
