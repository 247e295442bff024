"""What goes into the rules and what comes out of them.

A **frame** is one execution of one node set: the run itself, one element of a map's body, or one called graph.
The rules below work inside one frame; `StepId.scope` is the path of loop iterations in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

JoinKind = Literal["all", "any", "count"]


@dataclass(frozen=True, slots=True)
class Join:
    """How a node awaits its incoming edges (SEMANTICS 4)."""

    kind: JoinKind = "all"
    count: int = 0
    """N of `N of M`; 0 for the other kinds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRule:
    """What the rules need to know of a node."""

    id: str
    join: Join = Join()
    loop_max: int | None = 1000
    """Iterations a loop headed by this node may have; None: bounded by its own batches (`flow.loop`)."""
    cancel_losers: bool = False
    """`losers: cancel`: steps that could only have fed an ignored delivery are cancelled."""
    done_port: str | None = "done"
    """The port that delivers when the loop headed by this node has ended."""


@dataclass(frozen=True, slots=True)
class EdgeRule:
    """An edge of the file; its index in the file's list is its identity and its order."""

    source: str
    source_port: str
    target: str
    target_port: str = "in"


class StepId(NamedTuple):
    """A step inside its frame: the node and the path of iterations (from 1) it is in."""

    node: str
    scope: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.node}@{'.'.join(map(str, self.scope))}" if self.scope else self.node


class Delivery(NamedTuple):
    """One delivery that a step sees: the index of the edge it came by and the step that put it there.

    The frame's input is `Delivery(INPUT, StepId(""))`: it came by no edge and from no step.
    """

    edge: int
    source: StepId


@dataclass(slots=True)
class Ready:
    """A step that may start, with the deliveries it sees in the order of SEMANTICS 3."""

    step: StepId
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """The rules themselves fail the run."""

    code: str
    """`run.loop_limit` or `run.max_steps`."""
    node: str
    message: str


@dataclass(slots=True, init=False)
class Decisions:
    """What follows from one entry of the log, in the order in which it was decided."""

    ready: list[Ready]
    skipped: list[StepId]
    ignored: list[tuple[Delivery, StepId]]
    """Deliveries that came after their target (second part) had run."""
    losers: list[StepId]
    """Started steps that may be cancelled: they could only have fed ignored deliveries. One may be in `ready`, too."""
    failure: RuleFailure | None
    ended: bool
    """Nothing runs, waits or can start any more."""

    def __init__(self) -> None:
        # Made for each step: what a dataclass would make of default factories takes three times as long.
        self.ready = []
        self.skipped = []
        self.ignored = []
        self.losers = []
        self.failure = None
        self.ended = False


INPUT = -1
"""In place of an edge's index: what feeds the roots of a frame (the trigger's item, a map's element)."""
