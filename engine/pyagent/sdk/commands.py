"""What a node may return instead of items: wait for the world, run a body for each element, call a graph.

The engine carries a command out; the node's process is not held while it lasts. When a `Wait` has been answered,
the node's function runs again with `ctx.answer` set (as in LangGraph, where an interrupted node runs again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pyagent.sdk.items import Item, Items


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Park the step until it is answered: by the time, a signal, a person."""

    kind: Literal["time", "signal", "approval", "form", "webhook"]
    until: datetime | None = None
    """For `time`: when it ends. For the others: when waiting gives up (answer kind `timeout`)."""
    signal: str = ""
    """Name of the signal awaited."""
    key: str = ""
    """Correlation key: only a signal sent with the same key is an answer."""
    title: str = ""
    """What a person is asked, one line."""
    prompt: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a person is shown before answering; it is recorded with the answer (SEMANTICS 21)."""
    response_schema: Mapping[str, Any] | None = None
    """JSON Schema of the answer's `value`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What ended a wait."""

    kind: Literal["time", "signal", "approval", "form", "webhook", "timeout"]
    value: Any = None
    """The signal's payload; for an approval `{"approved": bool, "comment": str}`."""
    actor: str = ""
    """Who answered."""
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Map:
    """Run the node's body once for each element, at most `parallel` at once (SEMANTICS 15)."""

    elements: Sequence[Sequence[Item]]
    parallel: int = 8
    on_error: Literal["stop", "skip", "route"] = "stop"
    graph: str | None = None
    """Run this graph for each element instead of the node's own body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """Run another graph; waited for, it is part of the same run in a deeper scope."""

    graph: str
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wait: bool = True
    on_parent: Literal["abandon", "cancel"] = "abandon"
    """For a call that is not waited for: what becomes of it when the caller's run is cancelled."""
    items: Sequence[Item] | None = None
    """For a call that is waited for: what the graph's first nodes get. What its last nodes put out then comes out, as
    of a map's body. None: one item of the inputs goes in, and one of the outputs comes out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """End the run here, as completed or as failed."""

    status: Literal["completed", "failed"] = "completed"
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """End the run here, as completed, and start its successor, exactly once: a service that goes on for ever begins
    anew from time to time, so that no history grows without bound (SEMANTICS 12).

    The successor has the run's owner, actor, labels and start key, and is a production or a test run as it is.
    """

    inputs: Mapping[str, Any] | None = None
    """The successor's inputs; None: the same."""
    items: Sequence[Item] | None = None
    """What its trigger puts out; None: what it puts out for the inputs."""
    state: Mapping[str, Any] | None = None
    """What its state channels begin with, those left out as the graph says; None: all as they are now."""
    version: Literal["newest", "same"] = "newest"
    """Which version of the graph it runs, and of the graphs that this one calls."""


@dataclass(frozen=True, slots=True)
class LoopView:
    """What a loop's header knows of its loop."""

    iteration: int
    """From 1."""
    entry: Items
    """What started the loop (iteration 1's input)."""
    returned: Sequence[Items]
    """What came back after each ended iteration, in order; `iteration - 1` of them."""


Command = Wait | Map | Call | Stop | Restart
