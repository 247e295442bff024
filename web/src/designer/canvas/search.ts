/** How well a text fits what is searched for: words in any order, beginnings before middles; of titles, letters in order last. */

/** Higher is better; 0 does not fit. */
function score(text: string, wanted: string, loose: boolean): number {
  const query = wanted.trim().toLowerCase();
  if (!query) return 1;
  const where = text.toLowerCase();
  let total = 0;
  for (const word of query.split(/\s+/)) {
    const at = where.indexOf(word);
    if (at === 0) total += 100;
    else if (at > 0 && /[\s._\-/]/.test(where[at - 1] ?? '')) total += 60;
    else if (at > 0) total += 30;
    else if (loose && inOrder(where, word)) total += 5;
    else return 0;
  }
  return total - Math.min(4, text.length / 50);
}

function inOrder(text: string, letters: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** What fits, the best first; what fits as well stays in order. */
export function ranked<T>(all: readonly T[], wanted: string, texts: (one: T) => readonly [string, ...string[]]): T[] {
  const scored = all.flatMap((one) => {
    const [title, ...rest] = texts(one);
    // A sentence has the letters of nearly any word in order.
    const best = Math.max(score(title, wanted, true) * 2, ...rest.map((text) => score(text, wanted, false)));
    return best > 0 ? [{ one, best }] : [];
  });
  return scored.sort((one, other) => other.best - one.best).map(({ one }) => one);
}
