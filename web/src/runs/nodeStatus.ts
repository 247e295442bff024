/** What the steps of a node come to together: counted up as they change, so that thousands of them cost little. */

import type { RunError, RunState, StepLive, StepStatus } from './fold';
import { shapeOf } from './steps';

/** All steps of a node in frames of one shape. */
export interface NodeStatus {
  readonly status: StepStatus;
  readonly retrying: boolean;
  /** Steps that did run. */
  readonly runs: number;
  readonly items_in: number;
  readonly items_out: { readonly [port: string]: number };
  readonly attempt: number;
  readonly error: RunError | null;
  /** What the newest of its steps waits for. */
  readonly waiting: { readonly [name: string]: unknown } | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly message: string;
  readonly fraction: number | null;
  /** The step that was heard of last. */
  readonly latest: string;
  /** Cursor of what was heard of it. */
  readonly seen: number;
  readonly counts: { readonly [status: string]: number };
}

export type NodeStatuses = ReadonlyMap<string, NodeStatus>;

/** Of a node's steps the status that matters most comes first. */
const ORDER: readonly StepStatus[] = ['unknown', 'waiting', 'running', 'failed', 'completed', 'cancelled', 'skipped'];

/** The nodes' statuses after some of their steps have changed: what a step counted for is taken away and added anew. */
export function counted(
  before: RunState['nodes'],
  touched: ReadonlyMap<string, StepLive | null>,
  steps: ReadonlyMap<string, StepLive>,
): RunState['nodes'] {
  const nodes = new Map<string, Map<string, NodeStatus>>();
  for (const [key, was] of touched) {
    const now = steps.get(key);
    if (!now) continue;
    const shape = shapeOf(now.frame);
    let its = nodes.get(shape);
    if (!its) {
      its = new Map(before.get(shape));
      nodes.set(shape, its);
    }
    its.set(now.node, nodeAfter(its.get(now.node), was, now));
  }
  return new Map([...before, ...nodes]);
}

function nodeAfter(before: NodeStatus | undefined, was: StepLive | null, now: StepLive): NodeStatus {
  const counts: Record<string, number> = { ...before?.counts };
  const out: Record<string, number> = { ...before?.items_out };
  let given = before?.items_in ?? 0;
  if (was) {
    const left = (counts[kindOf(was)] ?? 1) - 1;
    if (left) counts[kindOf(was)] = left;
    else delete counts[kindOf(was)];
    given -= was.items_in;
    for (const [port, items] of Object.entries(was.items_out)) out[port] = (out[port] ?? items) - items;
  }
  counts[kindOf(now)] = (counts[kindOf(now)] ?? 0) + 1;
  given += now.items_in;
  for (const [port, items] of Object.entries(now.items_out)) out[port] = (out[port] ?? 0) + items;
  const some = (kind: string) => (counts[kind] ?? 0) > 0;
  const status = some('unhandled') ? 'failed' : (ORDER.find(some) ?? now.status);
  const runs = Object.entries(counts).reduce((sum, [kind, times]) => (kind === 'skipped' ? sum : sum + times), 0);
  const latest = tells(before, now) ? now : null;
  return {
    ...{ status, runs, counts, items_in: given, items_out: out },
    retrying: latest ? latest.retrying : (before?.retrying ?? false),
    attempt: latest ? latest.attempt : (before?.attempt ?? 1),
    error: latest ? latest.error : (before?.error ?? null),
    waiting: latest ? latest.wait : (before?.waiting ?? null),
    started_at: latest ? latest.started_at : (before?.started_at ?? null),
    ended_at: latest ? latest.ended_at : (before?.ended_at ?? null),
    message: latest ? latest.message : (before?.message ?? ''),
    fraction: latest ? latest.fraction : (before?.fraction ?? null),
    latest: latest ? latest.step : (before?.latest ?? now.step),
    seen: latest ? latest.seen : (before?.seen ?? 0),
  };
}

/** Whether a step speaks for its node: the newest of those that ran, else of those that were passed over. */
function tells(before: NodeStatus | undefined, step: StepLive): boolean {
  if (!before || before.latest === step.step) return true;
  const ran = step.status !== 'skipped';
  const others = before.started_at !== null;
  return ran === others ? step.seen >= before.seen : ran;
}

/** How a step counts for its node: a failure that the run did not outlive counts more than one that it did. */
function kindOf(step: StepLive): string {
  return step.status === 'failed' && !step.handled ? 'unhandled' : step.status;
}
