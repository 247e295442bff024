"""Rate limits: token buckets by client and by key, in bounded memory; who asks too often is told when to come back."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from pyagent.errors import SetupError
from pyagent.graph.duration import parse_duration
from pyagent.server.errors import Refused
from pyagent.settings import RATE_FAILURES, RATE_SHARED, RATE_STARTS, RATE_WEBHOOKS, WEBHOOK_MEMORY, Setting

_MOST_KEYS = 10_000
"""Buckets that are kept; of more, those that were used longest ago are forgotten, which fills them."""

_BUSY = 5
"""Seconds after which to come again, where bodies fill the memory that they may have."""


class TooMany(Refused):
    """The client asks more often than it may (`server.too_many`, 429 with `Retry-After`)."""

    code = "server.too_many"
    hint = "Wait as long as `Retry-After` says (seconds)."

    def __init__(self, what: str, seconds: float) -> None:
        self.retry_after = max(1, math.ceil(seconds))
        super().__init__(f"too many {what}", details={"retry_after": self.retry_after})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How often something may be done."""

    count: int
    """At once; that many are given back in the course of `seconds`."""
    seconds: float

    @classmethod
    def of(cls, setting: Setting) -> Rate | None:
        """What a setting such as `30/1m` says; None for `off`. Raises `SetupError` (`setup.setting`)."""
        text = setting.text().strip().lower()
        if text in ("off", "0"):
            return None
        found = re.fullmatch(r"(\d{1,9})\s*/\s*(\S+)", text)
        try:
            if found is None or not int(found[1]) or not (seconds := parse_duration(found[2]).total_seconds()):
                raise ValueError(text)
        except ValueError:
            raise SetupError(
                f"{setting.name} is {text!r}",
                code="setup.setting",
                hint="Give a number and a time, such as 30/1m, or off.",
            ) from None
        return cls(count=int(found[1]), seconds=seconds)


class Busy(Refused):
    """The bodies that are on their way fill the memory that they may have (`server.busy`, 503 with `Retry-After`)."""

    code = "server.busy"
    hint = "Send it again after as many seconds as `Retry-After` says, or raise PYAGENT_WEBHOOK_MEMORY."

    def __init__(self, size: int) -> None:
        super().__init__(
            f"webhook calls may hold {size} bytes at one time, and those are taken", details={"retry_after": _BUSY}
        )


class Budget:
    """Bytes that all requests may hold together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0

    @classmethod
    def of(cls, setting: Setting) -> Budget:
        """What a setting such as `256 MiB` says. Raises `SetupError` (`setup.setting`)."""
        from pydantic import ByteSize, TypeAdapter, ValidationError

        try:
            return cls(int(TypeAdapter(ByteSize).validate_python(setting.text())))
        except ValidationError:
            raise SetupError(
                f"{setting.name} is {setting.text()!r}", code="setup.setting", hint="Give a size, such as 256 MiB."
            ) from None

    @contextmanager
    def share(self) -> Generator[Callable[[int], None]]:
        """One request's part: what it yields takes that many bytes more, or raises `Busy`; all are given back."""
        mine = 0

        def take(count: int) -> None:
            nonlocal mine
            if self.held + count > self.size:
                raise Busy(self.size)
            self.held += count
            mine += count

        try:
            yield take
        finally:
            self.held -= mine


class Limiter:
    """One kind of request, counted by keys such as a client's address."""

    def __init__(self, what: str, rate: Rate | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`what`: the requests' name in messages; `rate`: None lets everything through."""
        self.what = what
        self.rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, *keys: str) -> None:
        """Count one request for each of the keys. Raises `TooMany` if one has none left; nothing is counted then."""
        if (wait := max(self.wait(key) for key in keys)) > 0:
            raise TooMany(self.what, wait)
        now = self._clock()
        for key in keys if self.rate is not None else ():
            self._buckets[key] = (self._left(key, now) - 1, now)
            self._buckets.move_to_end(key)
        while len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)

    def wait(self, key: str) -> float:
        """Seconds until the key may do it again; 0 when it may."""
        if self.rate is None or (left := self._left(key, self._clock())) >= 1:
            return 0
        return (1 - left) * self.rate.seconds / self.rate.count

    def _left(self, key: str, now: float) -> float:
        assert self.rate is not None
        left, at = self._buckets.get(key, (float(self.rate.count), now))
        return min(self.rate.count, left + (now - at) * self.rate.count / self.rate.seconds)


@dataclass(kw_only=True)
class Limits:
    """The server's limits, as the settings have them."""

    starts: Limiter = field(default_factory=lambda: Limiter("starts of runs", Rate.of(RATE_STARTS)))
    webhooks: Limiter = field(default_factory=lambda: Limiter("calls of webhooks", Rate.of(RATE_WEBHOOKS)))
    shared: Limiter = field(default_factory=lambda: Limiter("looks at shared runs", Rate.of(RATE_SHARED)))
    failures: Limiter = field(default_factory=lambda: Limiter("wrong keys", Rate.of(RATE_FAILURES)))
    bodies: Budget = field(default_factory=lambda: Budget.of(WEBHOOK_MEMORY))
    """What the bodies of webhook calls may hold."""


def client_of(connection: HTTPConnection) -> str:
    """The address that a request comes from."""
    return connection.client.host if connection.client else "unknown"


def limited(choose: Callable[[Limits], Limiter]) -> Callable[[HTTPConnection], Awaitable[None]]:
    """A dependency of a route: it counts the request for the client and, where one was shown, for its token.

    `Depends(limited(lambda limits: limits.webhooks))`.
    """

    async def count(connection: HTTPConnection) -> None:
        limiter = choose(connection.app.state.context.limits)
        who = str(connection.scope.get("pyagent.who", ""))
        limiter.take(f"client {client_of(connection)}", *([f"key {who}"] if who else []))

    return count


__all__ = ["Budget", "Busy", "Limiter", "Limits", "Rate", "TooMany", "client_of", "limited"]
