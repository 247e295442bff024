/** The words of the designer. English is the language there is; another one is a file with the same keys. */

import { actions } from './en/actions';
import { canvas } from './en/canvas';
import { conflict } from './en/conflict';
import { credentials } from './en/credentials';
import { designer } from './en/designer';
import { files } from './en/files';
import { graphSettings } from './en/graphSettings';
import { home } from './en/home';
import { nodeSettings } from './en/nodeSettings';
import { nodes } from './en/nodes';
import { panel } from './en/panel';
import { paths } from './en/paths';
import { problems } from './en/problems';
import { runs } from './en/runs';
import { settings } from './en/settings';
import { shell } from './en/shell';
import { tour } from './en/tour';
import { versions } from './en/versions';

export const words = {
  actions,
  canvas,
  conflict,
  credentials,
  designer,
  files,
  graphSettings,
  home,
  nodeSettings,
  nodes,
  panel,
  paths,
  problems,
  runs,
  settings,
  shell,
  tour,
  versions,
};

type Values = Readonly<Record<string, string | number>>;

/** A text with its `{placeholders}` filled in: `fill(words.shell.steps, { count: 3 })`. */
export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}
