"""`data.datetime`: read, change, compare and write dates."""

from __future__ import annotations

import calendar
import math
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from pyagent.sdk import Context, Item, NodeParams, node
from pyagent.sdk.fields import FieldPath, read_field, with_field
from pyagent_nodes.data._dates import BadDate, at_wall, check_format, read_date, shifted_months, write_date, zone

Unit: TypeAlias = Literal["years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds"]
Span: TypeAlias = Literal["year", "quarter", "month", "week", "day", "hour", "minute", "second"]
Part: TypeAlias = Literal[
    "year", "quarter", "month", "week", "day", "weekday", "day_of_year", "days_in_month",
    "hour", "minute", "second", "millisecond", "offset", "timezone", "date", "time", "unix",
]  # fmt: skip

UNITS: tuple[Unit, ...] = ("years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds")
_EXACT: dict[Unit, timedelta] = {
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
    "seconds": timedelta(seconds=1),
    "milliseconds": timedelta(milliseconds=1),
}


def _zone(value: str) -> str:
    if "{{" not in value:
        zone(value)
    return value


Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]


class DatetimeParams(NodeParams):
    """Parameters of `data.datetime`."""

    do: Literal["now", "convert", "add", "subtract", "round", "difference", "extract"] = Field(
        "convert",
        description="The time of the step; another form or zone; another date; the start of its hour, day, …; the "
        "time between two dates; parts of it",
    )
    field: FieldPath | None = Field(None, description="The field that holds the date")
    date: Any = Field(None, description="The date itself, instead of `field`", examples=["{{ $inputs.start }}"])
    into: FieldPath = Field("date", description="The field that gets the result")
    read: Annotated[str, AfterValidator(lambda value: check_format(value, read=True))] = Field(
        "",
        description="How dates are written: left out, ISO 8601, mail's RFC 2822, or seconds since 1970 (milliseconds "
        "from 100,000,000,000 on); `unix`, `unix_ms`; tokens as luxon's; or strptime's codes with %",
        examples=["dd.MM.yyyy HH:mm", "%d/%m/%Y"],
    )
    write: Annotated[str, AfterValidator(lambda value: check_format(value, read=False))] = Field(
        "", description="How to write the result: left out, ISO 8601; `date`, `unix`, `unix_ms`; or a format"
    )
    timezone: Zone | None = Field(
        None,
        description="Time zone of dates that name none, and of the work: its days, hours and the result; left out: "
        "the graph's",
    )
    from_timezone: Zone | None = Field(None, description="Time zone of dates that name none, where it is another")
    amount: dict[Unit, float] = Field(
        default_factory=dict, description="For add and subtract: how much", examples=[{"months": 1, "hours": -2}]
    )
    to: Span = Field("day", description="For round: to the start of what")
    direction: Literal["down", "up", "nearest"] = Field("down", description="For round")
    week_starts: Literal["monday", "sunday"] = Field("monday", description="For round to weeks")
    until: Any = Field(None, description="For difference: the other date, read as the first is")
    units: list[Unit] = Field(
        ["days"],
        min_length=1,
        description="For difference: one unit gives a number, several an object that shares it out among them",
    )
    parts: list[Part] = Field(
        ["year", "month", "day"], min_length=1, description="For extract: one part gives its value, several an object"
    )
    missing: Literal["null", "fail"] = Field("null", description="A date that is missing or null: null, or an error")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.do == "now":
            return self
        if self.field is not None and self.date is not None:
            raise ValueError("give `field` or `date`, not both")
        if self.do in ("add", "subtract") and not self.amount:
            raise ValueError(f"`amount` says how much to {self.do}")
        for unit, count in self.amount.items():
            if not math.isfinite(count):
                raise ValueError(f"{unit}: {count} is no number")
            if unit not in _EXACT and not float(count).is_integer():
                raise ValueError(f"{unit} must be whole; use hours and smaller for fractions")
        return self


