"""Expressions whose values n8n and PyAgent must agree on: the languages, dates and numbers of English, and plain JavaScript."""

from __future__ import annotations

from itertools import product

ITEM = {
    "name": "Ada Lovelace",
    "words": ["résumé", "Resume", "resume", "zebra", "Äpfel", "apple", "Zürich", "_x", "10", "9", "ñu", "nu", "Éclair"],
    "n": [0, -0.5, 1234.5678, 1e21, 12345678901, 0.000001234, 5e-324, 1.005, 2.5, -3.5],
    "at": "2026-03-29T00:59:59.123Z",
    "dates": ["2026-03-29T00:59:59.123Z", "2026-10-25T01:30:00.000Z", "1999-12-31T23:59:59.999Z", "2024-02-29T12:00:00Z"],
    "text": "The quick brown fox — 3.14 naïve café",
    "user": {"id": 7, "tags": ["a", "b"], "address": {"city": "Paris", "zip": None}},
}

DATE_OPTIONS = [
    "{dateStyle: 'full'}", "{dateStyle: 'long'}", "{dateStyle: 'medium'}", "{dateStyle: 'short'}", "{timeStyle: 'short'}",
    "{timeStyle: 'medium'}", "{dateStyle: 'medium', timeStyle: 'short'}", "{dateStyle: 'long', timeStyle: 'short'}",
    "{dateStyle: 'full', timeStyle: 'medium'}", "{year: 'numeric', month: 'long'}", "{month: 'short', day: 'numeric'}",
    "{weekday: 'long'}", "{weekday: 'short', hour: 'numeric'}", "{year: '2-digit', month: '2-digit', day: '2-digit'}",
    "{hour: '2-digit', minute: '2-digit', hour12: false}", "{hour: 'numeric', hour12: true}", "{month: 'narrow'}",
    "{weekday: 'short', year: 'numeric', month: 'short', day: 'numeric'}", "{era: 'short'}", "{minute: '2-digit'}",
    "{hour: 'numeric', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3}",
    "{timeZone: 'Asia/Tokyo', hour: 'numeric', minute: 'numeric'}", "{timeZone: 'America/New_York', timeZoneName: 'short'}",
    "{timeZone: 'UTC', timeZoneName: 'long'}", "{timeZone: 'Europe/Berlin', timeZoneName: 'longOffset'}",
    "{timeZone: 'Asia/Kolkata', timeStyle: 'long'}", "{day: 'numeric'}", "{year: 'numeric'}", "{month: 'long'}",
    "{hourCycle: 'h23', hour: 'numeric', minute: '2-digit'}", "{dayPeriod: 'short', hour: 'numeric'}",
    "{weekday: 'long', month: 'long', day: 'numeric'}", "{month: 'numeric', day: 'numeric'}",
]  # fmt: skip

NUMBER_OPTIONS = [
    "{}", "{style: 'percent'}", "{style: 'percent', minimumFractionDigits: 2}", "{style: 'currency', currency: 'USD'}",
    "{style: 'currency', currency: 'EUR'}", "{style: 'currency', currency: 'JPY'}", "{minimumFractionDigits: 2}",
    "{style: 'currency', currency: 'CHF'}", "{maximumFractionDigits: 0}", "{maximumSignificantDigits: 3}",
    "{minimumIntegerDigits: 3}", "{useGrouping: false}", "{style: 'unit', unit: 'kilometer'}", "{notation: 'compact'}",
    "{notation: 'compact', compactDisplay: 'long'}", "{notation: 'scientific'}", "{signDisplay: 'always'}",
    "{style: 'currency', currency: 'USD', currencyDisplay: 'name'}", "{style: 'unit', unit: 'liter', unitDisplay: 'long'}",
    "{style: 'currency', currency: 'USD', currencySign: 'accounting'}", "{notation: 'engineering'}",
    "{style: 'currency', currency: 'USD', maximumFractionDigits: 0}", "{minimumSignificantDigits: 4}",
    "{style: 'currency', currency: 'GBP', currencyDisplay: 'code'}", "{signDisplay: 'exceptZero'}",
]  # fmt: skip

