/** What is known of a run, put together from three who tell of it and overlap: looks at it, pages of its past, its stream.
 * Pure functions: in whatever order these come, the same is known in the end. */

import { folded, inOrderOf, type RunDetails, type RunEvent, type RunState, reconciled, unheard } from './fold';

export interface Known {
  /** How the run stands. */
  readonly state: RunState;
  /** The newest look at it. */
  readonly details: RunDetails | null;
  /** What its events have told, without a gap, with the looks that they have come to. */
  readonly log: RunState;
  /** A look that the log has not come to yet: it is shown, but what the steps said until then is still to come. */
  readonly ahead: RunDetails | null;
  /** Pages are to be read up to this cursor; null where the stream goes on from where the log is. */
  readonly wanted: number | null;
  /** What the stream has told meanwhile. */
  readonly behind: readonly RunEvent[];
}

/** Of a run that nobody has looked at. */
export function unknown(id: string): Known {
  const state = unheard(id);
  return { state, details: null, log: state, ahead: null, wanted: null, behind: [] };
}

/** Somebody has looked at the run. After the first look its past is wanted, and the stream is to begin there. */
export function looked(known: Known, details: RunDetails): Known {
  const now = { ...known, details, ahead: details };
  if (known.details === null) return { ...now, state: reconciled(known.state, details), wanted: details.cursor };
  if (known.wanted !== null) return { ...now, state: reconciled(known.state, details) };
  return metAt(now);
}

/** No stream follows the run any more: what it had still to tell is wanted as pages. */
export function unfollowed(known: Known): Known {
  return { ...known, wanted: Math.max(known.wanted ?? 0, known.details?.cursor ?? 0) };
}

/** The stream has told this. */
export function told(known: Known, events: readonly RunEvent[]): Known {
  if (known.wanted === null) return advanced(known, events);
  return { ...known, behind: [...known.behind, ...events], state: folded(known.state, events) };
}

/** A page was read behind the log; `last` if there are no more up to what is wanted. */
export function read(known: Known, events: readonly RunEvent[], last: boolean): Known {
  const until = known.wanted ?? Number.POSITIVE_INFINITY;
  const log = folded(
    known.log,
    events.filter((event) => event.cursor <= until),
  );
  if (!last) return { ...known, log };
  return inOrder(advanced({ ...known, log, wanted: null, behind: [] }, known.behind));
}

/** Steps that a fork has kept tell nothing: only a look brings them, and they stand where the server lists them. */
function inOrder(known: Known): Known {
  if (!known.details) return known;
  const log = inOrderOf(known.log, known.details);
  return { ...known, log, state: known.state === known.log ? log : inOrderOf(known.state, known.details) };
}

function advanced(known: Known, events: readonly RunEvent[]): Known {
  const { ahead } = known;
  const late = ahead ? events.findIndex((event) => event.cursor > ahead.cursor) : 0;
  if (!ahead || late < 0) return metAt({ ...known, log: folded(known.log, events) });
  // The log comes to the look in the middle of these.
  const met = reconciled(folded(known.log, events.slice(0, late)), ahead);
  const log = folded(met, events.slice(late));
  return { ...known, log, state: log, ahead: null };
}

/** The look is part of the log where that has come to it, and shown before it where it has not. */
function metAt(known: Known): Known {
  const { log, ahead } = known;
  if (!ahead) return { ...known, state: log };
  const state = reconciled(log, ahead);
  if (log.cursor < ahead.cursor) return { ...known, state };
  return { ...known, log: state, state, ahead: null };
}
