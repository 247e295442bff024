"""What `data.summarize` works out of a group's values, one value at a time."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from pyagent.sdk import NodeError
from pyagent_nodes.data._values import NotJson, fingerprint, kind, number_in, order

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
"""Whole numbers that items can hold."""


class Measure(Protocol):
    """Takes in values that are not null, and gives a result."""

    def add(self, value: Any) -> None: ...
    def result(self) -> Any: ...


def measure(take: str, *, name: str, percent: float, separator: str, numbers_in_text: bool, fail: bool) -> Measure:
    """The measure of that name; `name` is the field, for errors."""
    if take in _OF_ANY:
        return _OF_ANY[take]()
    if take == "join":
        return _Join(separator)
    match take:
        case "sum" | "mean" | "stdev":
            inner: Any = _Total(take)
        case _:
            inner = _Rank(50 if take == "median" else percent)
    return _Numbers(inner, take, name, numbers_in_text, fail)


class _Count:
    def __init__(self) -> None:
        self._count = 0

    def add(self, value: Any) -> None:
        self._count += 1

    def result(self) -> int:
        return self._count


class _CountUnique:
    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def add(self, value: Any) -> None:
        self._seen.add(fingerprint(value))

    def result(self) -> int:
        return len(self._seen)


class _First:
    def __init__(self) -> None:
        self._value: Any = None

    def add(self, value: Any) -> None:
        if self._value is None:
            self._value = value

    def result(self) -> Any:
        return self._value


class _Last(_First):
    def add(self, value: Any) -> None:
        self._value = value


class _Min(_First):
    sign = 1

    def __init__(self) -> None:
        super().__init__()
        self._key: Any = None

    def add(self, value: Any) -> None:
        key = order(value)
        if self._key is None or (key < self._key if self.sign > 0 else key > self._key):
            self._value, self._key = value, key


class _Max(_Min):
    sign = -1


class _List:
    def __init__(self) -> None:
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        self._values.append(value)

    def result(self) -> Any:
        return self._values


class _Unique(_List):
    def __init__(self) -> None:
        super().__init__()
        self._seen: set[bytes] = set()

    def add(self, value: Any) -> None:
        if (mark := fingerprint(value)) not in self._seen:
            self._seen.add(mark)
            super().add(value)


class _Join(_List):
    def __init__(self, separator: str) -> None:
        super().__init__()
        self._separator = separator

    def add(self, value: Any) -> None:
        super().add(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

    def result(self) -> str:
        return self._separator.join(self._values)


class _Numbers:
    """Lets numbers through to `inner`."""

    def __init__(self, inner: Measure, take: str, name: str, in_text: bool, fail: bool) -> None:
        self._inner = inner
        self._take = take
        self._name = name
        self._in_text = in_text
        self._fail = fail

    def add(self, value: Any) -> None:
        number: Any = value
        if self._in_text and isinstance(value, str):
            number = number_in(value)
        if isinstance(number, bool) or not isinstance(number, int | float):
            if self._fail:
                raise NodeError(
                    f"{self._take} of {self._name}: {_short(value)} is {kind(value)}, not a number",
                    code="node.summarize_number",
                    hint="Set `numbers_in_text` where numbers come as text, or `others: skip`.",
                )
            return
        if isinstance(number, float) and not math.isfinite(number):
            raise NotJson(f"{self._name}: {number} is no JSON number")
        self._inner.add(number)

    def result(self) -> Any:
        return self._inner.result()


class _Total:
    """Sums exactly: whole multiples of each power of ten are counted apart, and brought together at the end."""

    def __init__(self, take: str) -> None:
        self._take = take
        self._count = 0
        self._powers: dict[int, int] = {}
        self._squares = Fraction(0)

    def add(self, value: int | float) -> None:
        self._count += 1
        if isinstance(value, int):
            self._powers[0] = self._powers.get(0, 0) + value
            exact = Fraction(value) if self._take == "stdev" else None
        else:
            written = Decimal(repr(value))
            _, _, power = written.as_tuple()
            assert isinstance(power, int)
            self._powers[power] = self._powers.get(power, 0) + int(written.scaleb(-power))
            exact = Fraction(written) if self._take == "stdev" else None
        if exact is not None:
            self._squares += exact * exact

    def result(self) -> Any:
        total = sum((Fraction(10) ** power * count for power, count in self._powers.items()), Fraction(0))
        if self._take == "sum":
            return as_number(total)
        if self._take == "mean":
            return as_number(total / self._count) if self._count else None
        if self._count < 2:
            return None
        variance = (self._squares - total * total / self._count) / (self._count - 1)
        # Of a whole number of the right size, so that neither huge nor tiny values are lost.
        shift = max(0, 256 - variance.numerator.bit_length() + variance.denominator.bit_length()) // 2
        return as_number(Fraction(math.isqrt(int(variance * 4**shift)), 2**shift))


class _Rank:
    def __init__(self, percent: float) -> None:
        self._share = Fraction(repr(float(percent))) / 100
        self._values: list[int | float] = []

    def add(self, value: int | float) -> None:
        self._values.append(value)

    def result(self) -> Any:
        if not self._values:
            return None
        values = sorted(self._values)
        place = self._share * (len(values) - 1)
        below = math.floor(place)
        if place == below:
            return values[below]
        low, high = (Fraction(repr(value)) for value in values[below : below + 2])
        return as_number(low + (high - low) * (place - below))


_OF_ANY: dict[str, type[Any]] = {
    "count": _Count,
    "count_unique": _CountUnique,
    "first": _First,
    "last": _Last,
    "min": _Min,
    "max": _Max,
    "list": _List,
    "unique": _Unique,
}


def as_number(value: Fraction) -> int | float:
    """The nearest number that an item can hold: whole up to 64 bits, else floating point.

    Raises `NodeError` (`node.summarize_range`) beyond 1.8e308.
    """
    if value.denominator == 1 and _SMALLEST <= value.numerator <= _LARGEST:
        return value.numerator
    try:
        return float(value)
    except OverflowError:
        raise NodeError(
            "the result is larger than any JSON number",
            code="node.summarize_range",
            hint="Work with smaller numbers, e.g. in thousands.",
        ) from None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."
