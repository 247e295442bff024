/** A level as a picture that stands for itself: SVG with its colours in it, and from that a PNG. */

import { boxOfPlace, stacked } from '@/graph/frames';
import { curve, pathOf, portOffset } from '@/graph/shape';
import { domainColor, paletteOf, strong, tint } from './colors';
import type { Card, Scene } from './scene';
import { toneOf } from './status';

const ROOM = 40;
/** Browsers refuse pictures much larger. */
const MOST_PIXELS = 8000;

/** The text of the SVG. */
export function svgOf(scene: Scene, dark: boolean, statusOf: (id: string) => string | undefined): string {
  const palette = paletteOf(dark);
  const { left, top, right, bottom } = scene.bounds;
  const [width, height] = [right - left + 2 * ROOM, bottom - top + 2 * ROOM];
  const parts: string[] = [];
  if (scene.level === null) {
    for (const [, frame] of stacked(scene.graph.canvas)) {
      const box = boxOfPlace(frame);
      const color = frame.color ?? 'gray';
      parts.push(
        `<rect x="${box.left}" y="${box.top}" width="${frame.size[0]}" height="${frame.size[1]}" rx="14" fill="${tint(color, dark)}" fill-opacity=".5" stroke="${strong(color)}" stroke-dasharray="6 4"/>`,
        words(box.left + 16, box.top + 24, frame.title, 13, palette.text, 600),
      );
    }
    for (const note of Object.values(scene.graph.canvas?.notes ?? {})) {
      const box = boxOfPlace(note);
      const color = note.color ?? 'yellow';
      parts.push(
        `<rect x="${box.left}" y="${box.top}" width="${note.size[0]}" height="${note.size[1]}" rx="8" fill="${tint(color, dark)}" stroke="${strong(color)}"/>`,
        ...note.text
          .split('\n')
          .slice(0, Math.floor(note.size[1] / 18))
          .map((line, index) =>
            words(
              box.left + 12,
              box.top + 24 + index * 18,
              cut(line.replace(/^#+\s*/, ''), note.size[0] / 7),
              12,
              palette.text,
            ),
          ),
      );
    }
  }
  for (const wire of scene.wires.values()) {
    const [x, y] = wire.line.to;
    parts.push(
      `<path d="${pathOf(curve(wire.line.from, wire.line.to))}" fill="none" stroke="${palette.wire}" stroke-width="2"/>`,
      `<path d="M${x - 9},${y - 4} l6,4 l-6,4 z" fill="${palette.wire}"/>`,
    );
  }
  for (const card of scene.cards.values()) parts.push(cardOf(card, dark, statusOf(card.id)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left - ROOM} ${top - ROOM} ${width} ${height}" font-family="Inter, system-ui, sans-serif">`,
    `<title>${escaped(scene.graph.name ?? scene.graph.id)}</title>`,
    `<rect x="${left - ROOM}" y="${top - ROOM}" width="${width}" height="${height}" fill="${dark ? '#17181c' : '#f6f7f9'}"/>`,
    ...parts,
    '</svg>',
  ].join('\n');
}

function cardOf(card: Card, dark: boolean, status: string | undefined): string {
  const palette = paletteOf(dark);
  const { left, top } = card.box;
  const tone = toneOf(status);
  const color = card.installed ? domainColor(card.domain, dark) : palette.tones.failed;
  const middle = top + card.height / 2;
  const dots = (ports: readonly string[], x: number) =>
    ports.map(
      (_, index) =>
        `<circle cx="${x}" cy="${top + portOffset(index, ports.length, card.height)}" r="4" fill="${palette.dim}"/>`,
    );
  return [
    `<g${card.node.disabled ? ' opacity=".5"' : ''}>`,
    `<rect x="${left}" y="${top}" width="${card.width}" height="${card.height}" rx="12" fill="${card.color ? tint(card.color, dark) : palette.card}" stroke="${tone === 'none' ? palette.line : palette.tones[tone]}" stroke-width="${tone === 'none' ? 1.5 : 2.5}"/>`,
    `<rect x="${left + 10}" y="${middle - 16}" width="32" height="32" rx="8" fill="${color}" fill-opacity=".14"/>`,
    `<path transform="translate(${left + 16} ${middle - 10}) scale(.83)" d="${escaped(card.icon)}" fill="none" stroke="${color}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`,
    words(left + 52, middle - 3, cut(card.title, 15), 12, palette.text, 600),
    words(left + 52, middle + 13, cut(card.subtitle, 19), 10, palette.dim),
    ...dots(card.inputs, left),
    ...dots(card.outputs, left + card.width),
    '</g>',
  ].join('');
}

function words(x: number, y: number, text: string, size: number, color: string, weight = 400): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${color}">${escaped(text)}</text>`;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, Math.max(1, Math.floor(length) - 1))}…` : text;
}

function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no way to write them
  const plain = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return plain.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? sign);
}

/** The picture as PNG, twice as fine as it is seen where that is not too large. */
export async function pngOf(svg: string): Promise<Blob> {
  const image = new Image();
  // A data address: pictures from blobs are not allowed by the page's policy.
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const scale = Math.min(2, MOST_PIXELS / image.width, MOST_PIXELS / image.height);
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(image.width * scale);
  canvas.height = Math.ceil(image.height * scale);
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The picture is too large.'))), 'image/png'),
  );
}

/** Give a file to the person. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
