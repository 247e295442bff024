import { lazy, Suspense } from 'react';
import { type Dialog, useCanvas, useCanvasState } from './context';
import type { Scene } from './scene';

const NodePalette = lazy(() => import('./NodePalette'));
const CommandPalette = lazy(() => import('./CommandPalette'));
const FindBar = lazy(() => import('./FindBar'));
const Shortcuts = lazy(() => import('./Shortcuts'));
const ConnectDialog = lazy(() => import('./ConnectDialog'));
const RenameDialog = lazy(() => import('./RenameDialog'));
const NodeMenu = lazy(() => import('./NodeMenu'));

/** What one of the canvas's dialogs gets. */
export interface DialogProps {
  readonly scene: Scene;
  readonly argument: unknown;
  readonly onClose: () => void;
}

export const OWN_DIALOGS: ReadonlySet<string> = new Set([
  'palette',
  'commands',
  'find',
  'shortcuts',
  'connect',
  'rename',
  'menu',
]);

/** The dialog that is open. */
export function Dialogs({ scene }: { readonly scene: Scene }) {
  const { store, actions } = useCanvas();
  const dialog = useCanvasState((state) => state.dialog);
  if (!dialog) return null;
  const close = () => {
    if (store.getState().dialog === dialog) store.setState({ dialog: null });
    actions.view.focus();
  };
  return <Suspense fallback={null}>{shown(dialog, { scene, argument: dialog.argument, onClose: close })}</Suspense>;
}

function shown({ what }: Dialog, props: DialogProps) {
  if (what === 'palette') return <NodePalette {...props} />;
  if (what === 'commands') return <CommandPalette {...props} />;
  if (what === 'find') return <FindBar {...props} />;
  if (what === 'shortcuts') return <Shortcuts {...props} />;
  if (what === 'connect') return <ConnectDialog {...props} />;
  if (what === 'rename') return <RenameDialog {...props} />;
  return <NodeMenu {...props} />;
}
