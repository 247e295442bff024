/** A run as its events tell it: folding a batch gives the next state and leaves the one before as it was. */

import type { Schemas } from '@/api/client';
import { counted, type NodeStatuses } from './nodeStatus';
import { ownerOf, parseStep } from './steps';

export type { NodeStatus, NodeStatuses } from './nodeStatus';

export type RunDetails = Schemas['RunDetails'];
export type RunStatus = RunDetails['status'];
export type StepStatus = Schemas['StepView']['status'];
export type RunEvent = Schemas['EventView'];

/** What the server says of an error. */
export interface RunError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly where?: { readonly [name: string]: unknown };
}

/** An error among what the server tells; null where that is none. */
export function errorOf(value: unknown): RunError | null {
  return isError(value) ? value : null;
}

function isError(value: unknown): value is RunError {
  const { code, message } = object(value);
  return typeof code === 'string' && typeof message === 'string';
}

/** A stretch of a step's life: a try, or a wait for an answer. */
export interface Span {
  /** Its place among those of the step, from 1. */
  readonly number: number;
  readonly kind: 'try' | 'wait';
  readonly attempt: number;
  readonly status: 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled' | 'unknown';
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly error: RunError | null;
  /** Characters that the step had streamed before. */
  readonly streamed: number;
}

export interface LogLine {
  readonly at: string;
  /** Number of the stretch that it was said in; 0 before the first. */
  readonly span: number;
  readonly level: string;
  readonly message: string;
  /** What the node has added to its message. */
  readonly more: { readonly [name: string]: unknown } | null;
}

/** A step as it stands. */
export interface StepLive {
  readonly step: string;
  readonly frame: string;
  readonly node: string;
  readonly scope: string;
  /** The step whose body or called graph it is in. */
  readonly owner: string | null;
  readonly status: StepStatus;
  /** Its last try failed and another follows. */
  readonly retrying: boolean;
  readonly attempt: number;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly items_in: number;
  readonly items_out: { readonly [port: string]: number };
  readonly error: RunError | null;
  /** The run went on in spite of the error. */
  readonly handled: boolean;
  readonly wait: { readonly [name: string]: unknown } | null;
  /** Path of the page by which somebody else may answer. */
  readonly form: string | null;
  readonly elements: number | null;
  readonly message: string;
  readonly fraction: number | null;
  readonly text: string;
  /** Characters that were streamed in all; the text keeps the last ones. */
  readonly streamed: number;
  readonly log: readonly LogLine[];
  /** Lines in all; the log keeps the last ones. */
  readonly logged: number;
  readonly spans: readonly Span[];
  /** Cursor of the last event about it. */
  readonly seen: number;
}

export interface RunState {
  readonly id: string;
  readonly status: RunStatus;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /** Of the last event that was folded; those up to it are passed over when they come again. */
  readonly cursor: number;
  /** In the order in which they were first heard of. */
  readonly steps: ReadonlyMap<string, StepLive>;
  /** By the shape of the frame, then by node. */
  readonly nodes: ReadonlyMap<string, NodeStatuses>;
}

export const ENDED: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'cancelled']);
const MOST_LINES = 1000;
const MOST_TEXT = 200_000;
const MOST_SPANS = 200;

/** A run of which nothing is known yet. */
export function unheard(id: string): RunState {
  return { id, status: 'queued', started_at: null, ended_at: null, cursor: 0, steps: new Map(), nodes: new Map() };
}

/** The state after these events, which are in order; those that were folded before change nothing. */
export function folded(state: RunState, events: readonly RunEvent[]): RunState {
  const draft = new Draft(state);
  for (const event of events) draft.take(event);
  return draft.done();
}

/** What the server says of the run in the place of what events said, but for steps that have newer events. */
export function reconciled(state: RunState, details: RunDetails): RunState {
  const draft = new Draft(state);
  for (const view of details.steps) {
    const known = draft.find(view.step);
    if (known.seen > details.cursor) {
      if (view.form && known.wait) draft.put({ ...known, form: view.form });
      continue;
    }
    const status = view.status;
    const spans = known.spans.length || !view.started_at ? known.spans : [spanOf(view)];
    draft.put({
      ...known,
      status,
      retrying: known.retrying && status === 'running',
      attempt: view.attempt,
      // The row of a map or a call that has ended has lost when it began and what it was given.
      started_at: view.started_at ?? known.started_at,
      ended_at: view.ended_at,
      items_in: view.items_in || known.items_in,
      items_out: view.items_out,
      error: errorOf(view.error),
      wait: view.wait,
      form: view.form ?? null,
      spans,
    });
  }
  if (state.cursor <= details.cursor) {
    draft.run = {
      status: details.status,
      started_at: details.started_at,
      ended_at: ENDED.has(details.status) ? details.ended_at : null,
    };
    draft.cursor = details.cursor;
  }
  return draft.done();
}

