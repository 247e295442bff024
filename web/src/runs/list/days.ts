/** Days without gaps, for a chart: the server leaves out those on which nothing ran. */

export interface Day {
  /** `2026-03-04`, in UTC. */
  readonly day: string;
  readonly runs: number;
  readonly completed: number;
  readonly failed: number;
}

const MOST = 60;
const MS = 86_400_000;

/** All days from the first one to `now`, at most the last sixty. */
export function daysShown(days: readonly Day[], now = Date.now()): readonly Day[] {
  const first = days[0];
  if (!first) return [];
  const known = new Map(days.map((day) => [day.day, day]));
  const today = Math.floor(now / MS) * MS;
  const from = Math.max(Date.parse(first.day), today - (MOST - 1) * MS);
  const shown: Day[] = [];
  for (let time = from; time <= today; time += MS) {
    const day = new Date(time).toISOString().slice(0, 10);
    shown.push(known.get(day) ?? { day, runs: 0, completed: 0, failed: 0 });
  }
  return shown;
}
