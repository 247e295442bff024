// A run as the page knows it: the stream of events folded into steps. Knows nothing of the document.

const STATUS = {
  'step.started': 'running', 'step.expanded': 'running', 'step.completed': 'completed', 'step.failed': 'failed',
  'step.cancelled': 'cancelled', 'step.skipped': 'skipped', 'step.waiting': 'waiting', 'step.unknown': 'unknown',
  'step.retrying': 'retrying',
};
const LONGEST_LOG = 500;

/** `code()/each[2]/check@1.3` -> its frame, node and scope. */
export function parse(key) {
  const slash = key.lastIndexOf('/');
  const frame = slash < 0 ? '' : key.slice(0, slash);
  const [node, scope = ''] = key.slice(slash + 1).split('@');
  return { frame, node, scope };
}

/** The step whose body or called graph holds a frame; null for the run's own. */
export function ownerOf(frame) {
  if (!frame) return null;
  return frame.endsWith('()') ? frame.slice(0, -2) : frame.replace(/\[\d+\]$/, '');
}

export class RunState {
  constructor() {
    this.steps = new Map();
    this.status = 'queued';
    this.startedAt = null;
    this.endedAt = null;
    this.cursor = 0;
  }

  /** Takes an event in; returns the step it is about, or null. */
  apply(event) {
    this.cursor = event.cursor;
    if (!event.step) {
      this.#applyRun(event);
      return null;
    }
    const step = this.#step(event.step);
    const data = event.data;
    const status = STATUS[event.kind];
    if (status) step.status = status;
    switch (event.kind) {
      case 'step.started':
        if (!step.startedAt || step.endedAt) step.startedAt = event.at;
        step.endedAt = null;
        step.attempt = data.attempt ?? 1;
        step.error = null;
        step.wait = null;
        step.itemsIn = data.items ?? 0;
        break;
      case 'step.expanded':
        step.startedAt ??= event.at;
        step.elements = data.into === 'map' ? data.elements : null;
        break;
      case 'step.progress':
        step.message = data.message ?? '';
        step.fraction = data.fraction ?? null;
        break;
      case 'step.log':
        step.message = data.message ?? '';
        this.#log(step, event.at, data.level ?? 'info', data.message ?? '');
        break;
      case 'step.token':
        step.text = (step.text ?? '') + (data.text ?? '');
        break;
      case 'step.waiting':
        step.wait = data.wait ?? {};
        step.message = step.wait.title ?? '';
        break;
      case 'step.unknown':
        step.wait = { kind: 'unknown', reason: data.reason };
        step.message = data.reason ?? '';
        break;
      case 'step.retrying':
        step.message = `${data.error?.code ?? ''} ${data.error?.message ?? ''}`;
        this.#log(step, event.at, 'warning', `try ${data.attempt} failed: ${step.message}`);
        break;
      case 'step.answered':
      case 'step.resolved':
        step.wait = null;
        step.status = 'running';
        this.#log(step, event.at, 'info', `${data.answer?.actor ?? data.actor ?? 'somebody'} answered`);
        break;
      case 'step.completed':
      case 'step.failed':
      case 'step.cancelled':
      case 'step.skipped':
        step.endedAt = event.at;
        step.wait = null;
        step.fraction = null;
        step.itemsOut = data.items ?? {};
        step.error = data.error ?? null;
        step.handled = data.handled ?? false;
        if (step.error) step.message = step.error.message ?? '';
        break;
    }
    return step;
  }

  #applyRun(event) {
    const kind = event.kind.slice(4);
    const running = { started: 1, adopted: 1, resumed: 1, cancelling: 1, pausing: 1 };
    this.status = kind in running ? 'running' : kind === 'forked' ? 'queued' : kind;
    if (kind === 'started') this.startedAt ??= event.at;
    this.endedAt = ['completed', 'failed', 'cancelled'].includes(kind) ? event.at : null;
  }

  #step(key) {
    let step = this.steps.get(key);
    if (!step) {
      const { frame, node, scope } = parse(key);
      step = {
        key, frame, node, scope, owner: ownerOf(frame), status: 'running', startedAt: null, endedAt: null, attempt: 1,
        itemsIn: 0, itemsOut: {}, message: '', fraction: null, error: null, handled: false, wait: null, elements: null,
        log: [], logged: 0, text: null,
      };
      this.steps.set(key, step);
    }
    return step;
  }

  #log(step, at, level, message) {
    step.logged += 1;
    step.log.push({ at, level, message });
    if (step.log.length > LONGEST_LOG) step.log.shift();
  }

  /** Steps that wait for a person, a signal or a time. */
  waiting() {
    return [...this.steps.values()].filter((step) => step.wait && ['waiting', 'unknown'].includes(step.status));
  }

  /** One status for all steps of a node, the one that matters most, and what to write on its card. */
  nodeStatus(steps) {
    const order = ['unknown', 'waiting', 'running', 'retrying', 'failed', 'completed', 'cancelled', 'skipped'];
    const ran = steps.filter((step) => step.status !== 'skipped');
    const latest = ran.at(-1) ?? steps.at(-1);
    const delivered = new Set();
    for (const step of ran) {
      for (const [port, number] of Object.entries(step.itemsOut)) if (number) delivered.add(port);
    }
    const unhandled = steps.some((step) => step.status === 'failed' && !step.handled);
    const status = unhandled ? 'failed' : order.find((each) => steps.some((step) => step.status === each));
    return { status: status === 'retrying' ? 'running' : status, times: ran.length, latest, delivered };
  }
}
