"""Work at large graphs, done where nobody waits: who calls says where that is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Apart(Protocol):
    """Does `work`, which looks through graphs of `size` characters, in a thread."""

    def __call__(self, size: int, work: Callable[[], T], /) -> Awaitable[T]: ...


async def in_thread(size: int, work: Callable[[], T], /) -> T:
    """In a thread of the event loop's own, whatever the size."""
    return await asyncio.to_thread(work)


__all__ = ["Apart", "in_thread"]
