/** Asks a server again that has said to come back: it was busy, and has done nothing yet. */

const TRIES = 4;
const LONGEST = 5;

/** As `fetch`, but an answer 503 with `Retry-After` is waited out, a few times and some seconds at most. */
export async function patient(request: Request): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const again = tries < TRIES ? request.clone() : null;
    const response = await fetch(request);
    const wait = Number(response.headers.get('retry-after'));
    if (response.status !== 503 || !wait || !again) return response;
    await pause(Math.min(wait, LONGEST), request.signal);
    request = again;
  }
}

/** Wait so many seconds; an aborted request does not wait. */
function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException('The request was given up.', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, seconds * 1000);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