@node("data.datetime", title="Date and time", icon="calendar-clock", effects="none", each_item=True)
async def datetime_(item: Item, params: DatetimeParams, ctx: Context) -> Item:
    """Read a date of each item, change it, compare it with another, take it apart or write it in another form.

    Years, months, weeks and days count on the calendar: a day later is the same wall-clock time on the next day, be
    it 23 or 25 hours away; 31 January and a month is the last of February. Hours and smaller units are exact time.
    Of `amount`, the calendar's units come first. A wall-clock time that summer time skips moves on by what is
    skipped; of one that comes twice, the first is meant. Names of months and days are English. `now` is the step's
    recorded time, the same in a replay.
    """
    where = zone(params.timezone or ctx.timezone)
    if params.do == "now":
        return _with(item, params, write_date(ctx.now.astimezone(where), params.write))
    value = params.date if params.field is None else read_field(item.json, params.field, None)
    if value is None or (params.do == "difference" and params.until is None):
        if params.missing == "fail":
            raise BadDate("there is no date", hint="Correct `field`, or set `missing: null`.")
        return _with(item, params, None)
    default = zone(params.from_timezone) if params.from_timezone else where
    try:
        found = read_date(value, params.read, default).astimezone(where)
        return _with(item, params, _result(found, params, default, where))
    except OverflowError as error:
        raise BadDate(f"{value!r} leads out of the years 1 to 9999: {error}", hint="Use smaller amounts.") from None
    except ValueError as error:
        raise BadDate(f"{value!r} cannot be written so: {error}", hint="Correct `write`.") from None


def _with(item: Item, params: DatetimeParams, value: Any) -> Item:
    return Item(with_field(item.json, params.into, value), item.binary, item.sources)


def _result(value: datetime, params: DatetimeParams, default: tzinfo, where: tzinfo) -> Any:
    match params.do:
        case "add" | "subtract":
            sign = 1 if params.do == "add" else -1
            moved = _moved(value, {unit: count * sign for unit, count in params.amount.items()})
            return write_date(moved, params.write)
        case "round":
            return write_date(_rounded(value, params), params.write)
        case "difference":
            other = read_date(params.until, params.read, default).astimezone(where)
            return difference(value, other, params.units)
        case "extract":
            found = {part: _part(value, part) for part in params.parts}
            return found if len(found) > 1 else next(iter(found.values()))
        case _:
            return write_date(value, params.write)


def _wall(value: datetime) -> datetime:
    """What clocks show, without a zone: arithmetic with it is the calendar's."""
    return value.replace(tzinfo=None)


def _moved(value: datetime, amount: dict[Unit, float]) -> datetime:
    """Later by so much, in the zone of `value`: the calendar's units first, by wall clock, then exact time."""
    where = value.tzinfo or UTC
    by_calendar = [unit for unit in amount if unit not in _EXACT]
    if by_calendar:
        local = shifted_months(_wall(value), int(amount.get("years", 0)) * 12 + int(amount.get("months", 0)))
        local += timedelta(days=int(amount.get("weeks", 0)) * 7 + int(amount.get("days", 0)))
        value = at_wall(local, where)
    exact = sum((_EXACT[unit] * count for unit, count in amount.items() if unit in _EXACT), timedelta())
    return (value.astimezone(UTC) + exact).astimezone(where)


def _rounded(value: datetime, params: DatetimeParams) -> datetime:
    where = value.tzinfo or UTC
    start = _start(value, params)
    if params.direction == "down" or _passed(start, value) == timedelta():
        return start
    if params.to in ("hour", "minute", "second"):
        end = _moved(start, {f"{params.to}s": 1})  # type: ignore[dict-item]
    else:
        spans: dict[str, dict[Unit, float]] = {"quarter": {"months": 3}}
        # From the wall clock's start, so that the end is a start too, whatever the clocks do in between.
        end = at_wall(_wall(_moved(start, spans.get(params.to, {f"{params.to}s": 1}))), where)  # type: ignore[dict-item]
    if params.direction == "nearest" and _passed(start, value) < _passed(value, end):
        return start
    return end


