"""What a server forgets by itself: ended runs as PYAGENT_KEEP_RUNS says, events as PYAGENT_KEEP_EVENTS does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from pyagent.errors import PyAgentError, SetupError
from pyagent.graph.parts import Duration
from pyagent.runtime.store_prune import Policy, prune_store
from pyagent.settings import KEEP_EVENTS, KEEP_RUNS
from pyagent.store.base import ENDED, Store

logger = logging.getLogger("pyagent.retention")
PAUSE = timedelta(hours=1)
"""Between two looks for what may go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """How long and how much is kept; None: without limit."""

    age: timedelta | None = None
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """What a server keeps."""

    runs: Sequence[Policy] = ()
    """Each lets some go."""
    events: Kept = Kept()

    @property
    def forgets(self) -> bool:
        """Whether anything ever goes."""
        return bool(self.runs or self.events.age or self.events.count is not None)


def retention_from_environment() -> Retention:
    """What the settings say. Raises `SetupError` (`setup.setting`)."""
    policies: list[Policy] = []
    for rule in _rules(KEEP_RUNS.text()):
        status, _, rest = rule.rpartition(" ")
        kept = _kept(rest, KEEP_RUNS.name)
        if status and status not in ENDED:
            raise _wrong(KEEP_RUNS.name, rule)
        statuses = (status,) if status else ()
        policies.append(Policy(older_than=kept.age, keep=kept.count, statuses=statuses))
    age: timedelta | None = None
    count: int | None = None
    for rule in _rules(KEEP_EVENTS.text()):
        kept = _kept(rule, KEEP_EVENTS.name)
        age, count = kept.age or age, count if kept.count is None else kept.count
    return Retention(runs=tuple(policies), events=Kept(age=age, count=count))


async def forget(store: Store, retention: Retention) -> int:
    """Let go what may go; how many runs went. Raises `StoreError`."""
    gone = 0
    for policy in retention.runs:
        gone += len((await prune_store(store, policy)).runs)
    until = await _forgettable(store, retention.events)
    if until > await store.forgotten():
        await store.forget_events(until)
    return gone


async def keep_forgetting(
    store: Store, retention: Retention, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Let go what may go, again and again, until cancelled; a store that is out of reach is tried again."""
    while retention.forgets:
        try:
            if gone := await forget(store, retention):
                logger.info("%d runs went, as %s says", gone, KEEP_RUNS.name)
        except PyAgentError as error:
            logger.error("%s", error)
        await sleep(PAUSE.total_seconds())


async def _forgettable(store: Store, kept: Kept) -> int:
    """The cursor up to which events may go."""
    last = await store.last_cursor()
    until = max(0, last - kept.count) if kept.count is not None else 0
    if kept.age is None:
        return until
    oldest = await store.now() - kept.age
    # Events come nearly in the order of their times: the last one that is too old, found by halving.
    low, high = max(until, await store.forgotten()), last
    while low < high:
        middle = (low + high) // 2
        found = await store.read_events(middle, limit=1)
        if found and found[0].at < oldest:
            low = found[0].cursor
        else:
            high = middle
    return low


def _rules(text: str) -> list[str]:
    return [rule.strip() for rule in text.split(",") if rule.strip()]


def _kept(text: str, name: str) -> Kept:
    if text.isascii() and text.isdigit():
        return Kept(count=int(text))
    try:
        return Kept(age=TypeAdapter[timedelta](Duration).validate_python(text))
    except ValidationError:
        raise _wrong(name, text) from None


def _wrong(name: str, text: str) -> SetupError:
    return SetupError(
        f"{name} says {text!r}",
        code="setup.setting",
        hint="Write a time such as `30d` or a number such as `1000`, with commas between several; "
        "for runs perhaps with a status before it: `completed 7d, failed 90d`.",
    )


__all__ = ["Kept", "Retention", "forget", "keep_forgetting", "retention_from_environment"]
