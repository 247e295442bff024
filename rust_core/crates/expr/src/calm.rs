//! Whether code can run where others wait for it.
//!
//! QuickJS asks whether to go on once in ten thousand calls and jumps, and one operation can take a tenth of a second
//! (a comparison of two texts of a gigabyte that share their parts), so code that repeats itself is stopped too late.
//! Calm code cannot repeat anything of its own accord: it has no loops and no functions but callbacks, calls only
//! functions that are known, and those ask often enough. The judgement is by tokens and may call calm code wild, never
//! the other way round.

use crate::lexer::{Kind, Lexer, Token};

/// Functions that code may call by their bare names.
const FUNCTIONS: [&str; 23] = [
    "$",
    "$if",
    "$ifEmpty",
    "$max",
    "$min",
    "$not",
    "Array",
    "Boolean",
    "Date",
    "Error",
    "Map",
    "Number",
    "Object",
    "RegExp",
    "Set",
    "String",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "isNaN",
    "parseFloat",
    "parseInt",
];

/// Methods that code may call; whatever object they are of, they are native or luxon's.
const METHODS: &str = " abs acos all asin at atan atan2 cbrt ceil charAt charCodeAt codePointAt concat cos count day \
    daysInMonth diff diffNow endOf endsWith engulfs entries equals every exec exp fill filter find \
    findIndex findLast findLastIndex first flat flatMap floor forEach format formatToParts from fromCharCode \
    fromCodePoint fromDateTimes fromEntries fromFormat fromHTTP fromISO fromISOTime fromJSDate fromMillis fromObject \
    fromRFC2822 fromSQL fromSeconds getDate getDay getFullYear getHours getMilliseconds getMinutes getMonth getSeconds \
    getTime getTimezoneOffset getUTCDate getUTCDay getUTCFullYear getUTCHours getUTCMilliseconds getUTCMinutes \
    getUTCMonth getUTCSeconds groupBy has hasOwn hasOwnProperty hasSame hypot includes indexOf is isArray isBefore \
    isAfter isFinite isInteger isNaN isSafeInteger isWellFormed item join keys last lastIndexOf local \
    localeCompare log log10 log1p log2 map match matchAll max merge min minus months weekdays negate normalize now \
    offset overlaps padEnd padStart parse parseFloat parseInt plus pop pow push random reconfigure reduce reduceRight \
    repeat replace replaceAll rescale resolvedOptions reverse round search set setHours setLocale setUTC setUTCHours \
    setZone shift shiftTo shiftToAll sign sin slice some sort splice splitAt splitBy split sqrt startOf startsWith \
    stringify substr substring sum tan test toBSON toDate toDateString toDuration toExponential toFixed toFormat \
    toHTTP toHuman toISO toISODate toISOString toISOTime toISOWeekDate toJSDate toJSON toLocal toLocaleDateString \
    toLocaleLowerCase toLocaleParts toLocaleString toLocaleTimeString toLocaleUpperCase toLowerCase toMillis toObject \
    toPrecision toRFC2822 toRelative toRelativeCalendar toReversed toSQL toSQLDate toSQLTime toSeconds toSorted \
    toSpliced toString toTimeString toUTC toUTCString toUnixInteger toUpperCase trim trimEnd trimStart trunc union \
    unshift until utc valueOf values with add get delete UTC DateTimeFormat NumberFormat ListFormat PluralRules \
    RelativeTimeFormat Collator select compare fromDurationLike isValidIANAZone hasDST features invalid of ";

/// Methods that call what they are given first, and those that call what they are given second. Nothing else may be given
/// a function: it could be kept, and found again where nobody counts its calls.
const CALLING_FIRST: [&str; 14] = [
    "every",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flatMap",
    "forEach",
    "map",
    "reduce",
    "reduceRight",
    "some",
    "sort",
    "toSorted",
];
const CALLING_SECOND: [&str; 4] = ["from", "groupBy", "replace", "replaceAll"];

/// Words that begin something which repeats, defines, waits or reaches the global object.
const WILD: [&str; 22] = [
    "for",
    "while",
    "do",
    "function",
    "class",
    "async",
    "await",
    "yield",
    "this",
    "globalThis",
    "Function",
    "Reflect",
    "BigInt",
    "eval",
    "import",
    "super",
    "try",
    "get",
    "set",
    "static",
    "of",
    "arguments",
];

/// Words before a parenthesis that is no call.
const WORDS: [&str; 7] = ["if", "return", "typeof", "void", "in", "instanceof", "switch"];