def _passed(start: datetime, end: datetime) -> timedelta:
    """Exact time; of two dates with one zone Python itself takes the difference of what clocks show."""
    return end.astimezone(UTC) - start.astimezone(UTC)


def _start(value: datetime, params: DatetimeParams) -> datetime:
    """Where the year, …, second of the date begins."""
    where = value.tzinfo or UTC
    second = value.replace(microsecond=0)
    if params.to == "second":
        return second
    if params.to in ("minute", "hour"):
        # `fold` stays: the second 02:30 of autumn began at the second 02:00.
        minute = second.replace(second=0)
        return minute if params.to == "minute" else minute.replace(minute=0)
    day = _wall(value).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match params.to:
        case "week":
            day -= timedelta(days=(day.weekday() + (params.week_starts == "sunday")) % 7)
        case "month":
            day = day.replace(day=1)
        case "quarter":
            day = day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
        case "year":
            day = day.replace(day=1, month=1)
        case _:
            pass
    return at_wall(day, where)


def difference(start: datetime, end: datetime, units: list[Unit]) -> float | dict[str, float]:
    """The time from `start` to `end`, negative if `end` is earlier; both in the same zone.

    Years to days are counted on the calendar, the rest is exact time. The smallest unit takes the fraction.
    """
    if _passed(start, end) < timedelta():
        turned = difference(end, start, units)
        return {unit: -count or 0 for unit, count in turned.items()} if isinstance(turned, dict) else (-turned or 0)
    found: dict[Unit, float] = {}
    ordered: list[Unit] = [unit for unit in UNITS if unit in units]
    # What the calendar's units have come to is added to the start at once: a skipped hour on the way counts nothing.
    passed: dict[Unit, float] = {}
    reached = start
    for unit in ordered:
        if unit in _EXACT:
            left = _passed(reached, end)
            count = left // _EXACT[unit] if unit != ordered[-1] else left / _EXACT[unit]
            reached = reached.astimezone(UTC) + _EXACT[unit] * int(count)
        else:
            whole = _whole(start, passed, end, unit)
            reached = _moved(start, {**passed, unit: whole})
            count = float(whole)
            if unit == ordered[-1] and _passed(reached, end):
                count += _fraction(reached, _moved(start, {**passed, unit: whole + 1}), end)
            passed[unit] = whole
        found[unit] = int(count) if float(count).is_integer() else count
    by_name: dict[str, float] = {unit: found[unit] for unit in units}
    return by_name if len(units) > 1 else found[units[0]]


def _whole(start: datetime, passed: dict[Unit, float], end: datetime, unit: Unit) -> int:
    """How many whole years, …, days more fit in between."""
    days = (_wall(end) - _wall(_moved(start, passed))).days
    guess = max(0, int(days / {"years": 365.2425, "months": 30.436875, "weeks": 7, "days": 1}[unit]) + 1)
    while guess > 0 and _after(start, {**passed, unit: guess}, end):
        guess -= 1
    return guess


def _after(start: datetime, amount: dict[Unit, float], end: datetime) -> bool:
    try:
        return _passed(_moved(start, amount), end) < timedelta()
    except OverflowError:
        return True


def _fraction(before: datetime, after: datetime, end: datetime) -> float:
    return _passed(before, end) / _passed(before, after)


def _part(value: datetime, part: Part) -> Any:
    match part:
        case "quarter":
            return (value.month - 1) // 3 + 1
        case "week":
            return value.isocalendar().week
        case "weekday":
            return value.isoweekday()
        case "day_of_year":
            return value.timetuple().tm_yday
        case "days_in_month":
            return calendar.monthrange(value.year, value.month)[1]
        case "millisecond":
            return value.microsecond // 1000
        case "offset":
            return round((value.utcoffset() or timedelta()).total_seconds() / 60)
        case "timezone":
            return write_date(value, "z")
        case "date":
            return value.date().isoformat()
        case "time":
            return value.time().isoformat()
        case "unix":
            return write_date(value, "unix")
        case _:
            return getattr(value, part)
