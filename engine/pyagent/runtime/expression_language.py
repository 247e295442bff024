"""What expressions can say, as data for completion: names, and the methods of each kind of value."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["global", "string", "number", "array", "object", "date", "boolean", "items", "input", "node"]
Source = Literal["javascript", "n8n", "pyagent", "luxon"]


class LanguageName(NamedTuple):
    """One name of the language."""

    name: str
    on: Kind
    signature: str
    gives: str
    doc: str
    source: Source


def _names(on: Kind, source: Source, text: str) -> list[LanguageName]:
    """Lines of `signature -> what it gives: doc`."""
    found: list[LanguageName] = []
    for line in text.strip().splitlines():
        head, _, doc = line.strip().partition(": ")
        signature, _, gives = head.partition(" -> ")
        name = signature if signature.startswith("$(") else signature.partition("(")[0]
        found.append(LanguageName("$" if name.startswith("$(") else name, on, signature, gives, doc, source))
    return found


ENTRIES: tuple[LanguageName, ...] = (
    *_names(
        "global",
        "n8n",
        """
        $json -> object: The data of the current item
        $binary -> object: The files of the current item
        $input -> input: The items that the node is given
        $('Node') -> node: The items of a node upstream, by its id or name
        $node -> object: `$node["Name"].json` is short for `$('Name').item.json`
        $itemIndex -> number: Where the item stands among those of the node, from 0
        $runIndex -> number: The iteration of the loop that the step is in, from 0
        $prevNode -> object: The node that the items came from: `name`, `outputIndex`, `runIndex`
        $workflow -> object: The graph: `id`, `name`, `active`
        $execution -> object: The run: `id`, and `mode`, which is `production` or `test`
        $vars -> object: Variables; there are none yet
        $now -> date: This moment, in the graph's time zone
        $today -> date: This day's first moment, in the graph's time zone
        $if(condition, whenTrue, whenFalse) -> any: One of two values
        $ifEmpty(value, otherwise) -> any: The value, or another one where it is missing, empty or null
        $not(value) -> boolean: Whether the value is false
        $min(...numbers) -> number: The smallest number
        $max(...numbers) -> number: The greatest number
        """,
    ),
    *_names(
        "global",
        "pyagent",
        """
        $inputs -> object: The run's inputs
        $state -> object: The run's state channels
        $run -> object: The run: its `id`, and the `step`
        $scope -> array: The iterations that the step is in, outer ones first
        """,
    ),
    *_names(
        "global",
        "luxon",
        """
        DateTime -> object: Makes dates: `DateTime.fromISO(text)`, `DateTime.fromFormat(text, format)`
        Duration -> object: Makes durations: `Duration.fromObject({hours: 2})`
        Interval -> object: Spans of time: `Interval.fromDateTimes(start, end)`
        Info -> object: Names of months and days
        """,
    ),
    *_names(
        "global",
        "javascript",
        """
        JSON -> object: `JSON.stringify(value)`, `JSON.parse(text)`
        Math -> object: `Math.round(n)`, `Math.floor(n)`, `Math.max(...n)`, and others
        Object -> object: `Object.keys(o)`, `Object.values(o)`, `Object.entries(o)`
        Array -> object: `Array.isArray(v)`, `Array.from(v)`
        Number -> object: `Number(text)`, `Number.isInteger(n)`
        String -> object: `String(value)`
        Boolean -> object: `Boolean(value)`
        Date -> object: JavaScript's own dates; `$now` and `DateTime` say more
        RegExp -> object: Regular expressions: `/a+/g`
        parseInt(text, radix?) -> number: The whole number that a text begins with
        parseFloat(text) -> number: The number that a text begins with
        encodeURIComponent(text) -> string: A text for a part of an address
        decodeURIComponent(text) -> string: The reverse of it
        """,
    ),
    *_names(
        "input",
        "n8n",
        """
        first(port?) -> object: The first item of an input port: `{json, binary}`
        last(port?) -> object: The last item
        all(port?) -> array: All items
        item -> object: The current item
        """,
    ),
    *_names(
        "node",
        "n8n",
        """
        first() -> object: The node's first item: `{json, binary}`
        last() -> object: The last item
        all() -> array: All items
        item -> object: The one that the current item comes from
        """,
    ),
    *_names("items", "n8n", "json -> object: The item's data\nbinary -> object: The item's files"),
    *_names(
        "string",
        "javascript",
        """
        length -> number: How many UTF-16 units it has
        at(index) -> string: The character at a place; negative: from the end
        includes(text) -> boolean: Whether it has a text as a part
        startsWith(text) -> boolean: Whether it begins so
        endsWith(text) -> boolean: Whether it ends so
        indexOf(text) -> number: Where a text begins in it, or -1
        lastIndexOf(text) -> number: Where a text begins in it last, or -1
        slice(start, end?) -> string: A part of it
        substring(start, end?) -> string: A part of it
        split(separator, limit?) -> array: Its parts
        replace(what, by) -> string: With the first occurrence replaced
        replaceAll(what, by) -> string: With all occurrences replaced
        match(regexp) -> array: What a regular expression finds in it
        matchAll(regexp) -> object: All that a regular expression finds in it
        search(regexp) -> number: Where a regular expression finds something, or -1
        trim() -> string: Without white space around it
        trimStart() -> string: Without white space before it
        trimEnd() -> string: Without white space after it
        toLowerCase() -> string: In small letters
        toUpperCase() -> string: In capital letters
        padStart(length, by?) -> string: Filled up at its beginning
        padEnd(length, by?) -> string: Filled up at its end
        repeat(count) -> string: So many times
        concat(...texts) -> string: With others after it
        localeCompare(other) -> number: Which comes first in the alphabet
        normalize(form?) -> string: In a normal form of Unicode
        charCodeAt(index) -> number: The UTF-16 unit at a place
        codePointAt(index) -> number: The character's number at a place
        """,
    ),
    *_names(
        "number",
        "javascript",
        """
        toFixed(digits) -> string: With so many digits after the point
        toPrecision(digits) -> string: With so many digits in all
        toLocaleString(locale?, options?) -> string: As people write it, also currencies and percents
        toString(radix?) -> string: As text
        """,
    ),
    *_names("boolean", "javascript", "toString() -> string: As text"),
    *_names(
        "array",
        "javascript",
        """
        length -> number: How many values it has
        at(index) -> any: The value at a place; negative: from the end
        map(each) -> array: What a function makes of each value
        filter(test) -> array: The values that a test lets through
        find(test) -> any: The first value that a test lets through
        findLast(test) -> any: The last one
        findIndex(test) -> number: Where that is, or -1
        some(test) -> boolean: Whether a test lets one value through
        every(test) -> boolean: Whether a test lets all values through
        reduce(join, begin?) -> any: All values made into one
        includes(value) -> boolean: Whether it has a value
        indexOf(value) -> number: Where a value is, or -1
        join(separator?) -> string: All values as one text
        slice(start?, end?) -> array: A part of it
        concat(...others) -> array: With others after it
        flat(depth?) -> array: With the values of inner arrays
        flatMap(each) -> array: What a function makes of each value, flat
        toSorted(compare?) -> array: In order
        toReversed() -> array: The other way round
        toSpliced(start, count, ...values) -> array: With some values replaced
        with(index, value) -> array: With one value replaced
        keys() -> object: Its places
        entries() -> object: Its places with their values
        """,
    ),
    *_names("object", "javascript", "hasOwnProperty(name) -> boolean: Whether it has a field of its own"),
    *_names(
        "date",
        "luxon",
        """
        toISO() -> string: As ISO 8601: `2026-03-01T09:00:00.000+01:00`
        toISODate() -> string: The day: `2026-03-01`
        toISOTime() -> string: The time: `09:00:00.000+01:00`
        toFormat(format) -> string: In a format: `dd.MM.yyyy HH:mm`
        toLocaleString(format?) -> string: As people write it
        toRelative() -> string: `in 2 days`
        toMillis() -> number: Milliseconds since 1970
        toSeconds() -> number: Seconds since 1970
        toUTC() -> date: In UTC
        setZone(zone) -> date: In another time zone
        plus(duration) -> date: Later: `plus({days: 1})`
        minus(duration) -> date: Earlier: `minus({hours: 2})`
        startOf(unit) -> date: The first moment of its `day`, `week`, `month`, …
        endOf(unit) -> date: The last moment of it
        set(values) -> date: With some parts replaced: `set({hour: 8})`
        diff(other, unit?) -> object: How far apart: `diff(other, 'days').days`
        diffNow(unit?) -> object: How far from now
        hasSame(other, unit) -> boolean: Whether both are in the same `day`, `month`, …
        equals(other) -> boolean: Whether both are the same moment in the same zone
        year -> number: The year
        quarter -> number: From 1 to 4
        month -> number: From 1 to 12
        day -> number: From 1 to 31
        hour -> number: From 0 to 23
        minute -> number: From 0 to 59
        second -> number: From 0 to 59
        millisecond -> number: From 0 to 999
        weekday -> number: From 1, Monday, to 7
        weekNumber -> number: The week of the year
        ordinal -> number: The day of the year
        weekdayLong -> string: `Monday`
        monthLong -> string: `March`
        zoneName -> string: The name of its time zone
        isWeekend -> boolean: Saturday or Sunday
        isValid -> boolean: Whether it is a date at all
        """,
    ),
)

__all__ = ["ENTRIES", "LanguageName"]
