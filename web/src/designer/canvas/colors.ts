/** Colours of the canvas by theme: for the bitmap layer, which knows no CSS, and for the cards, which get the same. */

import type { Color } from '@/graph/model';
import type { Tone } from './status';

/** Colours of domains: what a card's icon is drawn in. */
const DOMAINS: { readonly [domain: string]: readonly [light: string, dark: string] } = {
  flow: ['#4263eb', '#748ffc'],
  data: ['#0c8599', '#3bc9db'],
  io: ['#2b8a3e', '#69db7c'],
  code: ['#d9480f', '#ffa94d'],
  memory: ['#9c36b5', '#da77f2'],
  pipeline: ['#1864ab', '#74c0fc'],
  ai: ['#6741d9', '#b197fc'],
};
const OTHER: readonly [string, string] = ['#495057', '#adb5bd'];

export function domainColor(domain: string, dark: boolean): string {
  return (DOMAINS[domain] ?? OTHER)[dark ? 1 : 0];
}

const COLORED: { readonly [color in Color]: readonly [light: string, dark: string] } = {
  blue: ['#d0ebff', '#1c3b57'],
  green: ['#d3f9d8', '#1e4228'],
  yellow: ['#fff3bf', '#4a3e12'],
  orange: ['#ffe8cc', '#4d3013'],
  red: ['#ffe3e3', '#4d2323'],
  purple: ['#eee3fb', '#3a2a52'],
  gray: ['#e9ecef', '#343a40'],
};
const STRONG: { readonly [color in Color]: string } = {
  blue: '#339af0',
  green: '#40c057',
  yellow: '#fab005',
  orange: '#fd7e14',
  red: '#fa5252',
  purple: '#ae3ec9',
  gray: '#868e96',
};

/** A colour as a background. */
export function tint(color: Color, dark: boolean): string {
  return COLORED[color][dark ? 1 : 0];
}

/** A colour as a line or a mark. */
export function strong(color: Color): string {
  return STRONG[color];
}

export interface Palette {
  readonly card: string;
  readonly line: string;
  readonly text: string;
  readonly dim: string;
  readonly wire: string;
  readonly chosen: string;
  readonly tones: { readonly [tone in Tone]: string };
}

const TONES_LIGHT = {
  running: '#f59f00',
  done: '#2f9e44',
  failed: '#e03131',
  waiting: '#7048e8',
  skipped: '#adb5bd',
  none: '#ced4da',
};
const TONES_DARK = {
  running: '#fcc419',
  done: '#51cf66',
  failed: '#ff6b6b',
  waiting: '#b197fc',
  skipped: '#5c5f66',
  none: '#4a4d55',
};

const LIGHT: Palette = {
  card: '#ffffff',
  line: '#ced4da',
  text: '#212529',
  dim: '#868e96',
  wire: '#adb5bd',
  chosen: '#4c6ef5',
  tones: TONES_LIGHT,
};
const DARK: Palette = {
  card: '#2a2c31',
  line: '#4a4d55',
  text: '#e9ecef',
  dim: '#909296',
  wire: '#5c5f66',
  chosen: '#748ffc',
  tones: TONES_DARK,
};

export function paletteOf(dark: boolean): Palette {
  return dark ? DARK : LIGHT;
}
