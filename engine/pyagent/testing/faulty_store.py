"""A fake: a store as one worker sees it, whose calls fail, get lost or come late at the moments that a test chooses."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Literal

from pyagent.store.base import Event, Store, StoreUnavailable

Fault = Literal["refused", "answer_lost", "cut_before", "cut_after", "late", "answer_late"]
"""What happens to a call.

`refused`: it fails and nothing takes place. `answer_lost`: it takes place and fails all the same. `cut_before`,
`cut_after`: the same, and so does every later call: the worker is cut off from the store for good. `late`: it takes
place after `delay` seconds, in which leases may have run out. `answer_late`: it takes place, and returns that late.
"""


class FaultyStore:
    """A fake of a worker's connection to a store that other workers use as well.

    `choose` is asked at each call, with the method's name, which fault befalls it. `on_cut` is called when the
    connection is cut: a test lets the worker die then. `mark`, `changed` and `follow` work until then, and for ever
    wait for news afterwards. Opening and closing are the underlying store's own affair and do nothing here.
    """

    def __init__(
        self,
        store: Store,
        choose: Callable[[str], Fault | None],
        *,
        delay: float = 30.0,
        on_cut: Callable[[], None] | None = None,
    ) -> None:
        """`delay` is in seconds."""
        self.store = store
        self.cut = False
        """Whether the worker is cut off; may be set."""
        self._choose = choose
        self._delay = delay
        self._on_cut = on_cut

    @property
    def keeps_lineage(self) -> bool:
        """As the store has it."""
        return self.store.keeps_lineage

    async def open(self) -> None:
        """Nothing: the store that this one is a view of is open."""

    async def close(self) -> None:
        """Nothing: the store belongs to others, too."""

    def mark(self) -> int:
        """As the store's."""
        return self.store.mark()

    async def changed(self, timeout: float, since: int | None = None) -> bool:
        """As the store's; cut off, nothing is ever new."""
        if self.cut:
            await asyncio.sleep(timeout)
            return False
        return await self.store.changed(timeout, since)

    def follow(self, after: int = 0, run_id: str | None = None) -> AsyncIterator[Sequence[Event]]:
        """As the store's."""
        return self.store.follow(after, run_id)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return partial(self._call, name, found) if inspect.iscoroutinefunction(found) else found

    async def _call(self, name: str, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        fault = None if self.cut else self._choose(name)
        if self.cut or fault in ("refused", "cut_before"):
            self._fail(name, cut=fault == "cut_before")
        if fault == "late":
            await asyncio.sleep(self._delay)
        found = await method(*arguments, **named)
        if fault == "answer_late":
            await asyncio.sleep(self._delay)
        if fault in ("answer_lost", "cut_after"):
            self._fail(name, cut=fault == "cut_after")
        return found

    def _fail(self, name: str, *, cut: bool) -> None:
        if cut and not self.cut:
            self.cut = True
            if self._on_cut is not None:
                self._on_cut()
        raise StoreUnavailable(f"The answer to `{name}` is lost.", hint="A test wants it so.")