#[derive(Clone, Copy, PartialEq)]
enum Open {
    Condition,
    Other,
}

/// Whether the code runs each of its operations once, but for callbacks that known functions call.
#[must_use]
pub fn is_calm(code: &str) -> bool {
    // Line ends and comments that JavaScript has and the lexer does not.
    if code.contains(['\r', '\u{2028}', '\u{2029}']) || code.contains("<!--") || code.contains("-->") {
        return false;
    }
    let tokens: Vec<Token<'_>> = Lexer::new(code, 0).collect();
    Judge { tokens: &tokens }.judge().is_some()
}

struct Judge<'a> {
    tokens: &'a [Token<'a>],
}

impl<'a> Judge<'a> {
    fn at(&self, index: usize) -> Option<&'a Token<'a>> {
        self.tokens.get(index)
    }

    fn before(&self, index: usize, back: usize) -> Option<&'a Token<'a>> {
        self.at(index.checked_sub(back)?)
    }

    fn is(&self, index: usize, mark: &str) -> bool {
        self.at(index).is_some_and(|token| token.is(mark))
    }

    /// Whether the name at `index` is a property's.
    fn is_property(&self, index: usize) -> bool {
        self.before(index, 1).is_some_and(|token| token.is(".") || token.is("?."))
    }

    /// Where a function that wraps the whole code and is called at once is closed: `(() => { … })()`.
    fn wrapper(&self) -> Option<usize> {
        let last = self.tokens.len().checked_sub(3)?;
        let closes = self.is(last, ")") && self.is(last + 1, "(") && self.is(last + 2, ")");
        (closes && self.is(0, "(") && self.is(1, "(") && self.is(2, ")") && self.is(3, "=") && self.is(4, ">"))
            .then_some(last)
    }

