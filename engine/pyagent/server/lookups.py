"""Looks at disks that may not answer: each in a thread of its own, waited for as long as a person would."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from pyagent.errors import PyAgentError
from pyagent.server.errors import Refused

T = TypeVar("T")
_PATIENCE = 10.0
_MOST = 4


class NoAnswer(PyAgentError):
    """A disk does not answer (`files.no_answer`, 504): one over a network that is gone, say."""

    code = "files.no_answer"
    hint = "Choose another folder, or look why the disk does not answer."


class Lookups:
    """What takes a moment, or for ever: the call of a system that waits for a disk cannot be given up.

    A thread that does not come back keeps nobody from others, and does not keep the process from ending.
    """

    def __init__(self, patience: float = _PATIENCE, most: int = _MOST) -> None:
        """`patience`: seconds; `most`: looks of one asker that are under way."""
        self.patience = patience
        self._most = most
        self._under_way: Counter[str] = Counter()

    async def run(self, who: str, work: Callable[[], T]) -> T:
        """What `work` returns. Raises what it raises, `NoAnswer`, and `Refused` (`server.busy`) for who has too many
        looks that have not come back."""
        if self._under_way[who] >= self._most:
            raise Refused(
                f"{self._most} folders that were asked for have not answered yet",
                code="server.busy",
                hint="Wait as long as `Retry-After` says (seconds), or look why the disk does not answer.",
                details={"retry_after": int(self.patience)},
            )
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._under_way[who] -= 1
            self._under_way += Counter()  # drops the zeros
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        def look() -> None:
            result, error = None, None
            try:
                result = work()
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(settle, result, error)

        self._under_way[who] += 1
        threading.Thread(target=look, name="lookup", daemon=True).start()
        try:
            return await asyncio.wait_for(answer, self.patience)
        except TimeoutError:
            raise NoAnswer(f"there was no answer within {self.patience:g} seconds") from None


__all__ = ["Lookups", "NoAnswer"]
