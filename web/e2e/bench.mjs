/**
 * How smooth the designer is with a graph of 5,000 nodes, beside plain React Flow with the same graph.
 *
 *   node e2e/bench.mjs ours|peer P14|P14b|P14c|P14d|P14e|P14f|P14g
 *
 * Says `ready`, then answers each line with a sample: seconds for P14, milliseconds for P14e and P14g, else frames a
 * second.
 * Chromium draws by software, as it does where there is no graphics card.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from '@playwright/test';
import { relay } from './replay.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const COLUMNS = 100;
const ROWS = 50;
const SIZE = { width: 1440, height: 900 };
const SECONDS = 5;

/** The graph that both sides show: 5,000 nodes in a grid, 5,900 edges. */
function graph() {
  const nodes = [];
  const edges = [];
  const layout = {};
  const uses = ['flow.noop@1', 'data.limit@1', 'flow.noop@1', 'data.unique@1'];
  for (let column = 0; column < COLUMNS; column++) {
    for (let row = 0; row < ROWS; row++) {
      const id = `n${column}_${row}`;
      const use = uses[(column + row) % uses.length];
      nodes.push({ id, use, name: `Step ${column}.${row}`, ...(use === 'data.limit@1' && { with: { count: 10 } }) });
      layout[id] = [column * 240, row * 110];
      if (column + 1 < COLUMNS) {
        edges.push(`${id} -> n${column + 1}_${row}`);
        if (row % 5 === 0 && row + 1 < ROWS) edges.push(`${id} -> n${column + 1}_${row + 1}`);
      }
    }
  }
  return { pyagent: 1, id: 'large', name: 'Large', nodes, edges, layout };
}

const FRAMES = `new Promise((resolve) => {
  const times = [];
  const tick = (at) => {
    times.push(at);
    if (at - times[0] < ${SECONDS * 1000}) requestAnimationFrame(tick);
    else {
      const perSecond = Array.from({ length: ${SECONDS} }, (_, second) =>
        times.filter((one) => one - times[0] >= second * 1000 && one - times[0] < second * 1000 + 1000).length);
      perSecond.sort((a, b) => a - b);
      resolve(perSecond[${Math.floor(SECONDS / 2)}]);
    }
  };
  requestAnimationFrame(tick);
})`;

/** Frames a second while something is done again and again. */
async function framesWhile(page, act) {
  let going = true;
  const counted = page.evaluate(FRAMES).finally(() => {
    going = false;
  });
  for (let turn = 0; going; turn++) await act(turn);
  return counted;
}

const middle = [SIZE.width / 2, SIZE.height / 2];

const MEASURES = {
  async P14(side) {
    const from = performance.now();
    await side.open();
    return (performance.now() - from) / 1000;
  },
  async P14b(side) {
    await side.open();
    await side.zoomTo(1);
    await side.page.mouse.move(...middle);
    return framesWhile(side.page, (turn) =>
      side.page.mouse.wheel(turn % 120 < 60 ? 40 : -40, turn % 40 < 20 ? 12 : -12),
    );
  },
  async P14c(side) {
    await side.open();
    await side.fit();
    await side.page.mouse.move(...middle);
    return framesWhile(side.page, async (turn) => {
      if (turn % 60 < 40) await side.page.mouse.wheel(turn % 20 < 10 ? 20 : -20, turn % 20 < 10 ? 6 : -6);
      else await side.zoomBy(turn % 60 < 50 ? 40 : -40);
    });
  },
  async P14d(side) {
    await side.open();
    await side.fit();
    await side.zoomTo(1);
    const [x, y] = await side.grab();
    await side.page.mouse.move(x, y);
    await side.page.mouse.down();
    const frames = await framesWhile(side.page, (turn) =>
      side.page.mouse.move(x + Math.sin(turn / 8) * 160, y + Math.cos(turn / 8) * 120),
    );
    await side.page.mouse.up();
    return frames;
  },
  P14e: (side) => side.typing(),
  P14f: async (side) => (await side.statuses()).frames,
  P14g: async (side) => (await side.statuses()).late,
};

