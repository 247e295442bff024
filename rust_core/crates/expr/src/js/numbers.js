// Numbers of Intl for English: NumberFormat, PluralRules, RelativeTimeFormat. Digits are those of the shortest decimal,
// and halves are rounded away from zero, as ECMA-402 asks.
((resolveLocale, supported) => {
  const { freeze } = Object;

  // A positive number as digits and the place of its point: 12.5 is 125 with the point at 2.
  const decimal = (value) => {
    if (typeof value === 'bigint') {
      const text = String(value);
      return { digits: text, point: text.length };
    }
    const [mantissa, exponent] = value.toExponential().split('e');
    const digits = mantissa.replace('.', '');
    return value === 0 ? { digits: '0', point: 1 } : { digits, point: Number(exponent) + 1 };
  };
  // Rounded so that `kept` digits stay.
  const rounded = ({ digits, point }, kept) => {
    if (kept >= digits.length) return { digits, point };
    if (kept < 0) return { digits: '0', point: 1 };
    const up = digits[kept] >= '5';
    let head = digits.slice(0, kept);
    if (up) {
      const next = String(BigInt(`0${head}`) + 1n).padStart(head.length, '0');
      if (next.length > head.length) return { digits: next, point: point + 1 };
      head = next;
    }
    return head === '' ? { digits: '0', point: 1 } : { digits: head, point };
  };
  const isZero = ({ digits }) => /^0*$/.test(digits);
  // Whole part and fraction.
  const split = ({ digits, point }) => {
    if (point <= 0) return ['0', '0'.repeat(isZero({ digits }) ? 0 : -point) + digits.replace(/0+$/, '')];
    return [digits.slice(0, point).padEnd(point, '0'), digits.slice(point).replace(/0+$/, '')];
  };

  const COMPACT = [['', ''], ['K', 'thousand'], ['M', 'million'], ['B', 'billion'], ['T', 'trillion']];
  const SYMBOLS = {
    USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', CNY: 'CN¥', KRW: '₩', CAD: 'CA$', AUD: 'A$', MXN: 'MX$', BRL: 'R$',
    NZD: 'NZ$', HKD: 'HK$', TWD: 'NT$', ILS: '₪', VND: '₫', PHP: '₱', XAF: 'FCFA', XOF: 'F\u202fCFA', XPF: 'CFPF', XCD: 'EC$',
  };
  const BRITISH = { USD: 'US$', JPY: 'JP¥', PHP: 'PHP' };
  const NAMES = {
    USD: 'US dollar', EUR: 'euro', GBP: 'British pound', JPY: 'Japanese yen', INR: 'Indian rupee', CNY: 'Chinese yuan',
    CAD: 'Canadian dollar', AUD: 'Australian dollar', CHF: 'Swiss franc', SEK: 'Swedish krona', NZD: 'New Zealand dollar',
    KRW: 'South Korean won', MXN: 'Mexican peso', BRL: 'Brazilian real', PLN: 'Polish zloty', DKK: 'Danish krone',
  };
  const PLURALS = {
    JPY: 'Japanese yen', CNY: 'Chinese yuan', KRW: 'South Korean won', SEK: 'Swedish kronor', DKK: 'Danish kroner',
    PLN: 'Polish zlotys',
  };
  const NO_CENTS = ['JPY', 'KRW', 'VND', 'CLP', 'ISK', 'PYG', 'UGX', 'XAF', 'XOF', 'XPF', 'RWF', 'GNF', 'KMF', 'DJF', 'BIF', 'VUV'];
  // For each unit its short forms for one and for more, its narrow form, and its long plural where not by an s.
  const UNITS = {
    year: ['yr', 'yrs', 'y'], month: ['mth', 'mths', 'm'], week: ['wk', 'wks', 'w'], day: ['day', 'days', 'd'],
    hour: ['hr', 'hr', 'h'], minute: ['min', 'min', 'm'], second: ['sec', 'sec', 's'], millisecond: ['ms', 'ms', 'ms'],
    kilometer: ['km', 'km', 'km'], meter: ['m', 'm', 'm'], centimeter: ['cm', 'cm', 'cm'], millimeter: ['mm', 'mm', 'mm'],
    mile: ['mi', 'mi', 'mi'], yard: ['yd', 'yd', 'yd'], foot: ['ft', 'ft', '′', 'feet'], inch: ['in', 'in', '″', 'inches'],
    kilogram: ['kg', 'kg', 'kg'], gram: ['g', 'g', 'g'], pound: ['lb', 'lb', '#'], ounce: ['oz', 'oz', 'oz'],
    liter: ['L', 'L', 'L'], milliliter: ['mL', 'mL', 'mL'], gallon: ['gal', 'gal', 'gal'], acre: ['ac', 'ac', 'ac'],
    hectare: ['ha', 'ha', 'ha'], bit: ['bit', 'bit', 'bit'], byte: ['byte', 'byte', 'B'], kilobyte: ['kB', 'kB', 'kB'],
    megabyte: ['MB', 'MB', 'MB'], gigabyte: ['GB', 'GB', 'GB'], terabyte: ['TB', 'TB', 'TB'], petabyte: ['PB', 'PB', 'PB'],
    degree: ['deg', 'deg', '°'], celsius: ['°C', '°C', '°C', 'degrees Celsius'], percent: ['%', '%', '%', 'percent'],
    fahrenheit: ['°F', '°F', '°', 'degrees Fahrenheit'], 'kilometer-per-hour': ['km/h', 'km/h', 'km/h', 'kilometers per hour'],
    'mile-per-hour': ['mph', 'mph', 'mph', 'miles per hour'], 'meter-per-second': ['m/s', 'm/s', 'm/s', 'meters per second'],
  };
  const GLUED = /^(°|%|′|″|#)/;

  class NumberFormat {
    #options;
    #resolved;
    #fraction;

    constructor(locales, asked = {}) {
      const locale = resolveLocale(locales);
      const style = asked.style ?? 'decimal';
      const notation = asked.notation ?? 'standard';
      const currency = asked.currency === undefined ? undefined : String(asked.currency).toUpperCase();
      if (style === 'currency' && currency === undefined) throw new TypeError('Currency code is required with currency style.');
      if (style === 'unit' && asked.unit === undefined) throw new TypeError('Required unit option is missing.');
      const cents = style === 'currency' && notation === 'standard' ? (NO_CENTS.includes(currency) ? 0 : 2) : 0;
      const bounds = ['minimumFractionDigits', 'maximumFractionDigits', 'minimumSignificantDigits', 'maximumSignificantDigits'];
      for (const name of bounds) {
        const value = asked[name];
        if (value !== undefined && !(Number(value) >= 0 && Number(value) <= 100)) {
          throw new RangeError(`${name} value is out of range.`);
        }
      }
      const [least, most] = [asked.minimumFractionDigits, asked.maximumFractionDigits];
      const usual = style === 'percent' ? 0 : style === 'currency' && notation === 'standard' ? cents : 3;
      const minimum = least ?? Math.min(cents, most ?? cents);
      if (most !== undefined && least !== undefined && least > most) {
        throw new RangeError('maximumFractionDigits value is out of range.');
      }
      const significant = asked.minimumSignificantDigits !== undefined || asked.maximumSignificantDigits !== undefined;
      this.#fraction = { minimum, maximum: most ?? Math.max(usual, minimum), given: most !== undefined || least !== undefined };
      this.#options = { ...asked, style, notation, currency, british: locale === 'en-GB', significant };
      this.#resolved = freeze({
        locale, numberingSystem: 'latn', style, ...(currency ? { currency } : {}),
        minimumIntegerDigits: asked.minimumIntegerDigits ?? 1,
        ...(significant
          ? { minimumSignificantDigits: asked.minimumSignificantDigits ?? 1, maximumSignificantDigits: asked.maximumSignificantDigits ?? 21 }
          : { minimumFractionDigits: minimum, maximumFractionDigits: this.#fraction.maximum }),
        useGrouping: asked.useGrouping ?? (notation === 'compact' ? 'min2' : 'auto'), notation,
        signDisplay: asked.signDisplay ?? 'auto',
      });
      this.format = (value) => this.formatToParts(value).map((part) => part.value).join('');
      freeze(this);
    }

    #round(number) {
      const { notation, significant, minimumSignificantDigits = 1, maximumSignificantDigits = 21 } = this.#options;
      if (significant) return [rounded(number, Math.max(maximumSignificantDigits, minimumSignificantDigits)), 0];
      if (notation === 'compact' && !this.#fraction.given) return [rounded(number, Math.max(2, number.point)), 0];
      return [rounded(number, number.point + this.#fraction.maximum), this.#fraction.minimum];
    }

    // The digits, and the power of ten that is said beside them.
    #scaled(number) {
      const { notation } = this.#options;
      const power = (point) => {
        if (notation === 'scientific') return point - 1;
        if (notation === 'engineering') return Math.floor((point - 1) / 3) * 3;
        if (notation === 'compact') return Math.min(Math.max(Math.floor((point - 1) / 3), 0), 4) * 3;
        return 0;
      };
      let exponent = isZero(number) ? 0 : power(number.point);
      let [found, minimum] = this.#round({ ...number, point: number.point - exponent });
      const more = isZero(number) ? 0 : power(found.point + exponent);
      if (more !== exponent) {
        exponent = more;
        [found, minimum] = this.#round({ ...number, point: number.point - exponent });
      }
      return { found, minimum, exponent };
    }

    #numberParts(magnitude) {
      if (magnitude === Infinity) return { parts: [{ type: 'infinity', value: '∞' }], zero: false, one: false, exponent: 0 };
      const { notation, significant, minimumSignificantDigits = 1, style } = this.#options;
      const exact = decimal(magnitude);
      const { found, minimum, exponent } = this.#scaled(style === 'percent' ? { ...exact, point: exact.point + (isZero(exact) ? 0 : 2) } : exact);
      let [whole, fraction] = split(found);
      if (significant) {
        const shown = (whole === '0' ? '' : whole) + (whole === '0' ? fraction.replace(/^0+/, '') : fraction);
        const missing = minimumSignificantDigits - Math.max(shown.length, isZero(found) ? 1 : 0);
        if (missing > 0) fraction += '0'.repeat(missing);
      } else {
        fraction = fraction.padEnd(minimum, '0');
      }
      whole = whole.padStart(this.#resolved.minimumIntegerDigits, '0');
      const { useGrouping } = this.#resolved;
      const grouped = useGrouping !== false && useGrouping !== 'false' && whole.length > (useGrouping === 'min2' ? 4 : 3);
      const parts = [];
      for (const group of grouped ? whole.replace(/\B(?=(\d{3})+$)/g, ',').split(',') : [whole]) {
        if (parts.length > 0) parts.push({ type: 'group', value: ',' });
        parts.push({ type: 'integer', value: group });
      }
      if (fraction) parts.push({ type: 'decimal', value: '.' }, { type: 'fraction', value: fraction });
      if (notation === 'scientific' || notation === 'engineering') {
        parts.push({ type: 'exponentSeparator', value: 'E' });
        if (exponent < 0) parts.push({ type: 'exponentMinusSign', value: '-' });
        parts.push({ type: 'exponentInteger', value: String(Math.abs(exponent)) });
      } else if (notation === 'compact' && exponent > 0) {
        const long = this.#options.compactDisplay === 'long';
        if (long) parts.push({ type: 'literal', value: ' ' });
        parts.push({ type: 'compact', value: COMPACT[exponent / 3][long ? 1 : 0] });
      }
      return { parts, zero: isZero(found), one: whole === '1' && !fraction && exponent === 0 };
    }

    formatToParts(given) {
      const value = typeof given === 'bigint' ? given : Number(given);
      const { style, signDisplay = 'auto', currency, currencyDisplay, currencySign, unitDisplay = 'short', british } = this.#options;
      const missing = value !== value;
      const negative = value < 0 || Object.is(value, -0);
      const { parts, zero, one } = missing ? { parts: [{ type: 'nan', value: 'NaN' }], zero: false, one: false }
        : this.#numberParts(value < 0 ? -value : Object.is(value, -0) ? 0 : value);
      const minus = negative && signDisplay !== 'never' && !(zero && (signDisplay === 'negative' || signDisplay === 'exceptZero'));
      const plus = !negative && (signDisplay === 'always' || (signDisplay === 'exceptZero' && !zero && !missing));
      const sign = minus ? [{ type: 'minusSign', value: '-' }] : plus ? [{ type: 'plusSign', value: '+' }] : [];
      const literal = (text) => ({ type: 'literal', value: text });
      if (style === 'percent') return [...sign, ...parts, { type: 'percentSign', value: '%' }];
      if (style === 'currency') {
        if (currencyDisplay === 'name') {
          const name = one ? NAMES[currency] : PLURALS[currency] ?? (NAMES[currency] && `${NAMES[currency]}s`);
          return [...sign, ...parts, literal(' '), { type: 'currency', value: name ?? currency }];
        }
        const narrow = currencyDisplay === 'narrowSymbol' && SYMBOLS[currency]?.replace(/^[A-Z]+(?=[^A-Z])/, '');
        const symbol = currencyDisplay === 'code' ? currency : narrow || ((british ? BRITISH[currency] : undefined) ?? SYMBOLS[currency] ?? currency);
        const shown = [{ type: 'currency', value: symbol }, ...(/[A-Za-z]$/.test(symbol) ? [literal('\u00a0')] : []), ...parts];
        return minus && currencySign === 'accounting' ? [literal('('), ...shown, literal(')')] : [...sign, ...shown];
      }
      if (style === 'unit') {
        const { unit } = this.#options;
        const [single, several, narrow, plural] = UNITS[unit] ?? [unit, unit, unit];
        const name = unitDisplay === 'long' ? (one ? unit.replaceAll('-', ' ') : plural ?? `${unit}s`)
          : unitDisplay === 'narrow' ? narrow : one ? single : several;
        const gap = unitDisplay === 'narrow' || GLUED.test(name) ? [] : [literal(' ')];
        return [...sign, ...parts, ...gap, { type: 'unit', value: name }];
      }
      return [...sign, ...parts];
    }

    formatRange(from, to) {
      const [first, last] = [this.format(from), this.format(to)];
      return first === last ? `~${first}` : `${first}–${last}`;
    }

    resolvedOptions() {
      return { ...this.#resolved };
    }

    static supportedLocalesOf(locales) {
      return supported(locales);
    }
  }

  class PluralRules {
    #ordinal;
    #numbers;

    constructor(locales, options = {}) {
      this.#ordinal = options.type === 'ordinal';
      this.#numbers = new NumberFormat(locales, { ...options, style: 'decimal' });
      freeze(this);
    }

    select(value) {
      const number = Number(value);
      if (this.#ordinal) {
        const [ten, hundred] = [Math.abs(number) % 10, Math.abs(number) % 100];
        if (ten === 1 && hundred !== 11) return 'one';
        if (ten === 2 && hundred !== 12) return 'two';
        return ten === 3 && hundred !== 13 ? 'few' : 'other';
      }
      return this.#numbers.format(Math.abs(number)) === '1' ? 'one' : 'other';
    }

    resolvedOptions() {
      const { locale } = this.#numbers.resolvedOptions();
      const categories = this.#ordinal ? ['few', 'one', 'two', 'other'] : ['one', 'other'];
      return { locale, type: this.#ordinal ? 'ordinal' : 'cardinal', pluralCategories: categories };
    }

    static supportedLocalesOf(locales) {
      return supported(locales);
    }
  }

  const NEAR = {
    day: { '-1': 'yesterday', 0: 'today', 1: 'tomorrow' }, second: { 0: 'now' }, minute: { 0: 'this minute' }, hour: { 0: 'this hour' },
  };
  for (const unit of ['year', 'quarter', 'month', 'week']) NEAR[unit] = { '-1': `last ${unit}`, 0: `this ${unit}`, 1: `next ${unit}` };
  const SHORT = { year: 'yr.', quarter: 'qtr.', month: 'mo.', week: 'wk.', day: 'day', hour: 'hr.', minute: 'min.', second: 'sec.' };
  const NARROW = { year: 'y', quarter: 'q', month: 'mo', week: 'w', day: 'd', hour: 'h', minute: 'min', second: 's' };

  class RelativeTimeFormat {
    #options;
    #numbers;

    constructor(locales, options = {}) {
      this.#options = { numeric: 'always', style: 'long', ...options };
      this.#numbers = new NumberFormat(locales);
      freeze(this);
    }

    format(value, unitAsked) {
      const number = Number(value);
      const unit = String(unitAsked).replace(/s$/, '');
      if (SHORT[unit] === undefined) throw new RangeError(`Invalid unit argument for format() '${unitAsked}'`);
      const { numeric, style } = this.#options;
      if (numeric === 'auto' && NEAR[unit][number] !== undefined) {
        const near = NEAR[unit][number];
        return style === 'long' || unit === 'day' ? near : near.replace(unit, SHORT[unit]);
      }
      const past = number < 0 || Object.is(number, -0);
      const digits = this.#numbers.format(Math.abs(number));
      const one = digits === '1';
      const name = style === 'long' ? ` ${unit}${one ? '' : 's'}` : style === 'narrow' ? NARROW[unit]
        : ` ${unit === 'day' && !one ? 'days' : unit === 'quarter' && !one ? 'qtrs.' : SHORT[unit]}`;
      return past ? `${digits}${name} ago` : `in ${digits}${name}`;
    }

    formatToParts(value, unit) {
      return [{ type: 'literal', value: this.format(value, unit) }];
    }

    resolvedOptions() {
      const { numeric, style } = this.#options;
      return { locale: this.#numbers.resolvedOptions().locale, numberingSystem: 'latn', numeric, style };
    }

    static supportedLocalesOf(locales) {
      return supported(locales);
    }
  }

  return { NumberFormat, PluralRules, RelativeTimeFormat };
})