/** The steps in the order in which the server lists them, those that a fork has kept among them; newer ones follow. */
export function inOrderOf(state: RunState, details: RunDetails): RunState {
  const steps = new Map<string, StepLive>();
  for (const { step } of details.steps) {
    const known = state.steps.get(step);
    if (known) steps.set(step, known);
  }
  for (const [name, step] of state.steps) steps.set(name, step);
  return { ...state, steps };
}

/** The run as it stood when its steps had these statuses; what a step has given is left out before it had. */
export function stoodAt(
  state: RunState,
  status: RunStatus,
  statuses: { readonly [step: string]: StepStatus },
): RunState {
  const draft = new Draft({ ...unheard(state.id), started_at: state.started_at, cursor: state.cursor });
  for (const [name, at] of Object.entries(statuses)) {
    const step = state.steps.get(name) ?? unheardStep(name);
    if (step.status === at) draft.put(step);
    else draft.put({ ...step, status: at, retrying: false, ended_at: null, items_out: {}, error: null, wait: null });
  }
  draft.run = { ...draft.run, status };
  return draft.done();
}

function spanOf(view: Schemas['StepView']): Span {
  const status = view.status === 'skipped' ? 'completed' : view.status;
  return {
    ...{ number: 1, kind: 'try', attempt: view.attempt, status, streamed: 0 },
    started_at: view.started_at ?? '',
    ended_at: view.ended_at,
    error: errorOf(view.error),
  };
}

/** A state that is being changed: maps and steps are copied when they are first touched. */
class Draft {
  readonly #before: RunState;
  readonly #fresh = new Set<string>();
  readonly #touched = new Map<string, StepLive | null>();
  #steps: Map<string, StepLive> | null = null;
  run: Pick<RunState, 'status' | 'started_at' | 'ended_at'>;
  cursor: number;

  constructor(state: RunState) {
    this.#before = state;
    this.run = { status: state.status, started_at: state.started_at, ended_at: state.ended_at };
    this.cursor = state.cursor;
  }

  take(event: RunEvent): void {
    if (event.cursor <= this.cursor || event.kind.startsWith('stream.')) return;
    this.cursor = event.cursor;
    if (event.step) this.put(stepAfter(this.find(event.step), event));
    this.run = runAfter(this.run, event);
  }

