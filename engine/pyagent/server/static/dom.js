// Makes elements, and words for people: the only module that knows how a time or a duration reads.

/** An element: `h('p', {class: 'note', onclick: f}, 'text', child)`. Text is never taken as HTML. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'open' || name === 'disabled') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Puts children in place of those there are; what is null or false is left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Sets text only where it differs, so that a selection in the page survives. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return '';
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

export function between(start, end) {
  if (!start) return '';
  return duration((new Date(end ?? Date.now()) - new Date(start)) / 1000);
}

export function when(time) {
  if (!time) return '';
  const date = new Date(time);
  const day = date.toDateString() === new Date().toDateString() ? '' : `${date.toLocaleDateString()} `;
  return day + date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

export function count(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? '' : 's'}`;
}

const SIGNS = {
  queued: '·', running: '', completed: '✓', failed: '✕', cancelled: '⊘', skipped: '–', waiting: '◷', paused: '❚❚',
  unknown: '?', retrying: '↻',
};

/** The round sign of a status. */
export function sign(status) {
  return h('span', { class: `sign ${status}`, 'aria-hidden': 'true' }, SIGNS[status] ?? '·');
}

/** A status as a word with its colour. */
export function badge(status) {
  return h('span', { class: `badge ${status}` }, status);
}

/** Tells people, and screen readers, of something that has happened. */
export function say(text, kind = '') {
  const place = document.getElementById('say');
  place.className = `say shown ${kind}`;
  place.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => place.classList.remove('shown'), kind === 'bad' ? 9000 : 4000);
}

/** A JSON value as a list of names and values that can be read. */
export function valueView(value, depth = 0) {
  if (value === null || value === undefined) return h('span', { class: 'soft' }, 'null');
  if (typeof value === 'string') {
    if (value.length > 400 || value.includes('\n')) return h('pre', { class: 'text' }, value);
    return h('span', { class: 'string' }, value === '' ? '""' : value);
  }
  if (typeof value !== 'object') return h('span', { class: 'number' }, String(value));
  const entries = Object.entries(value);
  if (!entries.length) return h('span', { class: 'soft' }, Array.isArray(value) ? '[]' : '{}');
  if (depth >= 2) {
    const label = Array.isArray(value) ? count(entries.length, 'element') : count(entries.length, 'field');
    return h('details', {}, h('summary', {}, label), h('pre', { class: 'text' }, JSON.stringify(value, null, 2)));
  }
  const shown = entries.slice(0, 50);
  return h('dl', { class: 'values' },
    shown.map(([name, inner]) => [h('dt', {}, name), h('dd', {}, valueView(inner, depth + 1))]),
    entries.length > shown.length ? [h('dt', {}, '…'), h('dd', {}, `${entries.length - shown.length} more`)] : null);
}

/** An error with its code and what to do about it. */
export function errorView(error) {
  const where = error.where?.step ?? error.where?.node ?? error.node;
  return h('div', { class: 'error' },
    h('p', {}, h('code', {}, error.code ?? 'internal'), ' ', error.message ?? ''),
    where || error.where?.field
      ? h('p', { class: 'soft' }, [where ? `node ${where}` : '', error.where?.field ? `field ${error.where.field}` : '']
        .filter(Boolean).join(', '))
      : null,
    error.hint ? h('p', { class: 'hint' }, error.hint) : null);
}
