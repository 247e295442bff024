"""Dates as text: what is read, in which time zone, and how they are written."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from pyagent.sdk import NodeError

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII)
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|yyyy|yy|MMMM|MMM|MM|M|dd|d|cccc|ccc|EEEE|EEE|HH|H|hh|h|mm|m|ss|s|SSS|a|ZZZ|ZZ|z|X|x|.", re.S
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadDate(NodeError):
    """A value is not the date that it should be."""

    code = "node.date"
    hint = "Give ISO 8601 (2026-03-29T02:30:00+01:00), or say in `read` how the date is written."


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The zone of that IANA name (`Europe/Berlin`), or of an offset (`+02:00`). Raises `ValueError`."""
    if name in ("UTC", "Z"):
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if found := _OFFSET.fullmatch(name):
        delta = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(delta if found[1] == "+" else -delta)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; write e.g. Europe/Berlin, UTC or +02:00") from None


def read_date(value: Any, written: str, default: tzinfo) -> datetime:
    """The date that `value` says; one that names no zone is taken as local time of `default`.

    `written` is empty for ISO 8601 and RFC 2822 (mail) text, and numbers of seconds since 1970 (of milliseconds from
    100,000,000,000 on); `unix` or `unix_ms` for such numbers, as text too; else a format. Raises `BadDate`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadDate(f"{_short(value)} is no date")
    try:
        if written in ("unix", "unix_ms") or not isinstance(value, str):
            number = float(value)
            thousandths = written == "unix_ms" or (not written and abs(number) >= 1e11)
            return _EPOCH + timedelta(milliseconds=number if thousandths else number * 1000)
        text = value.strip()
        found = _parsed(text, written) if written else _standard(text)
        return found if found.tzinfo is not None else at_wall(found, default)
    except (ValueError, OverflowError, TypeError) as error:
        said = f" ({error})" if isinstance(error, OverflowError) else ""
        expected = f"a date written as {written}" if written else "an ISO date"
        raise BadDate(f"{_short(value)} is not {expected}{said}") from None


def at_wall(local: datetime, where: tzinfo) -> datetime:
    """The moment at which clocks of `where` show `local`.

    A time that clocks skip in spring is moved on by the skipped span (02:30 is 03:30); of a time that they show twice
    in autumn, `fold` chooses, 0 being the first.
    """
    found = local.replace(tzinfo=where)
    # There and back: a skipped time comes back as the one that clocks do show.
    return found.astimezone(UTC).astimezone(where)


def _standard(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        from email.utils import parsedate_to_datetime

        return parsedate_to_datetime(text)


def write_date(value: datetime, written: str) -> str | int | float:
    """The date as `written` says: empty for ISO 8601, `date`, `unix` and `unix_ms`, or a format."""
    if not written:
        return value.isoformat()
    if written == "date":
        return value.date().isoformat()
    if written in ("unix", "unix_ms"):
        passed = value - _EPOCH
        unit = timedelta(seconds=1) if written == "unix" else timedelta(milliseconds=1)
        whole, rest = divmod(passed, unit)
        return whole if not rest else passed / unit
    if "%" in written:
        return value.strftime(written)
    return "".join(_written(token, value) for token in _TOKEN.findall(written))


def _written(token: str, value: datetime) -> str:
    if token.startswith("'") and len(token) > 1:
        return token[1:-1].replace("''", "'")
    if token in _WRITERS:
        return _WRITERS[token](value)
    return token


def _offset(value: datetime, colon: str) -> str:
    minutes = round((value.utcoffset() or timedelta()).total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"


_WRITERS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda d: f"{d.year:04}",
    "yy": lambda d: f"{d.year % 100:02}",
    "MMMM": lambda d: MONTHS[d.month - 1],
    "MMM": lambda d: MONTHS[d.month - 1][:3],
    "MM": lambda d: f"{d.month:02}",
    "M": lambda d: str(d.month),
    "dd": lambda d: f"{d.day:02}",
    "d": lambda d: str(d.day),
    "cccc": lambda d: DAYS[d.weekday()],
    "ccc": lambda d: DAYS[d.weekday()][:3],
    "EEEE": lambda d: DAYS[d.weekday()],
    "EEE": lambda d: DAYS[d.weekday()][:3],
    "HH": lambda d: f"{d.hour:02}",
    "H": lambda d: str(d.hour),
    "hh": lambda d: f"{d.hour % 12 or 12:02}",
    "h": lambda d: str(d.hour % 12 or 12),
    "mm": lambda d: f"{d.minute:02}",
    "m": lambda d: str(d.minute),
    "ss": lambda d: f"{d.second:02}",
    "s": lambda d: str(d.second),
    "SSS": lambda d: f"{d.microsecond // 1000:03}",
    "a": lambda d: "AM" if d.hour < 12 else "PM",
    "ZZ": lambda d: _offset(d, ":"),
    "ZZZ": lambda d: _offset(d, ""),
    "z": lambda d: getattr(d.tzinfo, "key", None) or str(d.tzinfo),
    "X": lambda d: str(write_date(d, "unix")),
    "x": lambda d: str(write_date(d, "unix_ms")),
}

# What each token matches, and the name under which its value is kept.
_READERS: dict[str, tuple[str, str]] = {
    "yyyy": (r"\d{4}", "year"),
    "yy": (r"\d{2}", "short_year"),
    "MMMM": ("|".join(MONTHS), "month_name"),
    "MMM": ("|".join(name[:3] for name in MONTHS), "month_name"),
    "MM": (r"\d{2}", "month"),
    "M": (r"\d{1,2}", "month"),
    "dd": (r"\d{2}", "day"),
    "d": (r"\d{1,2}", "day"),
    "cccc": ("|".join(DAYS), ""),
    "ccc": ("|".join(name[:3] for name in DAYS), ""),
    "EEEE": ("|".join(DAYS), ""),
    "EEE": ("|".join(name[:3] for name in DAYS), ""),
    "HH": (r"\d{2}", "hour"),
    "H": (r"\d{1,2}", "hour"),
    "hh": (r"\d{2}", "half"),
    "h": (r"\d{1,2}", "half"),
    "mm": (r"\d{2}", "minute"),
    "m": (r"\d{1,2}", "minute"),
    "ss": (r"\d{2}", "second"),
    "s": (r"\d{1,2}", "second"),
    "SSS": (r"\d{3}", "thousandth"),
    "a": ("[AaPp][Mm]", "noon"),
    "ZZ": (r"Z|[+-]\d{2}:\d{2}", "zone"),
    "ZZZ": (r"[+-]\d{4}", "zone"),
    "z": (r"[A-Za-z_+\-]+(?:/[A-Za-z_+\-]+)*", "zone"),
}


@lru_cache(maxsize=256)
def _reader(written: str) -> re.Pattern[str]:
    """Raises `ValueError` for a format with a part twice, or with none."""
    names: set[str] = set()

    def parts() -> Iterator[str]:
        for token in _TOKEN.findall(written):
            if token in _READERS:
                pattern, name = _READERS[token]
                if name in names:
                    raise ValueError(f"the format {written!r} has the {name} twice")
                names.add(name)
                yield f"(?P<{name}>{pattern})" if name else f"(?:{pattern})"
            elif token in _WRITERS:
                raise ValueError(f"{token!r} can be written, not read; use `unix` or `unix_ms`")
            else:
                yield re.escape(token[1:-1].replace("''", "'") if token.startswith("'") and len(token) > 1 else token)

    # Every repetition in it is bounded or ends at another kind of character: no text makes it slow.
    pattern = "".join(parts())
    if not names - {""}:
        raise ValueError(f"the format {written!r} names no part of a date")
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


def check_format(written: str, *, read: bool) -> str:
    """The format, if dates can be read by it or written. Raises `ValueError`."""
    if "{{" in written or written in ("", "unix", "unix_ms") or (written == "date" and not read):
        return written
    if read and "%" not in written:
        _reader(written)
    elif not any(token in _WRITERS for token in _TOKEN.findall(written)) and "%" not in written:
        raise ValueError(f"the format {written!r} names no part of a date")
    return written


def _parsed(text: str, written: str) -> datetime:
    if "%" in written:
        return datetime.strptime(text, written)
    found = _reader(written).fullmatch(text)
    if found is None:
        raise ValueError("it does not match")
    part = found.groupdict()

    def number(name: str, otherwise: int) -> int:
        return int(part[name]) if part.get(name) else otherwise

    year = number("year", 1900)
    if part.get("short_year"):  # as POSIX has it
        year = number("short_year", 0) + (1900 if number("short_year", 0) >= 69 else 2000)
    month = number("month", 1)
    if name := part.get("month_name"):
        month = next(index for index, full in enumerate(MONTHS, 1) if full[:3].lower() == name[:3].lower())
    hour = number("hour", 0)
    if part.get("half"):
        if not 1 <= number("half", 0) <= 12:
            raise ValueError("it does not match")
        hour = number("half", 0) % 12
    if (part.get("noon") or "").lower() == "pm" and hour < 12:
        hour += 12
    made = datetime(
        year, month, number("day", 1), hour, number("minute", 0), number("second", 0), number("thousandth", 0) * 1000
    )
    if where := part.get("zone"):
        return at_wall(made, UTC if where.upper() == "Z" else zone(where))
    return made


def shifted_months(value: datetime, months: int) -> datetime:
    """The same wall-clock time so many months on; a day that the month lacks becomes its last. Raises `ValueError`."""
    year, month = divmod(value.year * 12 + value.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("the year is outside of 1 to 9999")
    day = min(value.day, calendar.monthrange(year, month + 1)[1])
    return value.replace(year=year, month=month + 1, day=day)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