    fn judge(&self) -> Option<()> {
        let wrapper = self.wrapper();
        // Each open bracket with its place.
        let mut open: Vec<(Open, usize)> = Vec::new();
        let mut closed = None;
        for (index, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Name => self.name(index, token)?,
                Kind::Number => (!token.text.ends_with('n')).then_some(())?,
                Kind::Pattern => {
                    let odd = |before: &Token<'_>| before.is("+") || before.is("-") || before.is("}");
                    let after_property = index > 0 && self.is_property(index - 1);
                    (!after_property && !self.before(index, 1).is_some_and(odd)).then_some(())?;
                }
                Kind::Chunk if token.text.starts_with('`') => {
                    let tag = |before: &Token<'_>| match before.kind {
                        Kind::Name => !WORDS.contains(&before.text),
                        Kind::Mark => matches!(before.text, ")" | "]" | "}" | "?."),
                        _ => true,
                    };
                    (!self.before(index, 1).is_some_and(tag)).then_some(())?;
                }
                Kind::Chunk | Kind::Text => {}
                Kind::Mark => match token.text {
                    "(" if wrapper.is_some_and(|end| index == end + 1) => open.push((Open::Other, index)),
                    "(" => open.push((self.parenthesis(index)?, index)),
                    "[" | "{" => open.push((Open::Other, index)),
                    ")" | "]" | "}" => {
                        let (kind, start) = open.pop()?;
                        closed = Some((start, index));
                        let next = self.at(index + 1);
                        // What follows is a method's body, or a division that may be a pattern.
                        let body = kind != Open::Condition && next.is_some_and(|next| next.is("{"));
                        let slash = kind == Open::Condition || token.is("}");
                        let slash = slash && next.is_some_and(|next| next.text.starts_with('/'));
                        (!body && !slash).then_some(())?;
                    }
                    ">" if self.is_arrow(index) => self.arrow(index, &open, closed, wrapper)?,
                    mark => mark.is_ascii().then_some(()).filter(|()| !matches!(mark, "\\" | "@" | "#"))?,
                },
            }
        }
        Some(())
    }

    fn name(&self, index: usize, token: &Token<'_>) -> Option<()> {
        (self.is_property(index) || !WILD.contains(&token.text)).then_some(())
    }

    /// What a parenthesis is, if it is no call of something unknown.
    fn parenthesis(&self, index: usize) -> Option<Open> {
        let Some(before) = self.before(index, 1) else { return Some(Open::Other) };
        match before.kind {
            Kind::Name if index > 1 && self.is_property(index - 1) => {
                METHODS.split_ascii_whitespace().any(|known| known == before.text).then_some(Open::Other)
            }
            Kind::Name if matches!(before.text, "if" | "switch") => Some(Open::Condition),
            Kind::Name if WORDS.contains(&before.text) => Some(Open::Other),
            Kind::Name => FUNCTIONS.contains(&before.text).then_some(Open::Other),
            Kind::Mark => (!matches!(before.text, ")" | "]" | "}" | "?.")).then_some(Open::Other),
            Kind::Chunk => before.text.ends_with("${").then_some(Open::Other),
            Kind::Number | Kind::Text | Kind::Pattern => None,
        }
    }

    fn is_arrow(&self, index: usize) -> bool {
        let adjacent =
            |equals: &Token<'_>| equals.is("=") && self.at(index).is_some_and(|token| token.start == equals.start + 1);
        self.before(index, 1).is_some_and(adjacent)
    }

    /// An arrow function must be an argument of a call, or wrap the whole code.
    fn arrow(
        &self,
        index: usize,
        open: &[(Open, usize)],
        closed: Option<(usize, usize)>,
        wrapper: Option<usize>,
    ) -> Option<()> {
        let end = index.checked_sub(2)?;
        let start = match self.at(end)?.kind {
            Kind::Name => end,
            Kind::Mark => closed.filter(|(_, close)| *close == end)?.0,
            _ => return None,
        };
        if wrapper.is_some() && start == 1 {
            return Some(());
        }
        let (_, place) = *open.last()?;
        let called = place.checked_sub(1).filter(|name| self.is_property(*name))?;
        let called = self.at(called)?.text;
        let before = start.checked_sub(1)?;
        let first = before == place && CALLING_FIRST.contains(&called);
        let second = self.is(before, ",") && CALLING_SECOND.contains(&called);
        (first || second).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_computes_is_calm() {
        for code in [
            "$json.a + 1",
            "$json.items.map(x => x.a).filter((a, i) => i > 0).join(', ')",
            "$json.items.reduce((sum, x) => sum + (x.n ?? 0), 0) / 2",
            "$now.plus({days: 1}).toFormat('yyyy-MM-dd')",
            "$json.a ? `a ${$json.b.trim()} ${$json.c.map(x => `<${x}>`)}` : [1, ...$json.c]",
            "(() => { const a = $json.a; if (a > 1) { return a; } return a.map(x => x * 2) })()",
            "new Date($json.a).toISOString()",
            "$json.text.replace(/(\\d+)/g, (m, n) => n * 2).split(/,/)",
            "Object.entries($json).map(([k, v]) => ({[k]: v}))",
            "$json.list.sort((a, b) => a - b)[0]?.name",
            "$('A').first().json.x.toUpperCase()",
            "Math.max(...$json.list) % 2 === 0 && !$json.of",
            "($json.a + 1) / 2",
        ] {
            assert!(is_calm(code), "{code}");
        }
    }

    #[test]
    fn what_may_repeat_itself_is_not() {
        for code in [
            "(() => { for (;;); })()",
            "(() => { while (1) {} })()",
            "(f => f(f))(f => f(f))",
            "(() => { const f = x => f(x); return f(1); })()",
            "[{map: o => o.map(o)}].map(o => o.map(o))",
            "({f() { return this.f() }}).f()",
            "({String() { return 1 }}).String()",
            "({get a() { return 1 }}).a",
            "({'a'() {}})",
            "({[x]() {}})",
            "[1, x => x]",
            "f`x`",
            "(x => x)`x`",
            "$json.a?.(1)",
            "$json.a(1)",
            "$json['map'](x => x)",
            "[x => x].map(f => f(1))",
            "10n ** 10n",
            "BigInt(1)",
            "Function('x')",
            "this['Big' + 'Int'](1)",
            "(() => {}).call(1)",
            "(a = x => x) => a",
            "if (1) /'/.test(x); f(f); '",
            "$json.in / f(f) / 1",
            "a++ / f(f) / 1",
            "1 // \r + f(f)",
            "1 // \u{2028} + f(f)",
            "<!-- `\n f(f)",
            "\\u0066(1)",
            "f\u{301}(1)",
            "x => y => 1",
            "[].concat(() => 1)",
            "[1].reduce((a, b) => a, () => 1)",
            "$if(1, () => 1)",
            "async () => 1",
            "({x} /'/ 1, f(f) /'/ 1)",
        ] {
            assert!(!is_calm(code), "{code}");
        }
    }
}
