// Intl for English: what luxon and the toLocale… methods need. QuickJS has none; other languages resolve to
// en-US, as ECMA-402 asks of a language that is not there. Time zones come from the host.
((zone, numbers) => {
  const { defineProperty, freeze } = Object;
  const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
    'November', 'December'];
  const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
  const ZONE_NAMES = {
    UTC: 'Coordinated Universal Time', EST: 'Eastern Standard Time', EDT: 'Eastern Daylight Time',
    CST: 'Central Standard Time', CDT: 'Central Daylight Time', MST: 'Mountain Standard Time',
    MDT: 'Mountain Daylight Time', PST: 'Pacific Standard Time', PDT: 'Pacific Daylight Time',
    AKST: 'Alaska Standard Time', AKDT: 'Alaska Daylight Time', HST: 'Hawaii-Aleutian Standard Time',
    CET: 'Central European Standard Time', CEST: 'Central European Summer Time',
    EET: 'Eastern European Standard Time', EEST: 'Eastern European Summer Time',
    WET: 'Western European Standard Time', WEST: 'Western European Summer Time',
    GMT: 'Greenwich Mean Time', BST: 'British Summer Time', JST: 'Japan Standard Time', IST: 'India Standard Time',
  };

  const resolveLocale = (asked) => {
    const list = asked === undefined ? [] : typeof asked === 'string' ? [asked] : [...asked];
    for (const tag of list) {
      if (!/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(tag)) throw new RangeError(`Incorrect locale information provided`);
      const [language, ...rest] = tag.toLowerCase().split('-u-')[0].split('-');
      if (language === 'en') return rest.includes('gb') ? 'en-GB' : rest.length > 0 ? 'en-US' : 'en';
    }
    return 'en-US';
  };
  const supported = (asked) =>
    (typeof asked === 'string' ? [asked] : [...(asked ?? [])]).filter((tag) => /^en\b/i.test(tag));
  const pad = (value, width = 2) => String(Math.abs(value)).padStart(width, '0');

  // Offsets such as +02:00 are zones too.
  const zoneOffset = (name, at) => {
    const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(name);
    if (fixed) return (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 3600 + Number(fixed[3]) * 60);
    return zone.offset(name, at);
  };
  const gmt = (seconds, long) => {
    if (seconds === 0) return 'GMT';
    const minutes = Math.round(Math.abs(seconds) / 60);
    const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
    const tail = long || rest ? `:${pad(rest)}` : '';
    return `GMT${seconds < 0 ? '-' : '+'}${long ? pad(hours) : hours}${tail}`;
  };
  const zoneName = (name, at, style, british) => {
    const seconds = zoneOffset(name, at);
    const long = style.startsWith('long');
    if (style.endsWith('Offset')) return gmt(seconds, long);
    const known = /^[+-]/.test(name) ? undefined : zone.abbreviation(name, at)?.[0];
    if (known === 'UTC') return long ? ZONE_NAMES.UTC : 'UTC';
    const american = /^(America|US|Pacific\/Honolulu|EST|CST|MST|PST)/.test(name) && /^([ECMP]|AK)[SD]T$|^HST$/.test(known);
    const european = /^(Europe(?!\/Dublin)|GB|Asia\/(Tokyo|Kolkata|Calcutta)$)/.test(name) || known === 'GMT';
    if (long) return american || european ? ZONE_NAMES[known] ?? gmt(seconds, true) : gmt(seconds, true);
    if (american && !british) return known;
    if (british && name.startsWith('Europe') && ZONE_NAMES[known]) return known;
    return gmt(seconds, false);
  };

  const DATE_STYLES = {
    full: { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' },
    long: { year: 'numeric', month: 'long', day: 'numeric' },
    medium: { year: 'numeric', month: 'short', day: 'numeric' },
    short: { year: '2-digit', month: 'numeric', day: 'numeric' },
  };
  const TIME_STYLES = {
    full: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'long' },
    long: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
    medium: { hour: 'numeric', minute: '2-digit', second: '2-digit' },
    short: { hour: 'numeric', minute: '2-digit' },
  };
  const DATE_FIELDS = ['weekday', 'year', 'month', 'day'];
  const TIME_FIELDS = ['dayPeriod', 'hour', 'minute', 'second', 'fractionalSecondDigits'];

  // Which fields an object of options asks for, with the defaults of toLocaleString and its kin.
  const chooseFields = (asked, defaults, british) => {
    const options = { ...asked };
    if (options.dateStyle || options.timeStyle) {
      const date = british && options.dateStyle === 'short' ? { ...DATE_STYLES.short, year: 'numeric' } : DATE_STYLES[options.dateStyle];
      return { ...options, ...date, ...TIME_STYLES[options.timeStyle] };
    }
    const has = (names) => names.some((name) => options[name] !== undefined);
    const [dates, times] = [has(DATE_FIELDS), has(TIME_FIELDS)];
    if (defaults !== 'time' && !dates && (!times || defaults === 'date')) {
      Object.assign(options, { year: 'numeric', month: 'numeric', day: 'numeric' });
    }
    if ((defaults === 'time' && !times) || (defaults === 'all' && !dates && !times)) {
      Object.assign(options, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
    }
    return options;
  };

  const dateParts = (shown, date, british) => {
    const parts = [];
    const literal = (value) => parts.push({ type: 'literal', value });
    const add = (type, value) => value !== undefined && parts.push({ type, value });
    const isText = shown.month === 'long' || shown.month === 'short' || shown.month === 'narrow';
    const month = date.getUTCMonth();
    const year = date.getUTCFullYear();
    const numeric = british && shown.day && shown.month && shown.year;
    const number = (style, value) => (style === undefined ? undefined
      : style === '2-digit' || numeric ? pad(value) : String(value));
    const field = {
      weekday: shown.weekday && (shown.weekday === 'long' ? DAYS[date.getUTCDay()]
        : DAYS[date.getUTCDay()].slice(0, shown.weekday === 'short' ? 3 : 1)),
      month: !shown.month ? undefined : !isText ? number(shown.month, month + 1)
        : shown.month === 'long' ? MONTHS[month]
          : shown.month === 'narrow' ? MONTHS[month][0]
            : british && month === 8 ? 'Sept' : MONTHS[month].slice(0, 3),
      day: shown.day && (isText ? (shown.day === '2-digit' ? pad(date.getUTCDate()) : String(date.getUTCDate()))
        : number(shown.day, date.getUTCDate())),
      year: shown.year && (shown.year === '2-digit' ? pad(year % 100)
        : String(shown.era && year <= 0 ? 1 - year : year)),
    };
    add('weekday', field.weekday);
    const order = british ? ['day', 'month', 'year'] : ['month', 'day', 'year'];
    let previous = field.weekday === undefined ? undefined : 'weekday';
    for (const name of order) {
      if (field[name] === undefined) continue;
      if (previous === 'weekday') {
        literal(!isText && !shown.month ? ' ' : ', ');
      } else if (previous !== undefined) {
        literal(!isText ? '/' : !british && previous === 'day' ? ', ' : ' ');
      }
      add(name, field[name]);
      previous = name;
    }
    if (shown.era) {
      if (parts.length > 0) literal(' ');
      const names = { long: ['Before Christ', 'Anno Domini'], narrow: ['B', 'A'] }[shown.era] ?? ['BC', 'AD'];
      add('era', names[year > 0 ? 1 : 0]);
    }
    const onlyDay = !shown.month && !shown.day && !shown.year;
    return { parts, join: onlyDay && !british ? ' ' : shown.month === 'long' ? ' at ' : ', ' };
  };

  const dayPeriod = (date) => {
    const hours = date.getUTCHours();
    if (hours === 12 && date.getUTCMinutes() === 0) return 'noon';
    return hours < 12 ? 'in the morning' : hours < 18 ? 'in the afternoon' : hours < 21 ? 'in the evening' : 'at night';
  };
  const timeParts = (shown, date, cycle, british) => {
    const parts = [];
    const literal = (value) => parts.push({ type: 'literal', value });
    const hours = date.getUTCHours();
    if (shown.hour) {
      const value = { h11: hours % 12, h12: hours % 12 || 12, h23: hours, h24: hours || 24 }[cycle];
      const wide = shown.hour === '2-digit' || ((cycle === 'h23' || cycle === 'h24') && !(british && shown.fractionalSecondDigits));
      parts.push({ type: 'hour', value: wide ? pad(value) : String(value) });
    }
    const sub = (name, value) => {
      if (!shown[name]) return;
      if (parts.length > 0) literal(':');
      const wide = parts.length > 0 || (name === 'minute' && shown.second);
      parts.push({ type: name, value: wide ? pad(value) : String(value) });
    };
    sub('minute', date.getUTCMinutes());
    sub('second', date.getUTCSeconds());
    if (shown.fractionalSecondDigits) {
      if (parts.length > 0) literal('.');
      parts.push({ type: 'fractionalSecond', value: pad(date.getUTCMilliseconds(), 3).slice(0, shown.fractionalSecondDigits) });
    }
    if (shown.hour && (cycle === 'h12' || cycle === 'h11')) {
      literal(shown.dayPeriod ? ' ' : '\u202f');
      const half = hours < 12 ? 'AM' : 'PM';
      parts.push({ type: 'dayPeriod', value: shown.dayPeriod ? dayPeriod(date) : british ? half.toLowerCase() : half });
    }
    return parts;
  };

  class DateTimeFormat {
    #shown;
    #resolved;

    constructor(locales, asked = {}, defaults = 'date or time') {
      const locale = resolveLocale(locales);
      const timeZone = asked.timeZone === undefined ? zone.name
        : /^[+-]\d\d:?\d\d$/.test(asked.timeZone) ? asked.timeZone : zone.canonical(String(asked.timeZone));
      if (timeZone === undefined || timeZone === null) {
        throw new RangeError(`Invalid time zone specified: ${asked.timeZone}`);
      }
      this.#shown = chooseFields(asked, defaults, locale === 'en-GB');
      const cycle = asked.hour12 === true ? 'h12' : asked.hour12 === false ? 'h23'
        : asked.hourCycle ?? (locale === 'en-GB' ? 'h23' : 'h12');
      const fields = {};
      for (const name of ['weekday', 'era', 'year', 'month', 'day', 'hour', 'minute', 'second', 'fractionalSecondDigits',
        'timeZoneName']) {
        if (this.#shown[name] !== undefined) fields[name] = this.#shown[name];
      }
      const clock = this.#shown.hour ? { hourCycle: cycle, hour12: cycle === 'h12' || cycle === 'h11' } : {};
      this.#resolved = freeze({
        locale, calendar: asked.calendar ?? 'gregory', numberingSystem: 'latn', timeZone, ...clock, ...fields,
      });
      // As in V8: texts have spaces where the parts have narrow ones, for programs that look for them.
      this.format = (date) => this.formatToParts(date).map((part) => part.value).join('').replaceAll('\u202f', ' ');
      freeze(this);
    }

    formatToParts(when) {
      const at = when === undefined ? zone.now() : Number(when);
      if (!Number.isFinite(at)) throw new RangeError('Invalid time value');
      const { timeZone, locale, hourCycle } = this.#resolved;
      const british = locale === 'en-GB';
      const date = new Date(at + zoneOffset(timeZone, at) * 1000);
      const { parts, join } = dateParts(this.#shown, date, british);
      const times = timeParts(this.#shown, date, hourCycle, british);
      if (times.length > 0 && parts.length > 0) parts.push({ type: 'literal', value: join });
      parts.push(...times);
      if (this.#shown.timeZoneName) {
        if (parts.length > 0) parts.push({ type: 'literal', value: times.length > 0 ? ' ' : ', ' });
        parts.push({ type: 'timeZoneName', value: zoneName(timeZone, at, this.#shown.timeZoneName, british) });
      }
      return parts;
    }

    formatRange(from, to) {
      const [first, last] = [this.format(from), this.format(to)];
      return first === last ? first : `${first}\u2009–\u2009${last}`;
    }

    resolvedOptions() {
      return { ...this.#resolved };
    }

    static supportedLocalesOf(locales) {
      return supported(locales);
    }
  }

  const { NumberFormat, PluralRules, RelativeTimeFormat } = numbers(resolveLocale, supported);

  class ListFormat {
    #gap;
    #word;

    constructor(locales, { type = 'conjunction', style = 'long' } = {}) {
      resolveLocale(locales);
      this.#gap = style === 'narrow' && type === 'unit' ? ' ' : ', ';
      this.#word = type === 'disjunction' ? 'or' : type === 'unit' ? '' : style === 'long' ? 'and' : style === 'short' ? '&' : '';
      freeze(this);
    }

    format(list) {
      const words = [...list];
      const last = words.pop();
      if (words.length === 0) return last ?? '';
      if (!this.#word) return [...words, last].join(this.#gap);
      return `${words.join(', ')}${words.length > 1 ? ',' : ''} ${this.#word} ${last}`;
    }
  }

  const PUNCTUATION = '_-–—,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$';

  // Letters first, then accents, then small before capital, as in the Unicode collation of English.
  const collate = (a, b, { numeric = false, sensitivity = 'variant' } = {}) => {
    const base = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase();
    const [x, y] = [String(a), String(b)];
    const rank = (character) => {
      if (/\p{L}/u.test(character)) return 100;
      if (/\d/.test(character)) return 99;
      if (/\s/.test(character)) return 0;
      const place = PUNCTUATION.indexOf(character[0]);
      return place < 0 ? 98 : place + 1;
    };
    const order = (left, right) => {
      const split = (text) => (numeric ? text.match(/\d+|\D/g) ?? [] : [...text]);
      const [p, q] = [split(left), split(right)];
      for (let index = 0; index < p.length && index < q.length; index++) {
        if (p[index] === q[index]) continue;
        if (numeric && /^\d/.test(p[index]) && /^\d/.test(q[index])) {
          const difference = Number(p[index]) - Number(q[index]);
          if (difference !== 0) return Math.sign(difference);
          continue;
        }
        const difference = rank(p[index]) - rank(q[index]);
        return difference !== 0 ? Math.sign(difference) : p[index] < q[index] ? -1 : 1;
      }
      return Math.sign(p.length - q.length);
    };
    const letters = order(base(x), base(y));
    if (letters !== 0 || sensitivity === 'base') return letters;
    const [u, v] = [x.normalize('NFD').toLowerCase(), y.normalize('NFD').toLowerCase()];
    if (u !== v && sensitivity !== 'case') return u < v ? -1 : 1;
    if (x === y || sensitivity === 'accent') return 0;
    for (let index = 0; index < x.length; index++) {
      if (x[index] !== y[index]) return x[index] === x[index].toLowerCase() ? -1 : 1;
    }
    return 0;
  };
  class Collator {
    constructor(locales, options = {}) {
      resolveLocale(locales);
      this.compare = (a, b) => collate(a, b, options);
      freeze(this);
    }
  }

  // luxon calls these without `new` here and there, as ECMA-402 allows.
  const callable = (Class) => {
    const wrapper = function (...args) {
      return new Class(...args);
    };
    wrapper.prototype = Class.prototype;
    defineProperty(wrapper, 'name', { value: Class.name });
    if (Class.supportedLocalesOf) wrapper.supportedLocalesOf = Class.supportedLocalesOf;
    defineProperty(Class.prototype, 'constructor', { value: wrapper });
    return wrapper;
  };
  const value = {
    DateTimeFormat: callable(DateTimeFormat), NumberFormat: callable(NumberFormat), PluralRules,
    RelativeTimeFormat, ListFormat, Collator: callable(Collator),
    getCanonicalLocales: (tags) => (typeof tags === 'string' ? [tags] : [...(tags ?? [])]),
  };
  defineProperty(globalThis, 'Intl', { value, enumerable: false });

  const method = (holder, name, body) => defineProperty(holder, name, { value: body, writable: true, configurable: true });
  for (const [name, defaults] of [['toLocaleString', 'all'], ['toLocaleDateString', 'date'], ['toLocaleTimeString', 'time']]) {
    method(Date.prototype, name, function (locales, options) {
      return Number.isNaN(Number(this)) ? 'Invalid Date' : new DateTimeFormat(locales, options, defaults).format(this);
    });
  }
  for (const holder of [Number.prototype, BigInt.prototype]) {
    method(holder, 'toLocaleString', function (locales, options) {
      return new NumberFormat(locales, options).format(this.valueOf());
    });
  }
  method(String.prototype, 'localeCompare', function (other, locales, options) {
    return collate(String(this), other, options);
  });
})
