"""What cannot be answered at once where others wait: who asked may wait for it without holding up the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Later(Exception):
    """Raised in place of an answer that takes long: `await settle()`, then ask again and get it."""

    def __init__(self, settle: Callable[[], Awaitable[None]]) -> None:
        super().__init__("the answer takes longer than may be waited for here")
        self.settle = settle


async def in_time(ask: Callable[[], T]) -> T:
    """What `ask` gives, asked again after each `Later` that it raises."""
    while True:
        try:
            return ask()
        except Later as later:
            await later.settle()
