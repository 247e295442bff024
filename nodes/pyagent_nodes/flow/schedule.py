"""`flow.schedule`: a run starts at set times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from pyagent.sdk import Context, Item, Items, NodeParams, Occurrence, SourceContext, node
from pyagent.sdk.fields import Duration
from pyagent.sdk.sources import CatchUp, Overlap, each_time

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Next: TypeAlias = Callable[[datetime], datetime | None]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OneOrMore: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class ScheduleParams(NodeParams):
    """Parameters of `flow.schedule`: exactly one of `cron`, `every` and `at`."""

    cron: OneOrMore = Field(
        (),
        description="Cron expressions, one or several: minute, hour, day, month, weekday; of six the first is seconds",
        examples=["0 7 * * mon-fri"],
    )
    every: Duration | None = Field(
        None, description="At each multiple of this time, counted from 1970 in UTC: `15m` is at :00, :15, :30, :45"
    )
    at: OneOrMore = Field((), description="Times of the day, `HH:MM`, one or several", examples=["07:30"])
    days: tuple[Day, ...] = Field((), description="With `at`: only on these days of the week")
    timezone: str | None = Field(
        None,
        description="Time zone that `cron` and `at` are in; the graph's if left out, else UTC",
        examples=["Europe/Berlin"],
    )
    inputs: dict[str, Any] = Field(default_factory=dict, description="Inputs of the runs")
    overlap: Overlap = Field(
        "allow",
        description="A time comes while a run of this schedule is alive (also one that waits or is paused): `allow` "
        "starts another beside it, `skip` none (a cancelled run says so), `queue` one that begins when the others have "
        "ended, `cancel_other` cancels them and begins then",
    )
    catch_up: CatchUp = Field(
        "none",
        description="Times that passed while no server ran: `none` is made up for, the `last` one, or `all`, oldest "
        "first",
    )
    catch_up_within: Duration = Field(
        "1d", validate_default=True, description="With `catch_up`: only times that passed no longer ago than this"
    )

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from cronsim import CronSim, CronSimError

        for expression in value:
            try:
                times = CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC))
            except CronSimError as error:
                fields = len(expression.split())
                why = f"has {fields} fields, not 5 or 6" if fields not in (5, 6) else str(error)
                raise ValueError(
                    f"{expression!r} is no cron expression: {why}; write minute, hour, day, month and weekday, "
                    "as in `0 7 * * mon-fri`"
                ) from None
            if next(times, None) is None:
                raise ValueError(f"{expression!r} never comes: there is no such day")
        return value

    @field_validator("every")
    @classmethod
    def _every(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and (value < timedelta(seconds=1) or value % timedelta(seconds=1)):
            raise ValueError("must be whole seconds, at least one")
        return value

    @field_validator("at")
    @classmethod
    def _at(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                time.fromisoformat(text if text[2:3] == ":" else "no")
            except ValueError:
                raise ValueError(f"{text!r} is no time of the day; write `HH:MM`, from 00:00 to 23:59") from None
            if time.fromisoformat(text).tzinfo is not None:
                raise ValueError(f"{text!r} has a zone; say it in `timezone`")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str | None) -> str | None:
        if value is not None:
            _zone(value)
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(map(bool, (self.cron, self.every, self.at))) != 1:
            raise ValueError("say exactly one of `cron`, `every` and `at`")
        if self.days and not self.at:
            raise ValueError("`days` belongs to `at`; a cron expression says its days itself")
        return self


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}; write a name of the IANA database, such as Europe/Berlin"
        ) from None


def following(params: ScheduleParams, timezone: str) -> Next:
    """A function that gives the first time after another, in UTC; None if there is none."""
    zone = _zone(params.timezone or timezone)
    if params.every is not None:
        every = params.every
        return lambda after: _EPOCH + ((after - _EPOCH) // every + 1) * every
    if params.at:
        moments = [time.fromisoformat(text) for text in params.at]
        days = frozenset(_DAYS.index(day) for day in params.days or _DAYS)
        return lambda after: min(_daily(moment, days, zone, after) for moment in moments)
    return lambda after: min(filter(None, (_cron(text, zone, after) for text in params.cron)), default=None)


def _cron(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    from cronsim import CronSim

    # Where the clock goes back, cronsim may begin with a time that has been.
    times = (found.astimezone(UTC) for found in CronSim(expression, after.astimezone(zone)))
    return next((at for at in times if at > after), None)


def _daily(moment: time, days: frozenset[int], zone: ZoneInfo, after: datetime) -> datetime:
    """The next time of this clock reading. One that the clock skips comes when it has gone on; of two, the first."""
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        if day.weekday() in days:
            # `fold=0`: the first of two; for a reading that is skipped, the offset from before, so as much later
            at = datetime.combine(day, moment, tzinfo=zone).astimezone(UTC)
            if at > after:
                return at
        day += timedelta(days=1)


def upcoming(params: ScheduleParams, after: datetime, count: int, timezone: str = "UTC") -> Sequence[datetime]:
    """The next times, in the schedule's zone."""
    step, zone = following(params, timezone), _zone(params.timezone or timezone)
    found: list[datetime] = []
    at: datetime | None = after
    while len(found) < count and (at := step(at)) is not None:
        found.append(at.astimezone(zone))
    return found


async def occurrences(params: ScheduleParams, ctx: SourceContext) -> AsyncIterator[Occurrence]:
    """The schedule's times as they come."""
    zone = _zone(params.timezone or ctx.timezone)
    step = following(params, ctx.timezone)
    ctx.ready()
    async for at in each_time(ctx, step, catch_up=params.catch_up, within=params.catch_up_within, key=_key):
        local = at.astimezone(zone)
        yield Occurrence(
            key=_key(at),
            inputs=params.inputs,
            facts={"scheduled_at": local.isoformat(), "timezone": str(zone)},
            at=at,
            overlap=params.overlap,
        )


def _key(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@node(
    "flow.schedule",
    title="Schedule",
    icon="calendar-clock",
    kind="trigger",
    ports_in=(),
    effects="none",
    source=occurrences,
    upcoming=upcoming,
)
async def schedule(items: Items, params: ScheduleParams, ctx: Context) -> list[Item]:
    """Start a run at set times, while the graph is active (`pyagent activate`).

    A run's inputs are `inputs`; `scheduled_at` (the time it was due, with its offset) and `timezone` are added where
    the graph declares inputs of these names, or declares none. Each time starts one run, also with several servers
    on one store. When clocks go forward, a time that is skipped comes after it; when they go back, the first of
    two counts. Times that pass while no server runs are made up for as `catch_up` says.
    """
    return [Item(dict(ctx.inputs))]
