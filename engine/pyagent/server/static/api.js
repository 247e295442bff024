// Talks to the server: JSON requests whose errors carry code and hint, and the stream of events.

export class ApiError extends Error {
  constructor(status, data) {
    super(data.message ?? `the server answered ${status}`);
    this.status = status;
    this.data = data;
  }
}

async function request(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError(0, { code: 'server.away', message: 'The server does not answer.', hint: 'Is it still running?' });
  }
  const type = response.headers.get('content-type') ?? '';
  const data = type.includes('json') ? await response.json() : await response.text();
  if (!response.ok) throw new ApiError(response.status, typeof data === 'string' ? { message: data } : data);
  return data;
}

export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);

/**
 * Reads events from a cursor on, for ever: `onEvents` gets them in batches, one a frame of the screen; `onState` gets
 * 'live' or 'away'. The browser comes back by itself after a break, with the cursor of what it saw last.
 */
export function follow(path, after, onEvents, onState) {
  const source = new EventSource(`${path}${path.includes('?') ? '&' : '?'}after=${after}`);
  let gathered = [];
  let cursor = after;
  source.onopen = () => onState('live');
  source.onerror = () => onState('away');
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.cursor <= cursor) return;
    cursor = event.cursor;
    gathered.push(event);
    if (gathered.length === 1) {
      // A hidden page draws no frames, and must not gather for ever.
      const later = document.hidden ? (run) => setTimeout(run, 500) : requestAnimationFrame;
      later(() => {
        const batch = gathered;
        gathered = [];
        onEvents(batch);
      });
    }
  };
  return () => source.close();
}

/** All events of a run so far, in order, and the cursor after them. */
export async function history(path) {
  const events = [];
  let after = 0;
  for (;;) {
    const page = await get(`${path}?after=${after}`);
    if (!page.events.length) return { events, after };
    events.push(...page.events);
    after = page.next;
  }
}