LUXON_FORMATS = [
    "yyyy-MM-dd", "d LLLL yyyy", "EEEE, d MMMM", "ccc dd LLL yy", "HH:mm:ss.SSS", "h:mm a", "D", "DD", "DDD", "DDDD", "t",
    "tt", "T", "TT", "f", "ff", "fff", "F", "FF", "kkkk-'W'WW-c", "o", "q", "X", "x", "ZZ", "ZZZ", "z", "'at' HH 'h'", "y G",
    "MMM", "MMMMM", "L", "EEEEE", "S", "u",
]  # fmt: skip


def _dates() -> list[str]:
    each = [f"new Date($json.dates[{index % 4}]).toLocaleString('en-US', {options})" for index, options in enumerate(DATE_OPTIONS)]
    each += [f"new Date($json.dates[{index % 4}]).toLocaleString('en-GB', {options})" for index, options in enumerate(DATE_OPTIONS[:24])]
    each += [
        f"new Date($json.dates[{index}]).{method}({locale})"
        for index, method, locale in product(
            (0, 2), ("toLocaleString", "toLocaleDateString", "toLocaleTimeString"), ("", "'en-GB'", "'en-US'")
        )
    ]
    each += [
        "new Intl.DateTimeFormat('en-US', {dateStyle: 'medium'}).formatToParts(new Date($json.at)).map(p => p.type).join()",
        "new Intl.DateTimeFormat('en-US').resolvedOptions().locale",
        "new Intl.DateTimeFormat('en-US', {dateStyle: 'long'}).formatRange(new Date($json.dates[3]), new Date($json.at))",
        "new Date($json.at).toString()", "new Date($json.at).toDateString()", "new Date($json.at).toTimeString()",
        "new Date($json.at).toUTCString()", "new Date($json.at)", "new Date($json.at).getTimezoneOffset()",
        "new Date(2026, 2, 29, 2, 30).toISOString()", "new Date('2026-03-29').getHours()", "new Date('x').getTime()",
        "new Date('March 7, 2026 10:00').toISOString()", "new Date(2026, 0, 31).getDay()", "Date.UTC(2026, 1, 30)",
        "new Date('2026-10-25T02:30:00').toISOString()", "new Date(8.64e15).toISOString()", "`${new Date(0)}`",
        "new Date(new Date($json.at).setMonth(0)).toISOString()", "new Date($json.at) - new Date($json.dates[2])",
        "new Date('2026-03-29 10:00').toISOString()", "new Date('2026/3/9').toISOString()", "new Date($json.at).toJSON()",
    ]  # fmt: skip
    return each


def _numbers() -> list[str]:
    each = [f"(1234.5678).toLocaleString('en-US', {options})" for options in NUMBER_OPTIONS]
    each += [f"(-0.0251).toLocaleString('en-US', {options})" for options in NUMBER_OPTIONS[:12]]
    each += [f"$json.n[{index}].toLocaleString()" for index in range(10)]
    each += [f"new Intl.NumberFormat('en-GB', {options}).format(98765.4321)" for options in NUMBER_OPTIONS[:12]]
    each += [f"$json.n[{index}].toFixed(2)" for index in range(10) if index != 3]
    each += [f"$json.n[{index}].toPrecision(4)" for index in (1, 2, 4, 5)]
    each += [
        "(255).toString(16)", "(0.1 + 0.2)", "(1e21).toString()", "(123.456).toExponential(1)", "Number('0x1f')", "+''",
        "parseFloat('3.14abc')", "Number('1_000')", "(25).toString(2)", "1 / 3", "-7 % 3", "2 ** 53 + 1", "Number.EPSILON",
        "(1234567.891).toLocaleString('de-XX' && 'en')", "new Intl.NumberFormat('en-US').resolvedOptions().locale",
        "new Intl.PluralRules('en').select(1) + new Intl.PluralRules('en', {type: 'ordinal'}).select(22)",
        "new Intl.NumberFormat('en-US', {style: 'currency', currency: 'USD'}).formatToParts(12.5).map(p => p.type).join()",
    ]  # fmt: skip
    return each


