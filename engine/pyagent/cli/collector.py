"""Python's collector of reference cycles, at the pace of programs that load a lot and then execute runs."""

from __future__ import annotations

import gc

_PACE = (20_000, 20, 20)
"""Objects that come before the youngest are looked at (Python: 700), and how often that makes for the older ones. Runs
make few cycles and many objects that go by themselves: at Python's pace a quarter of a run's time was looking."""


def set_pace() -> None:
    """Look for garbage less often: called before most is imported, and imports make no garbage either."""
    gc.set_threshold(*_PACE)


def keep_what_is_loaded() -> None:
    """Never look at what is there now: modules and what they made stay to the end, and are most of all objects."""
    gc.collect()
    gc.freeze()


__all__ = ["keep_what_is_loaded", "set_pace"]
