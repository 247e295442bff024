"""Timelines of the runs that somebody looks through: made once for each length of a log, the latest few kept."""

from __future__ import annotations

from pyagent.runtime.moments import Timeline

MOST = 500_000
"""Moments that are kept in all, some hundred bytes each."""


class Timelines:
    """The timelines that were asked for last."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[str, Timeline] = {}

    def get(self, run_id: str, length: int) -> Timeline | None:
        """The run's timeline, if it has all entries of a log of this length."""
        found = self._kept.get(run_id)
        if found is None or len(found.moments) < length:
            return None
        self._kept[run_id] = self._kept.pop(run_id)
        return found

    def keep(self, run_id: str, timeline: Timeline) -> None:
        """Keep a timeline; the one that was asked for longest ago goes where there are too many moments."""
        self._kept.pop(run_id, None)
        self._kept[run_id] = timeline
        while len(self._kept) > 1 and sum(len(one.moments) for one in self._kept.values()) > self._most:
            del self._kept[next(iter(self._kept))]


__all__ = ["Timelines"]
