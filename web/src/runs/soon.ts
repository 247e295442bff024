/** Work that is done once for several who ask for it one after the other. */

export interface Soon {
  /** Do it after so many milliseconds without another who asks; who asks all the time puts it off for a while only. */
  readonly ask: (delay: number) => void;
  readonly stop: () => void;
}

/** `most`: milliseconds for which it is put off at most. */
export function soon(work: () => void, most: number): Soon {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest: number | null = null;
  return {
    ask: (delay) => {
      clearTimeout(timer);
      latest ??= Date.now() + most;
      const left = Math.max(0, Math.min(delay, latest - Date.now()));
      timer = setTimeout(() => {
        latest = null;
        work();
      }, left);
    },
    stop: () => {
      clearTimeout(timer);
      latest = null;
    },
  };
}
