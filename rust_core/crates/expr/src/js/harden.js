// Makes a realm safe to share: no code from text, native functions that cannot run for minutes, and nothing
// that one expression could change for the next. Runs last; what it leaves is frozen.
(() => {
  const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, freeze } = Object;
  const { apply, construct, ownKeys } = Reflect;
  const { isArray } = Array;

  // Native functions cannot be interrupted, so what they work on is bounded by size.
  const MAX_ELEMENTS = 1_000_000;
  const MAX_TEXT = 16_777_216;
  const MAX_COMPARISONS = 500_000_000;

  const define = (holder, name, value) =>
    defineProperty(holder, name, { value, writable: true, enumerable: false, configurable: true });

  const wrap = (holder, name, guard) => {
    const native = holder[name];
    if (typeof native !== 'function') return;
    const wrapped = {
      [name](...args) {
        return apply(native, guard(this, args), args);
      },
    }[name];
    define(holder, name, wrapped);
  };

  const checkArray = (array) => {
    if (array.length > MAX_ELEMENTS) throw new RangeError(`the array has more than ${MAX_ELEMENTS} elements`);
  };
  const FREE = ['constructor', 'push', 'pop', 'at', 'keys', 'values', 'entries', 'toString'];
  for (const name of ownKeys(Array.prototype)) {
    if (typeof name !== 'string' || FREE.includes(name)) continue;
    wrap(Array.prototype, name, (self, args) => {
      // Only of a true array can the length not change between this check and its use.
      if (!isArray(self)) throw new TypeError(`Array.prototype.${name} works on arrays only`);
      checkArray(self);
      if (name === 'concat') for (const arg of args) if (isArray(arg)) checkArray(arg);
      return self;
    });
  }
  const flatten = (array, depth, found) => {
    for (const element of array) {
      if (isArray(element) && depth >= 1) flatten(element, depth - 1, found);
      else found.push(element);
    }
    return found;
  };
  define(Array.prototype, 'flat', { flat(depth = 1) { return flatten(this, Number(depth) || 0, []); } }.flat);
  if (typeof Iterator === 'function') {
    wrap(Iterator.prototype, 'drop', (self, args) => {
      if (Number(args[0]) > MAX_ELEMENTS) throw new RangeError(`more than ${MAX_ELEMENTS} elements to drop`);
      return self;
    });
  }

  const asText = (value) => {
    if (value === null || value === undefined) throw new TypeError(`cannot read text of ${value}`);
    return typeof value === 'string' ? value : String(value);
  };
  const checkText = (length) => {
    if (length > MAX_TEXT) throw new RangeError(`the text would have more than ${MAX_TEXT} characters`);
  };
  wrap(String.prototype, 'repeat', (self, args) => {
    const text = asText(self);
    args[0] = Number(args[0]);
    checkText(text.length * args[0]);
    return text;
  });
  for (const name of ['padStart', 'padEnd']) {
    wrap(String.prototype, name, (self, args) => {
      const text = asText(self);
      args[0] = Number(args[0]);
      checkText(args[0]);
      return text;
    });
  }
  for (const name of ['indexOf', 'lastIndexOf', 'includes', 'split', 'replace', 'replaceAll']) {
    wrap(String.prototype, name, (self, args) => {
      const text = asText(self);
      const sought = args[0];
      // A regular expression is interrupted on time.
      if (typeof sought === 'object' && sought !== null && (sought[Symbol.replace] || sought[Symbol.split])) return text;
      if (args.length > 0 && sought !== undefined) args[0] = String(sought);
      const length = String(args[0]).length;
      if ((text.length - length) * length > MAX_COMPARISONS) throw new RangeError(`${name} on texts that are too long`);
      return text;
    });
  }

  // Default order compares by native code for the whole sort; a comparator can be interrupted.
  for (const name of ['sort', 'toSorted']) {
    const native = Array.prototype[name];
    const byText = (a, b) => {
      const [x, y] = [String(a), String(b)];
      return x < y ? -1 : x > y ? 1 : 0;
    };
    define(Array.prototype, name, {
      [name](compare) {
        return apply(native, this, [compare === undefined && this.length > 10_000 ? byText : compare]);
      },
    }[name]);
  }

  // The constructor runs over an array's holes without a pause.
  const NativeSet = Set;
  const GuardedSet = function Set(elements) {
    if (isArray(elements)) checkArray(elements);
    return construct(NativeSet, elements === undefined ? [] : [elements], new.target ?? NativeSet);
  };
  GuardedSet.prototype = NativeSet.prototype;
  define(NativeSet.prototype, 'constructor', GuardedSet);
  define(globalThis, 'Set', GuardedSet);

  const samples = [function () {}, function* () {}, async function () {}, async function* () {}];
  const noCode = function Function() {
    throw new TypeError('making code from text is disabled in expressions');
  };
  noCode.prototype = Function.prototype;
  for (const sample of samples) defineProperty(getPrototypeOf(sample), 'constructor', { value: noCode });
  define(globalThis, 'Function', noCode);
  for (const name of ['eval', 'Proxy', 'Promise', 'queueMicrotask', 'performance', 'navigator', 'WeakRef',
    'FinalizationRegistry', 'gc', 'print', 'console', 'DOMException']) delete globalThis[name];

  // Frozen prototypes would forbid `object.toString = ...` on objects that inherit from them.
  const allowOverride = (holder) => {
    for (const key of ownKeys(holder)) {
      const property = getOwnPropertyDescriptor(holder, key);
      if (!('value' in property) || !property.configurable) continue;
      const { value } = property;
      defineProperty(holder, key, {
        get() {
          return value;
        },
        set(replacement) {
          if (this === holder) throw new TypeError(`${String(key)} is read-only`);
          defineProperty(this, key, { value: replacement, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false,
        configurable: false,
      });
    }
  };
  for (const holder of [Object.prototype, Error.prototype]) allowOverride(holder);

  const seen = new Set();
  const queue = [globalThis, ...samples.map(getPrototypeOf), [][Symbol.iterator](), ''[Symbol.iterator](),
    new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ''.matchAll(/a/g)];
  if (typeof Iterator === 'function') queue.push(Iterator.from({ next() {} }), [].values().map((value) => value));
  while (queue.length > 0) {
    const holder = queue.pop();
    if ((typeof holder !== 'object' && typeof holder !== 'function') || holder === null || seen.has(holder)) continue;
    seen.add(holder);
    freeze(holder);
    queue.push(getPrototypeOf(holder));
    for (const key of ownKeys(holder)) {
      const property = getOwnPropertyDescriptor(holder, key);
      queue.push(property.value, property.get, property.set);
    }
  }
})
