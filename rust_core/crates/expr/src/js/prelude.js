// The names of the language that are not data: readers of items, small helpers, randomness.
// Gives back what the engine itself calls: how a value reads inside text, and its JSON.
((host, random) => {
  const { defineProperty, freeze, getPrototypeOf } = Object;
  const { isFrozen, values } = Object;
  const nativeStringify = JSON.stringify;
  const nativeParse = JSON.parse;
  const { isArray } = Array;
  const [ObjectPrototype, Proxy_] = [Object.prototype, Proxy];

  const define = (name, value) => defineProperty(globalThis, name, { value, enumerable: false });

  const reader = (kind, name) => {
    const read = (which) => (port) => host(kind, name, which, port === undefined ? '' : String(port));
    return freeze({
      first: read('first'),
      last: read('last'),
      all: read('all'),
      get item() {
        return host(kind, name, 'item', '');
      },
    });
  };
  define('$input', reader('input', ''));
  define('$', (name) => reader('node', String(name)));
  define('$node', new Proxy_(freeze({}), {
    get: (_, name) => typeof name !== 'string' ? undefined : freeze({
      get json() {
        return host('node', name, 'item', '').json;
      },
      get binary() {
        return host('node', name, 'item', '').binary;
      },
    }),
  }));

  const isEmpty = (value) => {
    if (value === undefined || value === null || value === '') return true;
    if (isArray(value)) return value.length === 0;
    return typeof value === 'object' && getPrototypeOf(value) === ObjectPrototype && Object.keys(value).length === 0;
  };
  define('$if', (condition, whenTrue, whenFalse) => (condition ? whenTrue : whenFalse));
  define('$ifEmpty', (value, otherwise) => (isEmpty(value) ? otherwise : value));
  define('$not', (value) => !value);
  define('$min', (...numbers) => Math.min(...numbers));
  define('$max', (...numbers) => Math.max(...numbers));
  Math.random = () => random();

  // JSON.stringify cannot be interrupted, and shared parts can make a small value's text endless; so the parts are
  // counted first. Gives whether a toJSON of the expression's own is among them, which could hide more.
  const MAX_PARTS = 2_000_000;
  const measure = (value) => {
    const waiting = [value];
    let parts = 0;
    let custom = false;
    while (waiting.length > 0) {
      const holder = waiting.pop();
      if (typeof holder !== 'object' || holder === null) continue;
      if (typeof holder.toJSON === 'function') {
        if (Object.hasOwn(holder, 'toJSON') || !isFrozen(getPrototypeOf(holder))) custom = true;
        continue;
      }
      const inner = isArray(holder) ? holder : values(holder);
      parts += inner.length + 1;
      if (parts > MAX_PARTS) throw new RangeError(`the value refers to itself or has more than ${MAX_PARTS} parts`);
      for (let index = 0; index < inner.length; index++) {
        const part = inner[index];
        if (typeof part === 'object' && part !== null) waiting.push(part);
      }
    }
    return custom;
  };
  // A replacer is JavaScript and can be interrupted.
  const pass = (key, value) => value;
  const stringify = (value, replacer, space) => {
    if (typeof replacer === 'function') return nativeStringify(value, replacer, space);
    if (!measure(value)) return nativeStringify(value, replacer, space);
    const text = nativeStringify(value, pass);
    return text === undefined ? undefined : nativeStringify(nativeParse(text), replacer, space);
  };
  defineProperty(JSON, 'stringify', { value: stringify, writable: true, configurable: true });

  const asText = (value) => {
    if (value === null || value === undefined || (typeof value === 'number' && value !== value)) return '';
    if (typeof value !== 'object') return String(value);
    const prototype = getPrototypeOf(value);
    return isArray(value) || prototype === ObjectPrototype || prototype === null ? stringify(value) : String(value);
  };
  return [asText, (value) => stringify(value)];
})