  find(step: string): StepLive {
    return (this.#steps ?? this.#before.steps).get(step) ?? unheardStep(step);
  }

  put(step: StepLive): void {
    this.#steps ??= new Map(this.#before.steps);
    if (!this.#fresh.has(step.step)) {
      this.#fresh.add(step.step);
      this.#touched.set(step.step, this.#before.steps.get(step.step) ?? null);
    }
    this.#steps.set(step.step, step);
  }

  done(): RunState {
    const before = this.#before;
    const same = this.run.status === before.status && this.run.ended_at === before.ended_at;
    if (!this.#steps && this.cursor === before.cursor && same && this.run.started_at === before.started_at)
      return before;
    return {
      ...before,
      ...this.run,
      cursor: this.cursor,
      steps: this.#steps ?? before.steps,
      nodes: this.#steps ? counted(before.nodes, this.#touched, this.#steps) : before.nodes,
    };
  }
}

function unheardStep(step: string): StepLive {
  const { frame, node, scope } = parseStep(step);
  return {
    ...{ step, frame, node, scope, owner: ownerOf(frame), status: 'running', retrying: false, attempt: 1 },
    ...{ started_at: null, ended_at: null, items_in: 0, items_out: {}, error: null, handled: false, wait: null },
    ...{
      form: null,
      elements: null,
      message: '',
      fraction: null,
      text: '',
      streamed: 0,
      log: [],
      logged: 0,
      spans: [],
      seen: 0,
    },
  };
}

function runAfter(run: Draft['run'], event: RunEvent): Draft['run'] {
  switch (event.kind) {
    case 'run.queued':
    case 'run.forked':
      return { ...run, status: 'queued', ended_at: null };
    case 'run.started':
      return { status: 'running', started_at: run.started_at ?? event.at, ended_at: null };
    case 'run.adopted':
    case 'run.resumed':
      return { ...run, status: 'running', ended_at: null };
    case 'run.paused':
      return { ...run, status: 'paused' };
    case 'run.waiting':
      return { ...run, status: 'waiting' };
    case 'run.completed':
    case 'run.continued':
      return { ...run, status: 'completed', ended_at: event.at };
    case 'run.failed':
    case 'run.cancelled':
      return { ...run, status: event.kind === 'run.failed' ? 'failed' : 'cancelled', ended_at: event.at };
    case 'run.imported':
      return { ...run, status: 'cancelled', ended_at: event.at };
    case 'step.started':
    case 'step.answered':
    case 'step.resolved':
      return run.status === 'waiting' ? { ...run, status: 'running' } : run;
    default:
      return run;
  }
}

function stepAfter(before: StepLive, event: RunEvent): StepLive {
  const data = event.data as Record<string, unknown>;
  const step = { ...before, seen: event.cursor };
  const { at } = event;
  switch (event.kind) {
    case 'step.started': {
      const attempt = number(data.attempt, 1);
      return {
        ...{ ...step, status: 'running', retrying: false, attempt, error: null, wait: null, form: null },
        started_at: step.started_at && !step.ended_at ? step.started_at : at,
        ended_at: null,
        items_in: number(data.items, step.items_in),
        // What a row has told of a try that nothing was heard of is this one.
        spans: begun(before.seen ? closed(step.spans, 'cancelled', at) : [], {
          ...{ kind: 'try', attempt, status: 'running', started_at: at, streamed: step.streamed },
        }),
      };
    }
    case 'step.expanded': {
      const elements = data.into === 'map' ? number(data.elements, 0) : null;
      return { ...step, status: 'running', started_at: step.started_at ?? at, elements };
    }
    case 'step.progress':
      return {
        ...step,
        message: text(data.message),
        fraction: typeof data.fraction === 'number' ? data.fraction : null,
      };
    case 'step.log': {
      const { message, level, ...more } = data;
      const line = {
        ...{ at, span: step.spans.at(-1)?.number ?? 0, level: text(level) || 'info', message: text(message) },
        more: Object.keys(more).length ? more : null,
      };
      return { ...step, message: line.message, logged: step.logged + 1, log: last(step.log, line, MOST_LINES) };
    }
    case 'step.token':
      return {
        ...{ ...step, text: (step.text + text(data.text)).slice(-MOST_TEXT) },
        streamed: step.streamed + text(data.text).length,
      };
    case 'step.waiting': {
      const wait = object(data.wait);
      const spans = begun(closed(step.spans, 'completed', at), {
        ...{ kind: 'wait', attempt: step.attempt, status: 'waiting', started_at: at, streamed: step.streamed },
      });
      return { ...step, status: 'waiting', wait, message: text(wait.title), spans };
    }
    case 'step.unknown': {
      const wait = { kind: 'unknown', reason: text(data.reason) };
      const spans = begun(closed(step.spans, 'unknown', at), {
        ...{ kind: 'wait', attempt: step.attempt, status: 'waiting', started_at: at, streamed: step.streamed },
      });
      return { ...step, status: 'unknown', wait, message: wait.reason, spans };
    }
    case 'step.answered':
    case 'step.resolved':
      return {
        ...{ ...step, status: 'running', wait: null, form: null },
        spans: closed(step.spans, 'completed', at),
      };
    case 'step.retrying': {
      const error = errorOf(data.error);
      const message = error?.message ?? '';
      const line = {
        ...{ at, span: step.spans.at(-1)?.number ?? 0, level: 'warning', message },
        more: { attempt: data.attempt, code: error?.code },
      };
      return {
        ...{ ...step, status: 'running', retrying: true, message },
        logged: step.logged + 1,
        log: last(step.log, line, MOST_LINES),
        spans: closed(step.spans, 'failed', at, error),
      };
    }
    case 'step.completed':
    case 'step.failed':
    case 'step.cancelled':
    case 'step.skipped':
      return ended(step, event.kind.slice(5) as 'completed', at, data);
    default:
      return step;
  }
}

function ended(
  step: StepLive,
  kind: 'completed' | 'failed' | 'cancelled' | 'skipped',
  at: string,
  data: Record<string, unknown>,
): StepLive {
  const error = errorOf(data.error);
  const status = kind === 'cancelled' && data.unknown ? 'unknown' : kind;
  return {
    ...{ ...step, status, retrying: false, ended_at: at, error, wait: null, form: null, fraction: null },
    attempt: number(data.attempt, step.attempt),
    handled: data.handled === true,
    items_out: object(data.items) as { [port: string]: number },
    message: error ? error.message : kind === 'skipped' ? '' : step.message,
    spans: closed(step.spans, status === 'skipped' ? 'completed' : status, at, error),
  };
}

function begun(spans: readonly Span[], span: Omit<Span, 'number' | 'ended_at' | 'error'>): readonly Span[] {
  return last(spans, { number: (spans.at(-1)?.number ?? 0) + 1, ...span, ended_at: null, error: null }, MOST_SPANS);
}

/** The last stretch has ended, if it has not yet. */
function closed(
  spans: readonly Span[],
  status: Span['status'],
  at: string,
  error: RunError | null = null,
): readonly Span[] {
  const open = spans.at(-1);
  if (!open || open.ended_at) return spans;
  return [...spans.slice(0, -1), { ...open, status, ended_at: at, error }];
}

function last<T>(list: readonly T[], item: T, most: number): readonly T[] {
  return list.length < most ? [...list, item] : [...list.slice(list.length - most + 1), item];
}

const number = (value: unknown, other: number): number => (typeof value === 'number' ? value : other);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const object = (value: unknown): Record<string, unknown> =>
  value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
