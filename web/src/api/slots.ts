/** Connections that pages hold open, counted over all pages of the browser: it has six to a server, and requests need
 * some of them. Who gets none asks now and then instead. */

/** Connections that may be held together. */
const HELD = 4;

/** Hold a connection, if one is left: gives the function that gives it back, or null. A browser that cannot count for
 * several pages, as on an address that it does not trust, leaves always one. */
export async function takeSlot(): Promise<(() => void) | null> {
  const locks = typeof window === 'undefined' ? undefined : window.navigator.locks;
  if (!locks) return () => {};
  for (let slot = 0; slot < HELD; slot++) {
    const release = await hold(locks, `pyagent stream ${slot}`);
    if (release) return release;
  }
  return null;
}

function hold(locks: LockManager, name: string): Promise<(() => void) | null> {
  return new Promise((resolve) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (lock) return new Promise<void>((release) => resolve(release));
        resolve(null);
        return undefined;
      })
      .catch(() => resolve(() => {}));
  });
}
