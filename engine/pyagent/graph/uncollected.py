"""No garbage collection while much is made that is kept: it would be looked through again and again for cycles that
are not there, and that takes longer than all the rest."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

_LONG = 50_000
"""Characters of a graph's text from which on that is felt."""


@contextmanager
def uncollected(characters: int) -> Generator[None]:
    """No collection inside the block, for what a text of so many characters becomes."""
    if characters < _LONG or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


__all__ = ["uncollected"]
