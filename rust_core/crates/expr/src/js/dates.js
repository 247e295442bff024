// Date in the graph's time zone and by the run's clock, and luxon's names.
((zone, luxon) => {
  const { defineProperty, freeze } = Object;
  const { apply, construct } = Reflect;
  const RealDate = Date;
  const prototype = RealDate.prototype;
  const { getTime, setTime } = prototype;
  const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
  const pad = (value, width = 2) => String(value).padStart(width, '0');
  const define = (name, value) => defineProperty(prototype, name, { value, writable: true, configurable: true });

  // The same time of day in UTC, so that the getters and setters for UTC do the work.
  const offset = (date) => {
    const at = apply(getTime, date, []);
    return at !== at ? NaN : zone.offset(zone.name, at) * 1000;
  };
  const local = (date) => new RealDate(apply(getTime, date, []) + offset(date));
  const instant = (localTime) => zone.fromLocal(zone.name, localTime);

  for (const part of ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'Seconds', 'Milliseconds']) {
    const get = prototype[`getUTC${part}`];
    define(`get${part}`, { get() { return apply(get, local(this), []); } }.get);
    const set = prototype[`setUTC${part}`];
    if (set === undefined) continue;
    define(`set${part}`, {
      set(...args) {
        const shifted = local(this);
        apply(set, shifted, args);
        return apply(setTime, this, [instant(apply(getTime, shifted, []))]);
      },
    }.set);
  }
  define('getYear', { getYear() { return this.getFullYear() - 1900; } }.getYear);
  define('getTimezoneOffset', { getTimezoneOffset() { return 0 - offset(this) / 60000; } }.getTimezoneOffset);

  const dateText = (date) =>
    `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${pad(date.getDate())} ${pad(date.getFullYear(), 4)}`;
  const timeText = (date) => {
    const minutes = Math.round(offset(date) / 60000);
    const sign = minutes < 0 ? '-' : '+';
    const east = `${sign}${pad(Math.floor(Math.abs(minutes) / 60))}${pad(Math.abs(minutes) % 60)}`;
    const name = new Intl.DateTimeFormat('en-US', { hour: 'numeric', timeZoneName: 'long' }).formatToParts(date).at(-1).value;
    return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())} GMT${east} (${name})`;
  };
  const texts = {
    toString: (date) => `${dateText(date)} ${timeText(date)}`,
    toDateString: dateText,
    toTimeString: timeText,
  };
  for (const [name, text] of Object.entries(texts)) {
    define(name, { text() { return Number.isNaN(apply(getTime, this, [])) ? 'Invalid Date' : text(this); } }.text);
  }

  const DATE_ONLY = /^([+-]\d{6}|\d{4})(-\d\d){0,2}$/;
  const WITH_ZONE = /(z|gmt|utc?|[ecmp][sd]t|:\d\d.*[+-]\d\d:?\d\d)\s*(\(.*\))?$/i;
  const parse = (text) => {
    const trimmed = String(text).trim();
    if (DATE_ONLY.test(trimmed) || WITH_ZONE.test(trimmed)) return RealDate.parse(trimmed);
    return instant(RealDate.parse(trimmed + (/^[+-]?\d{4,6}-\d\d-\d\dT/.test(trimmed) ? 'Z' : ' UTC')));
  };
  const toTime = (args) => {
    if (args.length === 0) return zone.now();
    if (args.length > 1) return instant(RealDate.UTC(...args));
    if (args[0] instanceof RealDate) return apply(getTime, args[0], []);
    const value = typeof args[0] === 'object' && args[0] !== null ? args[0][Symbol.toPrimitive]?.('default') ?? args[0].valueOf() : args[0];
    return typeof value === 'string' ? parse(value) : Number(value);
  };
  const LocalDate = function Date(...args) {
    if (new.target === undefined) return new LocalDate().toString();
    return construct(RealDate, [toTime(args)], new.target);
  };
  LocalDate.prototype = prototype;
  LocalDate.now = () => zone.now();
  LocalDate.UTC = RealDate.UTC;
  LocalDate.parse = parse;
  defineProperty(prototype, 'constructor', { value: LocalDate, writable: true, configurable: true });
  defineProperty(globalThis, 'Date', { value: LocalDate, writable: true, configurable: true });

  if (luxon === undefined) return;
  const { DateTime, Duration, FixedOffsetZone, IANAZone, Info, Interval, Settings, SystemZone } = luxon;
  // Straight from the host: by formatting, as luxon does it, an offset takes a hundred times as long.
  const valid = (name) => typeof name === 'string' && zone.canonical(name) !== undefined && zone.canonical(name) !== null;
  IANAZone.isValidZone = valid;
  IANAZone.prototype.offset = function (at) {
    return this.valid ? zone.offset(this.name, at) / 60 : NaN;
  };
  // Zones are shared by all that use them.
  const { create } = IANAZone;
  IANAZone.create = (name) => freeze(apply(create, IANAZone, [name]));
  freeze(FixedOffsetZone.utcInstance);
  freeze(SystemZone.instance);
  Settings.now = () => zone.now();
  Settings.defaultZone = zone.name;
  Settings.defaultLocale = 'en-US';

  for (const [name, value] of Object.entries({ DateTime, Duration, Info, Interval })) {
    defineProperty(globalThis, name, { value, enumerable: false });
  }
  defineProperty(globalThis, '$now', { get: () => DateTime.now() });
  defineProperty(globalThis, '$today', { get: () => DateTime.now().startOf('day') });
})
