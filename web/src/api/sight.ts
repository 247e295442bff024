/** Whether anybody looks at the page: one that nobody sees gives its connections back, of which a browser has six for all
 * its pages. */

/** How long a page that is out of sight keeps its connections, in milliseconds: people go back and forth. */
const KEPT = 5_000;

/** Whether the page is out of sight. */
export function hidden(): boolean {
  return typeof document !== 'undefined' && document.hidden;
}

/** Be told, once each time, when the page has been out of sight for a while, and when it is seen after that. Gives the
 * function that ends it. */
export function watchSight(left: () => void, back: () => void): () => void {
  if (typeof document === 'undefined') return () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let away = false;
  const look = () => {
    clearTimeout(timer);
    if (hidden()) {
      timer = setTimeout(() => {
        away = true;
        left();
      }, KEPT);
    } else if (away) {
      away = false;
      back();
    }
  };
  document.addEventListener('visibilitychange', look);
  // A page may be opened out of sight.
  if (hidden()) look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}
