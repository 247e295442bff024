"""Durations as people write them: `500ms`, `2s`, `1m`, `1h30m`, `1d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
LONGEST = timedelta(days=36_500)
"""A hundred years: longer ones are taken for mistakes."""


def parse_duration(text: str) -> timedelta:
    """The duration that `text` names.

    Units are `ms`, `s`, `m`, `h` and `d`; parts may be put together, largest first or not (`1h30m`).
    Raises `ValueError` for anything else, for parts of a millisecond, and for more than a hundred years.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 500ms, 2s, 1m or 1h30m")
    total = timedelta()
    for number, unit in _PART.findall(text):
        try:
            total += float(number) * _UNITS[unit]
        except OverflowError:
            total = LONGEST * 2
        if total > LONGEST:
            raise ValueError(f"{text!r} is longer than a hundred years")
    if total.microseconds % 1000:
        raise ValueError(f"{text!r} is finer than a millisecond")
    return total


def format_duration(value: timedelta) -> str:
    """The one canonical spelling of `value`: a whole number of the largest unit that divides it."""
    for unit, size in _UNITS.items():
        if value % size == timedelta() and (value or unit == "s"):
            return f"{value // size}{unit}"
    return f"{round(value / _UNITS['ms'])}ms"