/** PyAgent's own server with the graph in its library. */
async function ours() {
  const folder = await mkdtemp(path.join(tmpdir(), 'pyagent-bench-'));
  await mkdir(path.join(folder, 'graphs'));
  await writeFile(path.join(folder, 'graphs', 'large.yaml'), JSON.stringify(graph()));
  const server = spawn(path.join(ROOT, '.venv/bin/pyagent'), ['serve', '--port', '0'], {
    cwd: folder,
    env: { ...process.env, PYAGENT_STORE: `sqlite://${path.join(folder, '.pyagent', 'store.db')}` },
  });
  const link = await new Promise((resolve, reject) => {
    let text = '';
    const read = (data) => {
      text += data;
      const found = /http:\/\/\S+once=\S+/.exec(text);
      if (found) resolve(found[0]);
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    server.once('exit', () => reject(new Error(text)));
  });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  const page = await browser.newPage({ viewport: SIZE });
  const own = new URL(link).origin;
  const token = (await readFile(path.join(folder, '.pyagent', 'server-token'), 'utf8')).trim();
  const get = async (address) =>
    (await fetch(`${own}${address}`, { headers: { Authorization: `Bearer ${token}` } })).json();
  const front = await relay(own, get);
  let replayed = false;
  const base = front.url;
  await page.goto(link.replace(own, base));
  await page.waitForURL((url) => !url.search.includes('once'));
  const home = `${base}${(await page.request.get(`${base}/designer`)).ok() ? '/designer' : '/'}`;
  await page.goto(`${home}#/`);
  await page.waitForLoadState('networkidle');
  const canvas = page.locator('[data-canvas]');
  const open = async () => {
    await page.goto(`${home}#/`);
    await canvas.waitFor({ state: 'detached' });
    await page.reload();
    await page.waitForLoadState('networkidle');
    const from = performance.now();
    await page.evaluate(() => {
      location.hash = '#/graphs/large';
    });
    await page.locator('[data-canvas][data-drawn]').waitFor();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    side.opened = (performance.now() - from) / 1000;
  };
  const key = async (name) => {
    await canvas.focus();
    await page.keyboard.press(name);
    await page.waitForTimeout(600);
  };
  const side = {
    page,
    opened: 0,
    open,
    fit: () => key('1'),
    zoomTo: () => key('0'),
    zoomBy: async (by) => {
      await page.keyboard.down('Control');
      await page.mouse.wheel(0, by);
      await page.keyboard.up('Control');
    },
    grab: async () => {
      const box = await page.locator('[data-card]').nth(30).boundingBox();
      return [box.x + box.width / 2, box.y + 10];
    },
    /** Milliseconds from a key in a parameter of a node to its paint, the median of thirty. */
    typing: async () => {
      await open();
      await key('0');
      const [x, y] = await page.evaluate(() => {
        const boxes = [...document.querySelectorAll('[data-card]')]
          .filter((card) => card.textContent?.includes('Limit'))
          .map((card) => card.getBoundingClientRect());
        const box = boxes.find((one) => one.left > 300 && one.right < 1000 && one.top > 200 && one.bottom < 700);
        return [(box?.left ?? 0) + 80, (box?.top ?? 0) + 28];
      });
      await page.mouse.dblclick(x, y);
      const field = page.getByRole('textbox', { name: 'Count' });
      await field.waitFor();
      await field.focus();
      return typed(page);
    },
    /** The run of the graph is there once; then it is told again to the page, so many steps a second. */
    statuses: async () => {
      await open();
      await key('1');
      const start = page.getByRole('button', { name: 'Run', exact: true });
      if (!replayed) {
        const begun = page.waitForResponse(
          (one) => one.url().endsWith('/api/v1/runs') && one.request().method() === 'POST',
        );
        await start.click();
        const { id } = await (await begun).json();
        while ((await get(`/api/v1/runs/${id}`)).status !== 'completed') await page.waitForTimeout(200);
        await front.record(id, STEPS);
        replayed = true;
        return side.statuses();
      }
      await canvas.focus();
      await page.keyboard.press('Control+f');
      const field = page.getByPlaceholder('Names, ids, types');
      await field.waitFor();
      await page.mouse.move(...middle);
      await start.click();
      const measured = await typedWhile(page, field);
      const told = front.told();
      process.stderr.write(`${told} steps shown meanwhile\n`);
      if (told < STEPS * (SECONDS - 1)) throw new Error(`only ${told} steps were shown`);
      return measured;
    },
    close: async () => {
      await browser.close();
      front.close();
      server.kill('SIGTERM');
      await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
  return side;
}

/** Steps a second that are shown while keys are pressed. */
const STEPS = 1000;
const KEYS = 'step 1234567890 ';

/**
 * Frames a second while keys are typed into a field and the view is panned, and how late their paint is: of twenty
 * keys nineteen are not later. A key that does not arrive is an error.
 */
async function typedWhile(page, field) {
  await watchKeys(page);
  await field.focus();
  await field.fill('');
  let typed = '';
  const frames = await framesWhile(page, async (turn) => {
    await page.mouse.wheel(turn % 20 < 10 ? 20 : -20, 0);
    const key = KEYS[turn % KEYS.length];
    typed += key;
    await page.keyboard.press(key === ' ' ? 'Space' : key);
  });
  const arrived = await field.inputValue();
  if (arrived !== typed) throw new Error(`of ${typed.length} keys ${arrived.length} arrived`);
  const times = await page.evaluate(() => window.painted.sort((a, b) => a - b));
  if (times.length !== typed.length) throw new Error(`of ${typed.length} keys ${times.length} were painted`);
  const late = times[Math.ceil(times.length * 0.95) - 1];
  process.stderr.write(
    `${typed.length} keys, none lost; paint after ${late.toFixed(1)} ms (p95); ${frames} frames/s\n`,
  );
  return { frames, late };
}

/** Keep for each key how long its paint took, in milliseconds. */
async function watchKeys(page) {
  await page.evaluate(() => {
    window.painted = [];
    document.addEventListener(
      'keydown',
      (event) =>
        event.key.length === 1 &&
        requestAnimationFrame(() => setTimeout(() => window.painted.push(performance.now() - event.timeStamp), 0)),
      true,
    );
  });
}

/** Milliseconds from a key to the frame after its effect. */
async function typed(page) {
  await watchKeys(page);
  for (let count = 0; count < 30; count++) {
    await page.keyboard.press('Digit1');
    await page.waitForTimeout(30);
  }
  const times = await page.evaluate(() => window.painted.sort((a, b) => a - b));
  return times[Math.floor(times.length / 2)];
}

/** A page of React Flow alone with the same nodes and edges. */
async function peer() {
  const { build } = await import('vite');
  const out = await mkdtemp(path.join(tmpdir(), 'pyagent-peer-'));
  await build({
    configFile: false,
    root: path.join(import.meta.dirname, 'plain'),
    logLevel: 'error',
    build: { outDir: out, emptyOutDir: true },
  });
  const files = createServer(async (request, answer) => {
    const name = request.url === '/' ? 'index.html' : request.url.slice(1);
    if (name === 'graph.json') {
      answer.setHeader('Content-Type', 'application/json');
      answer.end(JSON.stringify(graph()));
      return;
    }
    const types = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html' };
    try {
      const body = await readFile(path.join(out, name));
      answer.setHeader('Content-Type', types[path.extname(name)] ?? 'text/plain');
      answer.end(body);
    } catch {
      answer.statusCode = 404;
      answer.end();
    }
  });
  files.listen(0, '127.0.0.1');
  await once(files, 'listening');
  const base = `http://127.0.0.1:${files.address().port}/`;
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  const page = await browser.newPage({ viewport: SIZE });
  page.setDefaultTimeout(120_000);
  await page.goto('about:blank');
  const side = {
    page,
    opened: 0,
    open: async () => {
      const from = performance.now();
      await page.goto(base);
      await page.locator('.react-flow__node').first().waitFor();
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      side.opened = (performance.now() - from) / 1000;
    },
    fit: () => page.evaluate(() => window.flow.fitView({ minZoom: 0.01 })),
    zoomTo: (zoom) => page.evaluate((to) => window.flow.setViewport({ x: 0, y: 0, zoom: to }), zoom),
    zoomBy: async (by) => {
      await page.keyboard.down('Control');
      await page.mouse.wheel(0, by);
      await page.keyboard.up('Control');
    },
    grab: async () => {
      const box = await page.locator('.react-flow__node[data-id="n2_3"]').boundingBox();
      return [box.x + box.width / 2, box.y + box.height / 2];
    },
    typing: async () => {
      await side.open();
      await side.zoomTo(1);
      await page.locator('#name').focus();
      return typed(page);
    },
    statuses: async () => {
      await side.open();
      await side.fit();
      await page.mouse.move(...middle);
      await page.evaluate((perSecond) => window.showStatuses(perSecond), STEPS);
      return typedWhile(page, page.locator('#name'));
    },
    close: async () => {
      await browser.close();
      files.close();
      await rm(out, { recursive: true, force: true });
    },
  };
  return side;
}

const [which, row] = process.argv.slice(2);
const measure = MEASURES[row];
if (!measure || !['ours', 'peer'].includes(which)) {
  process.stderr.write(`node e2e/bench.mjs ours|peer ${Object.keys(MEASURES).join('|')}\n`);
  process.exit(2);
}
const side = await (which === 'ours' ? ours() : peer());
try {
  process.stdout.write('ready\n');
  for await (const _ of createInterface({ input: process.stdin })) {
    const value = await measure(side);
    process.stdout.write(`${row === 'P14' ? side.opened : value}\n`);
  }
} finally {
  await side.close();
}
