/** Amounts of bytes as people read them. */

import { fill, words } from '@/text/language';

/** `12 bytes`, `1.5 KiB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return unit === 0 ? fill(words.panel.bytes, { size: bytes }) : `${size.toFixed(1)} ${units[unit]}`;
}
