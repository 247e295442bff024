"""How the world starts a graph: sources that tell of occurrences, and endpoints that take requests.

A trigger node type names one of two functions of its parameters: `source`, a coroutine generator that the engine
runs as long as the graph is active, or `endpoint`, the address at which the server takes requests for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

LATE = timedelta(minutes=1)
"""A time that is noticed later than this (the machine slept, its clock was set forward) has been missed."""
LOOK = 15.0
"""Seconds after which a wait for a time looks at the clock again: it may have been set."""


MOST_MISSED = 1000
"""Times that are made up for at once, at most: the newest."""
Overlap: TypeAlias = Literal["allow", "skip", "queue", "cancel_other"]
"""What becomes of an occurrence while a run that the same trigger has started is alive: `allow` starts a run beside
it, `skip` starts none, `queue` one that waits until the others have ended, and `cancel_other` does that and cancels
them."""
CatchUp: TypeAlias = Literal["none", "last", "all"]
"""Which of the times that passed while nobody watched are made up for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurrence:
    """Something that starts a run, once for its key."""

    key: str
    """What tells it from all others of this trigger, for ever: whoever sees it again starts nothing."""
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The run's inputs."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else is known: inputs where the graph declares them, or declares none at all."""
    at: datetime | None = None
    """When it happened."""
    overlap: Overlap = "allow"


class SourceContext(Protocol):
    """What a source sees of the graph it starts."""

    @property
    def graph_id(self) -> str: ...
    @property
    def node_id(self) -> str: ...
    @property
    def timezone(self) -> str:
        """The graph's time zone, else UTC."""
        ...

    @property
    def since(self) -> datetime:
        """Since when the graph has been active without a break: what was there before is not news."""
        ...

    def now(self) -> datetime:
        """The time, with a zone."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; in a test, let virtual time pass."""
        ...

    async def started(self, key: str) -> bool:
        """Whether the occurrence with this key has started a run already."""
        ...

    def ready(self) -> None:
        """Say that the source works (it listens, it has looked): an earlier problem is over."""
        ...

    def log(self, message: str, *, level: Literal["debug", "info", "warning", "error"] = "info", **more: Any) -> None:
        """Say something in the server's log."""
        ...


Source: TypeAlias = Callable[[Any, SourceContext], AsyncIterator[Occurrence]]
"""An async generator function of the trigger's parameters. It runs while the graph is active, and is started again,
after a growing pause, when it raises; a source that returns has no more to tell."""
Upcoming: TypeAlias = Callable[[Any, datetime, int, str], Sequence[datetime]]
"""`(params, after, count, timezone)`: the trigger's next times, for those that know them; `timezone` is the graph's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An address of the server at which requests start the graph."""

    path: str
    """Segments with slashes between them; `{name}` takes one segment as a parameter."""
    methods: tuple[str, ...] = ("POST",)
    answer: Literal["started", "outputs", "response", "last"] = "started"
    """`started`: at once. Else when the run has ended: with its outputs, with the response that they describe, or
    with what its last step gave."""
    wait: timedelta = timedelta(seconds=30)
    """How long a request waits for the run's end before it is told where to look."""
    inputs: Literal["request", "body"] = "request"
    """What the run's inputs are: the whole request, or the body's fields."""
    authentication: Literal["none", "header", "basic", "signature"] = "none"
    credential: str = ""
    header: str = ""
    """The header with the token or the signature."""
    key_header: str = "Idempotency-Key"
    """The header whose value names the request: a second one with it starts nothing."""
    origins: tuple[str, ...] = ()
    """Sites whose pages may send requests; `*` means all."""
    max_size: int = 8 * 1024 * 1024
    """Bytes."""

    @property
    def claims(self) -> tuple[str, ...]:
        """What no other active graph may have: each method with the path, parameters without their names."""
        parts = ["{}" if part.startswith("{") else part for part in self.path.split("/")]
        return tuple(f"{method} /webhooks/{'/'.join(parts)}" for method in self.methods)


async def each_time(
    ctx: SourceContext,
    following: Callable[[datetime], datetime | None],
    *,
    catch_up: CatchUp = "none",
    within: timedelta = timedelta(days=1),
    key: Callable[[datetime], str] = datetime.isoformat,
) -> AsyncIterator[datetime]:
    """The times of a schedule as they come, until it has no more.

    `following` gives the first time after another. Times that passed before the start, and those noticed more than
    `LATE` after they came, have been missed. `catch_up` says which of these are given all the same: those `within` so
    long, since the graph has been active, whose occurrence (`key` of the time) has started nothing. When the clock is
    set back, times may come again: an occurrence's key is its time.
    """
    seen = ctx.now()
    for at in await _missed(ctx, following, catch_up, within, key):
        yield at
    awaited = following(seen)
    while awaited is not None:
        now = ctx.now()
        if now < seen:  # set back: something may come before what was awaited
            awaited = following(now)
        elif now < awaited:
            await ctx.sleep(min((awaited - now).total_seconds(), LOOK))
        elif now - awaited > LATE:
            ctx.log("a time was missed: this machine slept, or its clock was set", level="warning", at=str(awaited))
            for at in await _missed(ctx, following, catch_up, within, key):
                yield at
            awaited = following(now)
        else:
            yield awaited
            awaited = following(awaited)
        seen = now


async def _missed(
    ctx: SourceContext,
    following: Callable[[datetime], datetime | None],
    catch_up: CatchUp,
    within: timedelta,
    key: Callable[[datetime], str],
) -> list[datetime]:
    """The times up to now that are to be made up for, oldest first."""
    if catch_up == "none":
        return []
    now = ctx.now()
    passed: deque[datetime] = deque(maxlen=1 if catch_up == "last" else MOST_MISSED)
    at = following(max(ctx.since, now - within))
    while at is not None and at <= now:
        passed.append(at)
        at = following(at)
    found: list[datetime] = []
    # From the newest back: what came before one that has begun was seen to.
    while passed and not await ctx.started(key(passed[-1])):
        found.append(passed.pop())
    if found:
        ctx.log("times were missed and are made up for", level="warning", count=len(found), first=str(found[-1]))
    return found[::-1]


__all__ = ["LATE", "CatchUp", "Endpoint", "Occurrence", "Overlap", "Source", "SourceContext", "Upcoming", "each_time"]
