"""The fake store's line of runs that nobody has begun."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from pyagent.store.base import ENDED, Run
from pyagent.store.queue import Begun, Group, Line, Queued


def is_free(run: Run) -> bool:
    """Whether nobody has begun the run, and nobody is about to."""
    return run.status == "queued" and run.lease_owner is None


class MemoryLine:
    """Which groups stand in line, and which runs go first."""

    def __init__(self, runs: Callable[[], Iterable[Run]]) -> None:
        """`runs` gives all runs, oldest first."""
        self._runs = runs
        self._begun: dict[tuple[int, str], int] = {}
        """By priority and name of the group: how many runs it has begun in this turn."""

    def join(self, run: Run) -> None:
        """Let the group of a run stand in line, if nobody has begun the run."""
        if is_free(run):
            self._begun.setdefault((run.priority, run.fairness), 0)

    def may_begin(self, run: Run) -> bool:
        """Whether a run need not let others with its slot go first: those at work, those with a higher priority, and
        those of its group that were created before it."""
        if run.slot is None or not is_free(run):
            return True
        first = 0
        before = True
        for other in self._runs():
            if other.id == run.id:
                before = False
            elif other.slot == run.slot and other.status not in ENDED:
                same = other.priority == run.priority and other.fairness == run.fairness
                first += not is_free(other) or other.priority > run.priority or (before and same)
        return first < run.slots

    def first(self, woken: Iterable[Run], limit: int, excluding: Collection[str]) -> tuple[Line[str], list[str]]:
        """The runs that go first, and what becomes of the line when they are taken."""
        begun = [Begun(run.id, run.priority) for run in woken]
        groups = [Group(*key, place, begun) for place, (key, begun) in enumerate(self._begun.items())]

        def queued(group: Group) -> Iterator[Queued[str]]:
            for run in self._runs():
                if is_free(run) and (run.priority, run.fairness) == (group.priority, group.name):
                    yield Queued(run.id, run.slot, run.slots, run.weight)

        line = Line(
            sorted(begun, key=lambda run: -run.priority),
            sorted(groups, key=lambda group: -group.priority),
            queued,
            self._busy,
            excluding,
        )
        return line, list(islice(line, max(limit, 0)))

    def settle(self, line: Line[str]) -> None:
        """Let the line become what it is after runs were taken."""
        for group in (*line.gone, *line.moved):
            del self._begun[group.priority, group.name]
        for group in (*line.moved, *line.stayed):
            self._begun[group.priority, group.name] = group.begun

    def _busy(self, slot: str) -> int:
        return sum(run.slot == slot and run.status not in ENDED and not is_free(run) for run in self._runs())