def _words() -> list[str]:
    return [
        "[...$json.words].sort()", "[...$json.words].sort((a, b) => a.localeCompare(b))", "'a'.localeCompare('B')",
        "[...$json.words].sort((a, b) => a.localeCompare(b, 'en', {numeric: true}))", "'a'.localeCompare('A')",
        "[...$json.words].sort(new Intl.Collator('en').compare)", "'résumé'.localeCompare('resume')", "'ab'.localeCompare('a b')",
        "'a'.localeCompare('á', 'en', {sensitivity: 'base'})", "'10'.localeCompare('9', undefined, {numeric: true})",
        "'co-op'.localeCompare('coop')", "'-a'.localeCompare('b')", "''.localeCompare('a')", "'Z'.localeCompare('a')",
        "['b', 'a', 'C', 'A', 'c', 'B'].sort((x, y) => x.localeCompare(y)).join('')", "'ß'.localeCompare('ss')",
        "['a1', 'a10', 'a2'].sort((x, y) => x.localeCompare(y, 'en', {numeric: true}))", "'a'.localeCompare('a')",
        "['item 10', 'Item 9', 'item-1', 'item_2', '#item'].sort((x, y) => x.localeCompare(y))", "'_'.localeCompare('-')",
        "new Intl.ListFormat('en').format(['a', 'b', 'c'])", "new Intl.ListFormat('en', {type: 'disjunction'}).format(['a', 'b'])",
        "new Intl.ListFormat('en', {style: 'narrow', type: 'unit'}).format(['a', 'b', 'c'])",
        "new Intl.RelativeTimeFormat('en').format(-3, 'day')", "new Intl.RelativeTimeFormat('en', {numeric: 'auto'}).format(1, 'day')",
        "'İI'.toLowerCase()", "'straße'.toUpperCase()", "'ÀÉ'.toLocaleLowerCase('en')", "'ΑΣ'.toLowerCase()",
        "'é'.normalize('NFD').length", "$json.text.normalize('NFKD').replace(/[\\u0300-\\u036f]/g, '')",
        "'a-b_c'.split(/[-_]/)", "$json.text.match(/\\p{L}+/gu)", "$json.text.replace(/(?<w>qu\\w+)/, '<$<w>>')",
        "'x'.codePointAt(0)", "'😀'.length", "[...'😀é'].length", "'abc'.at(-1)", "'a,b,,c'.split(',')", "'abc'.substr(-2, 1)",
        "'aXbX'.replaceAll('X', '$&$&')", "'%E4%F6'.length && encodeURIComponent('ä ö&')", "'a\\tb'.trim()",
        "'tEST'.charAt(0).toUpperCase() + 'tEST'.slice(1).toLowerCase()", "'abc'.localeCompare('abd') < 0", "'a'.padStart(3, 'xy')",
    ]  # fmt: skip


