// Makes a realm safe to share: no code from text, native functions that say what they are about to do, and nothing
// that one expression could change for the next. Runs last; what it leaves is frozen.
((charge) => {
  const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, freeze } = Object;
  const { apply, ownKeys } = Reflect;
  const { isArray } = Array;

  const MAX_ELEMENTS = 1_000_000;
  const MAX_TEXT = 16_777_216;

  const define = (holder, name, value) =>
    defineProperty(holder, name, { value, writable: true, enumerable: false, configurable: true });

  // Native functions cannot be interrupted, so each tells its steps before. A run that must stop meets a loop, which
  // can be interrupted.
  const UNCOUNTED = 500;
  const spend = (steps) => {
    if (steps > UNCOUNTED && charge(steps)) for (;;);
  };
  // What a callback does takes time too, and it is asked seldom by itself.
  let calls = 0;
  const tick = () => {
    calls = (calls + 1) % 16;
    if (calls === 0 && charge(0)) for (;;);
  };
  const timed = (callback) => typeof callback !== 'function' ? callback : function (...args) {
    tick();
    return apply(callback, this, args);
  };
  const timedOfThree = (callback) => typeof callback !== 'function' ? callback : function (value, index, all) {
    tick();
    return this === undefined ? callback(value, index, all) : apply(callback, this, [value, index, all]);
  };
  const timedOfFour = (callback) => typeof callback !== 'function' ? callback : (made, value, index, all) => {
    tick();
    return callback(made, value, index, all);
  };

  const checkArray = (array) => {
    if (array.length > MAX_ELEMENTS) throw new RangeError(`the array has more than ${MAX_ELEMENTS} elements`);
    spend(array.length);
  };
  const FREE = ['constructor', 'push', 'pop', 'at', 'keys', 'values', 'entries', 'toString'];
  const TIMED = { reduce: timedOfFour, reduceRight: timedOfFour };
  for (const name of ['forEach', 'map', 'filter', 'some', 'every', 'find', 'findIndex', 'findLast', 'findLastIndex',
    'flatMap']) TIMED[name] = timedOfThree;
  for (const name of ownKeys(Array.prototype)) {
    if (typeof name !== 'string' || FREE.includes(name)) continue;
    const native = Array.prototype[name];
    if (typeof native !== 'function') continue;
    const guard = TIMED[name];
    define(Array.prototype, name, {
      [name](...args) {
        // Only of a true array can the length not change between this check and its use.
        if (!isArray(this)) throw new TypeError(`Array.prototype.${name} works on arrays only`);
        checkArray(this);
        if (guard !== undefined) args[0] = guard(args[0]);
        else if (name === 'concat') for (let index = 0; index < args.length; index++) if (isArray(args[index])) checkArray(args[index]);
        return apply(native, this, args);
      },
    }[name]);
  }
  const flatten = (array, depth, found) => {
    for (const element of array) {
      if (isArray(element) && depth >= 1) flatten(element, depth - 1, found);
      else found.push(element);
    }
    return found;
  };
  define(Array.prototype, 'flat', { flat(depth = 1) { return flatten(this, Number(depth) || 0, []); } }.flat);
  // The default order compares whole texts by native code; a comparator can be interrupted.
  const byText = (a, b) => {
    const [x, y] = [String(a), String(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  };
  for (const name of ['sort', 'toSorted']) {
    const native = Array.prototype[name];
    define(Array.prototype, name, {
      [name](compare) {
        if (compare === undefined) return apply(native, this, this.length > 64 ? [byText] : []);
        if (typeof compare !== 'function') return apply(native, this, [compare]);
        return apply(native, this, [(a, b) => {
          tick();
          return compare(a, b);
        }]);
      },
    }[name]);
  }
  // Whatever takes an array's elements one by one natively, such as `new Set(array)`, comes by here.
  const arrayIterator = getPrototypeOf([][Symbol.iterator]());
  const nativeNext = arrayIterator.next;
  define(arrayIterator, 'next', { next() { return apply(nativeNext, this, []); } }.next);
  for (const holder of [Map.prototype, Set.prototype]) {
    const native = holder.forEach;
    define(holder, 'forEach', { forEach(callback, self) { return apply(native, this, [timed(callback), self]); } }.forEach);
  }
  for (const [holder, name] of [[Array, 'from'], [Object, 'groupBy'], [Map, 'groupBy']]) {
    const native = holder[name];
    if (native === undefined) continue;
    define(holder, name, { [name](...args) { args[1] = timed(args[1]); return apply(native, this, args); } }[name]);
  }

  const asText = (value) => {
    if (value === null || value === undefined) throw new TypeError(`cannot read text of ${value}`);
    return typeof value === 'string' ? value : String(value);
  };
  const checkText = (length) => {
    if (length > MAX_TEXT) throw new RangeError(`the text would have more than ${MAX_TEXT} characters`);
    spend(length);
  };
  const wrapText = (name, guard) => {
    const native = String.prototype[name];
    define(String.prototype, name, { [name](...args) { return apply(native, guard(this, args), args); } }[name]);
  };
  wrapText('repeat', (self, args) => {
    const text = asText(self);
    args[0] = Number(args[0]);
    checkText(text.length * args[0]);
    return text;
  });
  for (const name of ['padStart', 'padEnd']) {
    wrapText(name, (self, args) => {
      const text = asText(self);
      args[0] = Number(args[0]);
      checkText(args[0]);
      return text;
    });
  }
  for (const name of ['indexOf', 'lastIndexOf', 'includes', 'split', 'replace', 'replaceAll']) {
    wrapText(name, (self, args) => {
      const text = asText(self);
      if (typeof args[1] === 'function') args[1] = timed(args[1]);
      const sought = args[0];
      if (typeof sought === 'object' && sought !== null && (sought[Symbol.replace] || sought[Symbol.split])) return text;
      if (args.length > 0 && sought !== undefined) args[0] = String(sought);
      const length = String(args[0]).length;
      spend(text.length + Math.max(text.length - length, 0) * length);
      return text;
    });
  }
  for (const name of ['normalize', 'toUpperCase', 'toLowerCase', 'toLocaleUpperCase', 'toLocaleLowerCase']) {
    wrapText(name, (self) => {
      const text = asText(self);
      spend(text.length * 20);
      return text;
    });
  }
  // A search is interrupted on time, but there may be as many as characters.
  for (const key of [Symbol.replace, Symbol.split, Symbol.match]) {
    const native = RegExp.prototype[key];
    define(RegExp.prototype, key, function (text, ...more) {
      const whole = String(text);
      spend(whole.length * 30);
      if (key === Symbol.replace && typeof more[0] === 'function') more[0] = timed(more[0]);
      return apply(native, this, [whole, ...more]);
    });
  }
  const nativeParse = JSON.parse;
  define(JSON, 'parse', {
    parse(text, reviver) {
      const whole = String(text);
      spend(whole.length * 10);
      return reviver === undefined ? nativeParse(whole) : nativeParse(whole, reviver);
    },
  }.parse);

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
