/** How times and amounts read. */

import { fill, words } from '@/text/language';

/** `1.2 s`, `3 min 04 s`, `2 h 05 min`, `3 d 04 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, seconds);
  if (whole < 1) return `${Math.round(whole * 1000)} ms`;
  if (whole < 10) return `${whole.toFixed(1)} s`;
  if (whole < 60) return `${Math.floor(whole)} s`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${two(whole % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** Seconds between two times; until `now` where there is no end. */
function secondsBetween(start: string, end: string | null, now = Date.now()): number {
  return ((end ? Date.parse(end) : now) - Date.parse(start)) / 1000;
}

/** How long something took, or takes up to now; empty where it has not begun. */
export function between(start: string | null, end: string | null, now = Date.now()): string {
  return start ? duration(secondsBetween(start, end, now)) : '';
}

/** A time of today as a time, another one with its day. */
export function when(time: string | null, now = new Date()): string {
  if (!time) return '';
  const date = new Date(time);
  const clock = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  if (date.toDateString() === now.toDateString()) return clock;
  return `${date.toLocaleDateString([], { day: 'numeric', month: 'short', year: date.getFullYear() === now.getFullYear() ? undefined : 'numeric' })}, ${clock}`;
}

/** `1 item`, `3 items`. */
export function itemCount(count: number): string {
  return count === 1 ? words.runs.item : fill(words.runs.items, { count: count.toLocaleString() });
}