def _luxon() -> list[str]:
    at = "DateTime.fromISO($json.at)"
    each = [f"{at}.toFormat(\"{pattern}\")" for pattern in LUXON_FORMATS]
    each += [f"{at}.setZone('America/New_York').toFormat('{pattern}')" for pattern in ("ff", "fff", "ZZZZ", "z", "DDDD t")]
    each += [f"{at}.toLocaleString(DateTime.{preset})" for preset in (
        "DATE_SHORT", "DATE_MED", "DATE_MED_WITH_WEEKDAY", "DATE_FULL", "DATE_HUGE", "TIME_SIMPLE", "TIME_WITH_SECONDS",
        "TIME_24_SIMPLE", "TIME_24_WITH_SECONDS", "DATETIME_SHORT", "DATETIME_MED", "DATETIME_FULL", "DATETIME_MED_WITH_WEEKDAY",
    )]  # fmt: skip
    each += [
        f"{at}.plus({{months: 1}}).toISO()", f"{at}.minus({{weeks: 2, hours: 3}}).toISO()", f"{at}.startOf('week').toISO()",
        f"{at}.endOf('quarter').toISO()", f"{at}.diff(DateTime.fromISO($json.dates[2]), ['years', 'months', 'days']).toObject()",
        f"{at}.weekNumber", f"{at}.ordinal", f"{at}.isInDST", f"{at}.offset", f"{at}.zoneName", f"{at}.monthLong", f"{at}.weekdayShort",
        f"{at}.setZone('Asia/Kolkata').toISO()", f"{at}.setZone('utc').hour", f"{at}.set({{day: 31}}).toISODate()", f"{at}.toRFC2822()",
        f"{at}.toHTTP()", f"{at}.toSQL()", f"{at}.toMillis()", f"{at}.daysInMonth", f"{at}.hasSame(DateTime.fromISO('2026-03-01'), 'month')",
        "DateTime.fromFormat('7 March 2026', 'd MMMM yyyy').toISO()", "DateTime.fromFormat('03/07/26', 'MM/dd/yy').toISODate()",
        "DateTime.fromISO('nonsense').isValid", "DateTime.fromISO('2026-W10-3').toISODate()", "DateTime.fromSeconds(1e9).toISO()",
        "DateTime.fromISO('2026-02-30').invalidReason", "Duration.fromObject({hours: 26, minutes: 5}).toFormat(\"d 'd' hh:mm\")",
        "Duration.fromISO('P1Y2M3DT4H').toObject()", "Duration.fromMillis(93784005).shiftTo('hours', 'minutes', 'seconds').toObject()",
        "Duration.fromObject({days: 1, hours: 3}).toHuman()", "Interval.fromDateTimes(DateTime.fromISO('2026-01-01'), DateTime.fromISO('2026-03-01')).length('days')",
        f"{at}.toISO()", f"{at}",
        "DateTime.max(DateTime.fromISO('2026-01-01'), DateTime.fromISO('2027-01-01')).year", f"{at}.toISO()", f"{at}",
        f"{at}.toRelative({{base: DateTime.fromISO('2026-04-02')}})", f"{at}.equals(DateTime.fromISO($json.at))",
        "DateTime.local(2026, 3, 29, 2, 30).toISO()", "DateTime.fromObject({year: 2026, month: 10, day: 25, hour: 2}).toISO()",
        "DateTime.fromISO('2026-03-29T02:30').plus({days: 1}).toISO()", "DateTime.fromJSDate(new Date($json.at)).toISODate()",
        "DateTime.fromISO('2026-03-28T12:00').plus({hours: 24}).toISO()", "DateTime.fromISO('2026-03-28T12:00').plus({days: 1}).toISO()",
    ]  # fmt: skip
    return each


def _plain() -> list[str]:
    return [
        "$json.user?.address?.city ?? 'none'", "$json.user.tags.includes('a')", "Object.entries($json.user.address)", "[1, [2, [3]]].flat(2)",
        "({...$json.user, id: 8})", "[3, 1, 2].toSorted()", "[1, 2, 3].with(1, 9)", "Object.groupBy([1, 2, 3], x => x % 2 ? 'odd' : 'even')",
        "[1, 2, 3, 4].findLast(x => x < 4)", "Array.from({length: 3}, (_, i) => i * i)", "JSON.stringify({a: undefined, b: NaN, c: new Date(0)})",
        "[10, 9, 1].sort()", "[undefined, 3, null].sort()", "typeof null", "null ?? 'x'", "[] + {}", "'5' * '2'", "[1, 2] + ''",
        "Object.fromEntries([['a', 1]])", "new Set([1, 1, 2]).size", "[...new Map([['k', 'v']]).entries()]", "'a' in {a: 1}",
        "[1, 2, 3].reduceRight((a, b) => a + '-' + b)", "Math.round(-0.5)", "Math.max()", "Math.hypot(3, 4)", "isNaN('x')", "void 0",
        "((a, ...b) => b)(1, 2, 3)", "`a${[1, 2]}b`", "(() => { const {id, ...rest} = $json.user; return rest })()",
        "(() => { let s = 0; for (const n of [1, 2, 3]) s += n; return s })()", "(() => { try { null.x } catch (e) { return e.name } })()",
        "[3, 20, 100].map(String).sort()", "Number.MAX_SAFE_INTEGER", "0.1 * 3", "5e-324 / 2", "1e308 * 10", "-0", "[,1].length",
        "'b' > 'a' && 'B' < 'a'", "[NaN].includes(NaN)", "[NaN].indexOf(NaN)", "Object.is(-0, 0)", "[1,2,3].at(-1)", "'abc'[5]",
        "[5, 1, 10].sort((a, b) => a - b)", "/^(\\d+)-(\\d+)$/.exec('12-34').slice(1)", "'x'.match(/y/)", "'2026-01'.split('-').map(Number)",
    ]  # fmt: skip


CASES = [*_dates(), *_numbers(), *_words(), *_luxon(), *_plain()]
