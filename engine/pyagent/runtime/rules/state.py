"""What a frame remembers: iterations, the loops that run in them, and joins that are not met yet."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from types import MappingProxyType
from typing import Any, cast

from pyagent.runtime.rules.types import Delivery, StepId


class Status(IntEnum):
    """Where a node stands in one scope; a node without a status has been told nothing."""

    RUNNING = 1
    ENDED = 2
    SKIPPED = 3


# Looked up for each step: an enum's attribute takes longer than a name.
RUNNING, ENDED, SKIPPED = Status.RUNNING, Status.ENDED, Status.SKIPPED
# Most scopes have no joins and no loops of their own, and maps make a scope for each element.
_NONE = cast("dict[int, Any]", MappingProxyType[int, Any]({}))
_NOBODY: set[int] = cast("set[int]", frozenset[int]())


class Waiting:
    """A join of several edges in one scope. Kept after it was met only if edges may still deliver."""

    __slots__ = ("closed", "dead", "delivered", "deliveries", "met_at", "open", "ran")

    def __init__(self, edges: int, early: bool) -> None:
        """`early`: it may be met before all edges are closed (`any`, `N of M`)."""
        self.open = edges
        """Edges that are not closed yet."""
        self.deliveries: list[Delivery] = []
        """What came until the node ran, by the log."""
        self.met_at: int | None = None
        """How many steps had ended when it was decided, if it was: later entries change nothing."""
        self.ran = False
        """It was met by deliveries: what comes now is recorded as ignored."""
        self.dead = 0
        """For `any` and `N of M`: edges that closed without a delivery."""
        self.delivered: set[int] = set() if early else _NOBODY
        """For `any` and `N of M`: edges that delivered."""
        self.closed: set[int] = set() if early else _NOBODY
        """For `any` and `N of M`: edges that were closed when it was decided; ancestors are read from it."""

    def copy(self) -> Waiting:
        """An independent copy."""
        twin = Waiting(self.open, self.delivered is not _NOBODY)
        twin.deliveries = list(self.deliveries)
        twin.met_at, twin.ran = self.met_at, self.ran
        twin.dead = self.dead
        if self.delivered is not _NOBODY:
            twin.delivered = set(self.delivered)
            twin.closed = set(self.closed)
        return twin


class Iteration:
    """One scope: an iteration of a loop, or the frame's outermost scope (`loop` is None)."""

    __slots__ = ("back", "back_open", "doomed", "joins", "loop", "loops", "more", "path", "status")

    def __init__(self, path: tuple[int, ...], loop: LoopRun | None, back_edges: int) -> None:
        self.path = path
        self.loop = loop
        self.status: dict[int, Status] = {}
        """Of plain nodes by index, and of the header in its own loop's iteration."""
        self.joins: dict[int, Waiting] = _NONE
        """By node; a header's entry join is in the scope around its loop. `await_edges` adds to it."""
        self.loops: dict[int, LoopRun] = _NONE
        """Loops entered here, by header. `enter` adds to it."""
        self.back_open = back_edges
        """Back edges that are not closed yet, and the header's step if it has not ended."""
        self.back: list[Delivery] = []
        """What came back."""
        self.more = False
        """Whether the header's step said that it has more."""
        self.doomed: set[int] = _NOBODY
        """Nodes, here or in inner loops, that can only feed what is ignored (`losers: cancel`). `doom` adds to it."""

    def await_edges(self, node: int, edges: int, early: bool) -> Waiting:
        """Begin the join of a node; `early` as for `Waiting`."""
        if self.joins is _NONE:
            self.joins = {}
        join = self.joins[node] = Waiting(edges, early)
        return join

    def enter(self, header: int) -> LoopRun:
        """Begin the loop of a header."""
        if self.loops is _NONE:
            self.loops = {}
        loop = self.loops[header] = LoopRun(header, self)
        return loop

    def doom(self, nodes: Iterable[int]) -> None:
        """Mark nodes that can only feed what is ignored."""
        if self.doomed is _NOBODY:
            self.doomed = set()
        self.doomed.update(nodes)


class LoopRun:
    """One loop entered in one scope, with all its iterations."""

    __slots__ = ("done", "header", "iterations", "last", "open", "outer")

    def __init__(self, header: int, outer: Iteration) -> None:
        self.header = header
        self.outer = outer
        self.iterations: list[Iteration] = []
        self.open = 0
        """Nodes and inner loops of all iterations that have neither ended nor been skipped."""
        self.last = False
        """No further iteration will start."""
        self.done: list[StepId] = []
        """The header's steps that put something on `done`."""


def copied(root: Iteration) -> tuple[Iteration, dict[int, Iteration]]:
    """A copy of a tree of iterations, and the new iteration for the `id()` of each old one."""
    twins: dict[int, Iteration] = {}
    pending: list[tuple[Iteration, LoopRun | None]] = [(root, None)]
    while pending:
        old, loop = pending.pop()
        new = Iteration(old.path, loop, old.back_open)
        twins[id(old)] = new
        new.status = dict(old.status)
        if old.joins:
            new.joins = {node: join.copy() for node, join in old.joins.items()}
        new.back = list(old.back)
        new.more = old.more
        if old.doomed:
            new.doomed = set(old.doomed)
        if loop is not None:
            loop.iterations.append(new)
        for header, run in old.loops.items():
            twin = new.enter(header)
            twin.open, twin.last = run.open, run.last
            twin.done = list(run.done)
            pending.extend((iteration, twin) for iteration in reversed(run.iterations))
    return twins[id(root)], twins
