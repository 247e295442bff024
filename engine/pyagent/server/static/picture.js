// The graph as a picture whose nodes show how their steps stand.

import { between, h } from './dom.js';

export class Picture {
  /** `onPick(node)` is called when a node is chosen, by mouse or keyboard. */
  constructor(title, onPick) {
    this.element = h('figure', { class: 'picture', tabindex: '0', 'aria-label': title });
    this.onPick = onPick;
    this.nodes = new Map();
    this.edges = [];
    this.width = 0;
  }

  async load(path) {
    const response = await fetch(path);
    if (!response.ok) return;
    const parsed = new DOMParser().parseFromString(await response.text(), 'image/svg+xml').documentElement;
    if (parsed.nodeName !== 'svg') return;
    const svg = document.importNode(parsed, true);
    this.width = Number(svg.getAttribute('width'));
    svg.style.setProperty('--natural', `${this.width}px`);
    this.element.replaceChildren(svg);
    for (const node of svg.querySelectorAll('[data-node]')) {
      this.nodes.set(node.dataset.node, node);
      node.setAttribute('tabindex', '0');
      node.setAttribute('role', 'button');
      const pick = () => this.onPick?.(node.dataset.node);
      node.addEventListener('click', pick);
      node.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          pick();
        }
      });
    }
    this.edges = [...svg.querySelectorAll('.edge')];
  }

  /** `found`: by node, what `RunState.nodeStatus` says. */
  update(found) {
    for (const [id, node] of this.nodes) {
      const state = found.get(id);
      if (!state) {
        delete node.dataset.status;
        continue;
      }
      if (node.dataset.status !== state.status) node.dataset.status = state.status;
      const meta = node.querySelector('.meta');
      const text = metaText(state);
      if (meta && meta.textContent !== text) {
        // In the place of the node's type: there is no room for both.
        meta.setAttribute('x', node.querySelector('.type')?.getAttribute('x') ?? 56);
        meta.textContent = text;
      }
      node.setAttribute('aria-label', `${node.querySelector('title')?.textContent ?? id}: ${state.status}`);
    }
    for (const edge of this.edges) {
      const delivered = found.get(edge.dataset.source)?.delivered.has(edge.dataset.port);
      edge.toggleAttribute('data-active', Boolean(delivered));
    }
  }
}

function metaText({ times, latest, status }) {
  if (status === 'skipped') return 'skipped';
  const took = status === 'completed' ? between(latest.startedAt, latest.endedAt)
    : status === 'running' ? `running ${between(latest.startedAt, null)}` : status;
  if (times > 9) return `${times.toLocaleString()} times`;
  return times > 1 ? `${took} · ${times} times` : took;
}
