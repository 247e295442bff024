/** Runs as they happen: one source for each run, shared by all that show it, kept up by its stream of events. */

import { useEffect, useMemo, useState } from 'react';
import { createStore, type StoreApi, useStore } from 'zustand';
import { ApiError, ask, client } from '@/api/client';
import { watchRuns } from '@/api/runEvents';
import { follow, type Link } from '@/api/stream';
import {
  ENDED,
  type NodeStatuses,
  type RunDetails,
  type RunEvent,
  type RunState,
  type RunStatus,
  type StepLive,
} from './fold';
import { looked, read, told, unfollowed, unknown } from './known';
import { soon } from './soon';
import { pictureOf, shapeOf } from './steps';

export { ENDED, type NodeStatus, type NodeStatuses, type RunDetails, type RunStatus, type StepLive } from './fold';

/** A run with all that is known of it now. */
export interface RunLive {
  readonly id: string;
  readonly status: RunStatus;
  readonly details: RunDetails;
  readonly state: RunState;
  readonly steps: ReadonlyMap<string, StepLive>;
  /** Of the run's own graph, the bodies of its maps included. */
  readonly byNode: NodeStatuses;
  readonly link: Link | 'ended';
  /** Whether logs, tries and streamed text from before are here. */
  readonly whole: boolean;
  /** The time that is shown, in milliseconds, where that is not now. */
  readonly time: number | null;
}

interface Source {
  readonly run: RunLive | null;
  readonly error: ApiError | null;
}

interface Opened {
  readonly store: StoreApi<Source>;
  readonly refresh: () => void;
  readonly close: () => void;
  users: number;
}

const PAGE = 1000;
/** A run that nobody looks at is kept for a moment: pages come back to it. */
const LINGER = 3_000;
/** How long until a server that did not answer is asked again, in milliseconds. */
const AGAIN = 2_000;
const opened = new Map<string, Opened>();
/** How long a look at a run that changes all the time is put off, in milliseconds. */
const MOST_PUT_OFF = 3_000;
const NOTHING: NodeStatuses = new Map();
const never = createStore<Source>(() => ({ run: null, error: null }));

/** A run, live; null while it is not known yet, or where `run` is null. */
export function useRunLive(run: string | null): RunLive | null {
  return useSource(run, (source) => source.run);
}

/** A part of a run, live; components are drawn again when that part changes. */
export function useRunPart<T>(run: string | null, choose: (run: RunLive | null) => T): T {
  return useSource(run, (source) => choose(source.run));
}

/** Why a run cannot be shown; null while it can. */
export function useRunError(run: string | null): ApiError | null {
  return useSource(run, (source) => source.error);
}

/** Ask the server anew, after something was asked of the run. */
export function refreshRun(run: string): void {
  opened.get(run)?.refresh();
}

/** The statuses of the nodes of one of the run's graphs, by its frame in `details.frames`. */
export function statusesIn(run: RunLive, frame: string): NodeStatuses {
  const { nodes } = run.state;
  const known = run.details.frames.map((each) => each.frame);
  const shown = [...nodes].filter(([shape]) => pictureOf(shape, known) === frame);
  if (shown.length === 1 && shown[0]) return shown[0][1];
  if (!shown.length) return NOTHING;
  return new Map(shown.flatMap(([, its]) => [...its]));
}

/** The run as it stood at a moment. */
export function runAt(run: RunLive, state: RunState, at: string | null): RunLive {
  const time = at ? Date.parse(at) : null;
  const stood: RunLive = { ...run, status: state.status, state, steps: state.steps, byNode: NOTHING, time };
  return { ...stood, byNode: statusesIn(stood, '') };
}

function useSource<T>(run: string | null, choose: (source: Source) => T): T {
  const [store, setStore] = useState<StoreApi<Source>>(() => (run && opened.get(run)?.store) || never);
  useEffect(() => {
    if (!run) {
      setStore(never);
      return;
    }
    const found = use(run);
    setStore(found.store);
    return () => leave(run, found);
  }, [run]);
  return useStore(store, choose);
}

function use(run: string): Opened {
  const found = opened.get(run) ?? open(run);
  opened.set(run, found);
  found.users += 1;
  return found;
}

function leave(run: string, found: Opened): void {
  found.users -= 1;
  setTimeout(() => {
    if (found.users > 0 || opened.get(run) !== found) return;
    opened.delete(run);
    found.close();
  }, LINGER);
}

