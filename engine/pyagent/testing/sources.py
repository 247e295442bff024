"""Run a trigger's source without an engine, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pyagent.sdk.items import JsonObject
from pyagent.sdk.node import NodeType
from pyagent.sdk.sources import Occurrence


class TestSource:
    """A `SourceContext` in virtual time: sleeping moves the clock, and a test may set it."""

    __test__ = False

    def __init__(
        self,
        *,
        now: datetime | None = None,
        since: datetime | None = None,
        timezone: str = "UTC",
        started: Collection[str] = (),
    ) -> None:
        """`started`: keys of occurrences that have started runs."""
        self.graph_id = "graph"
        self.node_id = "trigger"
        self.timezone = timezone
        self.time = now or datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.since = since or self.time
        self.keys = set(started)
        self.worked = 0
        """How often the source said that it works."""
        self.logs: list[JsonObject] = []
        self.jumps: list[tuple[datetime, timedelta]] = []
        """When the clock is set, and by how much: from the first sleep that ends at that time or later."""

    def now(self) -> datetime:
        """The virtual time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.time += timedelta(seconds=seconds)
        while self.jumps and self.time >= self.jumps[0][0]:
            self.time += self.jumps.pop(0)[1]

    async def started(self, key: str) -> bool:
        """Whether the key is among those that were given or that `occurrences` has seen."""
        return key in self.keys

    def ready(self) -> None:
        """Count that the source works."""
        self.worked += 1

    def log(self, message: str, *, level: str = "info", **more: Any) -> None:
        """Keep the line."""
        self.logs.append({"message": message, "level": level, **more})


async def occurrences(node_type: NodeType, params: dict[str, Any], context: TestSource, count: int) -> list[Occurrence]:
    """The first `count` occurrences of a trigger's source; fewer if it ends before."""
    assert node_type.source is not None, f"{node_type.use} has no source"
    found: list[Occurrence] = []
    stream: AsyncIterator[Occurrence] = node_type.source(node_type.validate_params(params), context)
    async with aclosing(cast("Any", stream)):
        async for occurrence in stream:
            found.append(occurrence)
            context.keys.add(occurrence.key)
            if len(found) == count:
                break
    return found
