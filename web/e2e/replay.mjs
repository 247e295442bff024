/** A server in front of PyAgent's own, which tells a run that has been again, so many steps a second. */

import { once } from 'node:events';
import { createServer, request } from 'node:http';

const TICK = 16;

/** All events of a run, as the API gives them. */
async function eventsOf(get, run) {
  const all = [];
  for (let after = 0; ; ) {
    const page = await get(`/api/v1/runs/${run}/events?after=${after}&limit=1000`);
    all.push(...page.events);
    if (page.events.length === 0) return all;
    after = page.next;
  }
}

/**
 * Relay to `target`. After `record(run)` each run that the page starts is that run once more: `perSecond` of its steps
 * end in each second, from when the page follows it.
 */
export async function relay(target, get) {
  let recorded = null;
  const server = createServer((asked, answer) => {
    const { pathname } = new URL(asked.url, target);
    if (recorded && tell(recorded, asked, answer, pathname)) return;
    const headers = { ...asked.headers, host: new URL(target).host };
    if (headers.origin) headers.origin = target;
    if (headers.referer) headers.referer = `${target}/`;
    const passed = request(`${target}${asked.url}`, { method: asked.method, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    asked.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Steps that were told in all. */
    told: () => recorded?.told ?? 0,
    async record(run, perSecond) {
      const details = await get(`/api/v1/runs/${run}`);
      recorded = { details, events: await eventsOf(get, run), perSecond, told: 0, ended: false };
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Answer for the recorded run; false where the request is about something else. */
function tell(recorded, asked, answer, pathname) {
  const { details } = recorded;
  const own = `/api/v1/runs/${details.id}`;
  const json = (body, status = 200) => {
    answer.writeHead(status, { 'Content-Type': 'application/json' });
    answer.end(JSON.stringify(body));
  };
  const begun = { ...details, status: 'running', ended_at: null, steps: [], cursor: 0 };
  if (asked.method === 'POST' && pathname === '/api/v1/runs') {
    asked.resume();
    recorded.told = 0;
    recorded.ended = false;
    json(begun, 201);
  } else if (pathname === own && asked.method === 'GET') json(recorded.ended ? details : begun);
  else if (pathname !== `${own}/events`) return false;
  else if (!(asked.headers.accept ?? '').includes('text/event-stream')) json({ events: [], next: 0 });
  else replay(recorded, answer);
  return true;
}

function replay(recorded, answer) {
  const { events, perSecond } = recorded;
  answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const from = performance.now();
  let at = 0;
  const step = () => {
    const due = ((performance.now() - from) / 1000) * perSecond;
    const batch = [];
    while (at < events.length && recorded.told < due) {
      const event = events[at++];
      if (event.kind === 'step.completed') recorded.told += 1;
      batch.push(event);
    }
    if (batch.length) answer.write(`id: ${batch.at(-1).cursor}\ndata: ${JSON.stringify(batch)}\n\n`);
    if (at < events.length) return;
    clearInterval(timer);
    recorded.ended = true;
    answer.end();
  };
  const timer = setInterval(step, TICK);
  answer.on('close', () => clearInterval(timer));
}
