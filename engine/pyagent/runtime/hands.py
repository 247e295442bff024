"""The runs that an engine executes of its own accord: a bounded number at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any

from pyagent.store.base import Run


class Hands:
    """What one working engine has under way."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.others_wait = False
        """Whether runs of the store wait for a free hand: they go before those that begin now."""
        self._tasks: dict[str, asyncio.Task[Run | None]] = {}
        self._coming = 0
        self._freed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether no more can be taken."""
        return not self.free

    @property
    def free(self) -> int:
        """How many more can be taken."""
        return max(0, self.limit - len(self._tasks) - self._coming)

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that are under way."""
        return list(self._tasks)

    @contextmanager
    def kept_free(self) -> Generator[None]:
        """Inside the block one hand is kept for a run that is being made."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def take(self, run_id: str, driving: Coroutine[Any, Any, Run | None]) -> None:
        """Have the run driven; it must not be among `runs`."""
        task = self._tasks[run_id] = asyncio.create_task(driving)
        task.add_done_callback(lambda _: self._let_go(run_id))

    def _let_go(self, run_id: str) -> None:
        self._tasks.pop(run_id, None)
        self._freed.set()

    async def freed_or(self, news: Coroutine[Any, Any, bool]) -> None:
        """Wait for news of the store, or until a hand is free again, or was since this was last asked.

        A hand is free only a moment after its run's last commit, which is the last news of it. Raises what `news` does.
        """
        waiting = asyncio.create_task(news)
        freed = asyncio.create_task(self._freed.wait())
        try:
            await asyncio.wait({waiting, freed}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                waiting.result()
            self._freed.clear()
        finally:
            waiting.cancel()
            freed.cancel()
            await asyncio.gather(waiting, freed, return_exceptions=True)

    def under_way(self, run_id: str) -> asyncio.Task[Run | None] | None:
        """What drives the run, if it is under way here; its result is how the run stands then."""
        return self._tasks.get(run_id)

    async def finish(self, grace: float) -> None:
        """Wait for all that is under way, at most `grace` seconds, then cancel what is left."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


__all__ = ["Hands"]
