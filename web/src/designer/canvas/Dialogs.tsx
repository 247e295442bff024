import { lazy, Suspense, useEffect } from 'react';
import { type Dialog, useCanvas, useCanvasState } from './context';
import type { Scene } from './scene';

const CHUNKS = {
  palette: () => import('./NodePalette'),
  commands: () => import('./CommandPalette'),
  find: () => import('./FindBar'),
  shortcuts: () => import('./Shortcuts'),
  connect: () => import('./ConnectDialog'),
  rename: () => import('./RenameDialog'),
  separate: () => import('./SeparateDialog'),
  menu: () => import('./NodeMenu'),
};

const NodePalette = lazy(CHUNKS.palette);
const CommandPalette = lazy(CHUNKS.commands);
const FindBar = lazy(CHUNKS.find);
const Shortcuts = lazy(CHUNKS.shortcuts);
const ConnectDialog = lazy(CHUNKS.connect);
const RenameDialog = lazy(CHUNKS.rename);
const SeparateDialog = lazy(CHUNKS.separate);
const NodeMenu = lazy(CHUNKS.menu);

/** What one of the canvas's dialogs gets. */
export interface DialogProps {
  readonly scene: Scene;
  readonly argument: unknown;
  readonly onClose: () => void;
}

export const OWN_DIALOGS: ReadonlySet<string> = new Set(Object.keys(CHUNKS));

/** Fetch the dialogs when there is nothing else to do, so that the first key opens one at once. */
function useChunks(): void {
  useEffect(() => {
    // Safari has no idle callback: a while later does as well.
    const later = window.requestIdleCallback ?? ((act: () => void) => window.setTimeout(act, 500));
    const cancel = window.cancelIdleCallback ?? window.clearTimeout;
    const waiting = later(() => {
      // One that cannot be fetched now is fetched again when it is asked for, which then tells what is wrong.
      for (const fetch of Object.values(CHUNKS)) fetch().catch(() => undefined);
    });
    return () => cancel(waiting);
  }, []);
}

/** The dialog that is open. */
export function Dialogs({ scene }: { readonly scene: Scene }) {
  const { store, actions } = useCanvas();
  const dialog = useCanvasState((state) => state.dialog);
  useChunks();
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
  if (what === 'separate') return <SeparateDialog {...props} />;
  return <NodeMenu {...props} />;
}
