"""Whose turn it is: the order in which workers take runs, the same in every store.

Higher priorities go first, strictly. Of one priority, runs that have begun (they wake, or their worker died) go first:
they hold what others wait for. Those that have not stand in line by groups (`settings.fairness`; without it a group for
each graph): the group in front begins one run, or as many as its weight says, and goes to the end of the line. So no
group waits for more turns than there are groups, however long the queue of another is (round robin; with weights its
deficit form, Shreedhar and Varghese 1995, where each run costs 1). Within a group the oldest run goes first; runs whose
slot is full (`settings.concurrency`) are passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any, Generic, NamedTuple, TypeVar

Key = TypeVar("Key")
"""How the store names a run here."""


@dataclass(eq=False, slots=True)
class Group:
    """A group that stands in line: its runs of one priority."""

    priority: int
    name: str
    place: int
    """In the line of its priority; the lowest is in front."""
    begun: int = 0
    """Runs that it has begun in this turn."""


class Begun(NamedTuple, Generic[Key]):
    """A run that somebody should go on with."""

    run: Key
    priority: int


class Queued(NamedTuple, Generic[Key]):
    """A run that nobody has begun."""

    run: Key
    slot: str | None
    slots: int
    weight: int


BLOCKED: Queued[Any] = Queued(None, "", 0, 1)
"""Stands for runs that were not read, since their slots are full: this one's always is."""


@dataclass(slots=True)
class _Queue(Generic[Key]):
    """What is left of a group's runs."""

    rows: Iterator[Queued[Key]]
    next: Queued[Key] | None = None
    passed: bool = False
    """Runs whose slot is full, or that are left to others, were passed over."""

    @property
    def left(self) -> bool:
        return self.next is not None or self.passed


@dataclass(slots=True)
class Line(Generic[Key]):
    """Yields runs in their order, as if each were taken at once. What becomes of the line by that is told in `moved`,
    `stayed` and `gone`, up to the run that was yielded last; the store is not changed."""

    begun: Sequence[Begun[Key]]
    """Those with the highest priority first."""
    groups: Iterable[Group]
    """Those with the highest priority first, and of one priority in the order of their places."""
    runs_of: Callable[[Group], Iterator[Queued[Key]]]
    """The group's queued runs, oldest first."""
    busy: Callable[[str], int]
    """How many runs have the slot."""
    excluding: Collection[Key] = ()
    """Runs that are left to others."""
    moved: dict[Group, None] = field(default_factory=dict[Group, None])
    """Groups that go to the end of the line, in this order."""
    stayed: dict[Group, None] = field(default_factory=dict[Group, None])
    """Groups in the middle of a turn."""
    gone: dict[Group, None] = field(default_factory=dict[Group, None])
    """Groups without a queued run."""
    _queues: dict[Group, _Queue[Key]] = field(default_factory=dict[Group, _Queue[Key]])
    _busy: dict[str, int] = field(default_factory=dict[str, int])
    _left_out: set[Key] = field(default_factory=set[Key])

    def __iter__(self) -> Iterator[Key]:
        begun = deque(run for run in self.begun if run.run not in self.excluding)
        self._left_out = {*self.excluding, *(run.run for run in begun)}
        for priority, groups in groupby(self.groups, lambda group: group.priority):
            while begun and begun[0].priority >= priority:
                yield begun.popleft().run
            again: deque[Group] = deque()
            for group in chain(groups, _drained(again)):
                yield from self._turn(group, again)
        yield from (run.run for run in begun)

    def _turn(self, group: Group, again: deque[Group]) -> Iterator[Key]:
        queue = self._queues.get(group)
        if queue is None:
            queue = self._queues[group] = _Queue(self.runs_of(group))
            queue.next = next(queue.rows, None)
        # Whoever takes the runs may stop after any of them: all is told before it is yielded.
        while (run := self._take(queue)) is not None:
            group.begun += 1
            over = group.begun >= run.weight or not queue.left
            if not queue.left:
                self._tell(group, self.gone)
            elif over:
                self._tell(group, self.moved)
                again.append(group)
            else:
                self._tell(group, self.stayed)
            yield run.run
            if over:
                return
        if not queue.left:
            self._tell(group, self.gone)
        elif group.begun:
            self._tell(group, self.moved)

    def _take(self, queue: _Queue[Key]) -> Queued[Key] | None:
        while (run := queue.next) is not None:
            queue.next = next(queue.rows, None)
            if run is BLOCKED or run.run in self._left_out:
                queue.passed = True
                continue
            if run.slot is None:
                return run
            if run.slot not in self._busy:
                self._busy[run.slot] = self.busy(run.slot)
            if self._busy[run.slot] < run.slots:
                self._busy[run.slot] += 1
                return run
            queue.passed = True
        return None

    def _tell(self, group: Group, what: dict[Group, None]) -> None:
        for other in (self.moved, self.stayed, self.gone):
            other.pop(group, None)
        what[group] = None
        if what is not self.stayed:
            group.begun = 0


def _drained(groups: deque[Group]) -> Iterator[Group]:
    while groups:
        yield groups.popleft()
