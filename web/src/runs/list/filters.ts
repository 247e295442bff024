/** What the list of runs is narrowed to, and what that asks the server. */

import type { RunStatus } from '../fold';

export type Since = 'hour' | 'day' | 'week' | 'month' | 'always';

export interface Filters {
  readonly graph: string | null;
  readonly statuses: readonly RunStatus[];
  readonly text: string;
  readonly since: Since;
  /** Null: test runs and those that count. */
  readonly production: boolean | null;
}

export const ALL: Filters = { graph: null, statuses: [], text: '', since: 'always', production: null };
const SECONDS: { readonly [since in Since]: number | null } = {
  hour: 3600,
  day: 86_400,
  week: 7 * 86_400,
  month: 30 * 86_400,
  always: null,
};

/** The time that `since` says, whole minutes so that the same question stays the same for a while. */
export function sinceTime(since: Since, now = Date.now()): string | null {
  const seconds = SECONDS[since];
  if (seconds === null) return null;
  return new Date(Math.floor((now - seconds * 1000) / 60_000) * 60_000).toISOString();
}

/** The query of `GET /runs`. */
export function queryOf(filters: Filters, now = Date.now()) {
  const since = sinceTime(filters.since, now);
  return {
    ...(filters.graph ? { graph: filters.graph } : {}),
    ...(filters.statuses.length ? { status: [...filters.statuses] } : {}),
    ...(filters.text.trim() ? { text: filters.text.trim() } : {}),
    ...(since ? { since } : {}),
    ...(filters.production === null ? {} : { production: filters.production }),
  };
}

/** Whether anything is left out. */
export function narrows(filters: Filters): boolean {
  return JSON.stringify(filters) !== JSON.stringify(ALL);
}