function open(id: string): Opened {
  const store = createStore<Source>(() => ({ run: null, error: null }));
  let known = unknown(id);
  let link: RunLive['link'] = 'connecting';
  let whole = false;
  let closed = false;
  let stream: (() => void) | null = null;
  let watch: (() => void) | null = null;
  let asking = false;
  let askAgain = false;
  let reading = false;
  const looking = soon(() => void load(), MOST_PUT_OFF);
  let readAgain: ReturnType<typeof setTimeout> | undefined;

  const show = () => {
    const { details, state } = known;
    if (closed || !details) return;
    const before = store.getState().run;
    const own = before && before.state.nodes === state.nodes && before.details === details ? before.byNode : null;
    const run: RunLive = {
      ...{ id, status: state.status, details, state, steps: state.steps, link, whole, time: null },
      byNode: NOTHING,
    };
    store.setState({ run: { ...run, byNode: own ?? statusesIn(run, '') }, error: null });
  };

  const take = (events: readonly RunEvent[]) => {
    known = told(known, events);
    let late = Number.POSITIVE_INFINITY;
    for (const { kind } of events) {
      if (kind.startsWith('run.') || kind === 'stream.forgotten') late = Math.min(late, 50);
      // The graphs that it has called are known by then.
      else if (kind === 'step.expanded' || kind === 'step.waiting') late = Math.min(late, 500);
    }
    if (late < Number.POSITIVE_INFINITY) looking.ask(late);
    show();
  };

  const listen = () => {
    watch?.();
    watch = null;
    if (stream || closed) return;
    stream = follow({
      url: `/api/v1/runs/${id}/events?batch=1`,
      // The past is read as pages.
      after: known.wanted ?? known.log.cursor,
      take: (messages) => take(messages.flatMap((message) => JSON.parse(message.data) as RunEvent | RunEvent[])),
      link: (now) => {
        link = now;
        show();
      },
    });
  };

  /** A run that has ended tells nothing, until somebody lets it go on, here or elsewhere. */
  const rest = (cursor: number) => {
    stream?.();
    stream = null;
    link = 'ended';
    known = unfollowed(known);
    watch ??= watchRuns(cursor, {
      hear: (events) => {
        if (!events || events.some((event) => event.run_id === id && event.cursor > cursor)) looking.ask(0);
      },
    });
  };

  async function load(): Promise<void> {
    if (asking) {
      askAgain = true;
      return;
    }
    asking = true;
    try {
      const found = await ask(client.GET('/api/v1/runs/{run_id}', { params: { path: { run_id: id } } }));
      if (closed) return;
      known = looked(known, found);
      if (ENDED.has(known.state.status)) rest(found.cursor);
      else listen();
      show();
      void readOn();
    } catch (error) {
      if (closed) return;
      if (!(error instanceof ApiError)) throw error;
      // A run that is shown stays: its stream says when the server is back.
      if (!known.details) store.setState({ error });
      if (passes(error)) looking.ask(AGAIN);
    } finally {
      asking = false;
      if (askAgain && !closed) {
        askAgain = false;
        looking.ask(50);
      }
    }
  }

  /** What was said before: tries, logs and text that the steps' rows do not have. */
  async function readOn(): Promise<void> {
    if (reading) return;
    reading = true;
    clearTimeout(readAgain);
    try {
      for (let after = known.log.cursor; known.wanted !== null; ) {
        const page = await eventsAfter(id, after);
        if (closed) return;
        after = page.next;
        known = read(known, page.events, page.events.length < PAGE || page.next >= known.wanted);
      }
      whole = true;
    } catch (error) {
      if (closed) return;
      if (!(error instanceof ApiError)) throw error;
      // The steps are there without what was said; that comes when the server is back.
      if (passes(error)) readAgain = setTimeout(() => void readOn(), AGAIN);
    } finally {
      reading = false;
      show();
    }
  }

  void load();
  return {
    store,
    users: 0,
    refresh: () => looking.ask(0),
    close: () => {
      closed = true;
      looking.stop();
      clearTimeout(readAgain);
      stream?.();
      watch?.();
    },
  };
}

/** Whether the same may be answered in a while. */
function passes(error: ApiError): boolean {
  return error.offline || error.status >= 500;
}

/** A page of a run's events. What the server has forgotten is passed over. */
async function eventsAfter(run: string, after: number): Promise<{ events: RunEvent[]; next: number }> {
  try {
    const params = { path: { run_id: run }, query: { after, limit: PAGE } };
    const page = await ask(client.GET('/api/v1/runs/{run_id}/events', { params }));
    return page as { events: RunEvent[]; next: number };
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'store.events_forgotten') throw error;
    return eventsAfter(run, Number(error.details.kept_after));
  }
}

/** The names of a run's nodes: `label(step)`. */
export function useLabels(run: RunLive | null): (step: Pick<StepLive, 'frame' | 'node'>) => string {
  const frames = run?.details.frames;
  return useMemo(() => {
    const byFrame = new Map((frames ?? []).map((each) => [each.frame, each.labels]));
    const known = [...byFrame.keys()];
    return ({ frame, node }) => byFrame.get(pictureOf(shapeOf(frame), known))?.[node] ?? node;
  }, [frames]);
}
