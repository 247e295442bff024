// The names of the language that are not data: readers of items, small helpers, randomness.
// Gives back what the engine itself calls: how a value reads inside text.
((host, random) => {
  const { defineProperty, freeze, getPrototypeOf } = Object;
  const { stringify } = JSON;
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

  const asText = (value) => {
    if (value === null || value === undefined || (typeof value === 'number' && value !== value)) return '';
    if (typeof value !== 'object') return String(value);
    const prototype = getPrototypeOf(value);
    return isArray(value) || prototype === ObjectPrototype || prototype === null ? stringify(value) : String(value);
  };
  return asText;
})
