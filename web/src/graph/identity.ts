/** Ids made of names: small letters, digits and `_`, beginning with a letter. */

/** The id that a name suggests; `fallback` where nothing of it can stand in an id. */
export function idFrom(name: string, fallback = 'graph'): string {
  const id = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+|_+$/g, '');
  return id || fallback;
}

/** The id itself, or with the first number behind it that makes it one that is not taken. */
export function freshId(id: string, taken: (id: string) => boolean): string {
  if (!taken(id)) return id;
  const stem = id.replace(/_\d+$/, '');
  for (let number = 2; ; number++) {
    const next = `${stem}_${number}`;
    if (!taken(next)) return next;
  }
}
