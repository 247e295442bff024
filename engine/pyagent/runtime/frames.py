"""What a run's state is made of: outcomes, frames, and maps or calls whose frames are being run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pyagent.runtime.failure import ErrorData
from pyagent.runtime.log import Outputs, StepKey, items_of
from pyagent.runtime.program import FrameProgram, NodeProgram, Program
from pyagent.runtime.reduce import Channels
from pyagent.runtime.rules import Frame
from pyagent.sdk.items import Item, Items, ItemSource


@dataclass(slots=True)
class Outcome:
    """How a step ended."""

    status: Literal["completed", "failed", "cancelled"]
    outputs: Outputs
    error: ErrorData | None = None


@dataclass(slots=True)
class FrameState:
    """One execution of a set of nodes."""

    name: str
    program: Program
    nodes: FrameProgram
    rules: Frame
    inputs: Mapping[str, Any]
    """`$inputs` in this frame."""
    entry: Items
    """What the frame's start puts out."""
    channels: Channels
    parent: StepKey | None = None
    element: int = 0
    calls: bool = False
    """The frame is a called graph, with outputs to evaluate and state of its own."""
    steps: dict[str, list[StepKey]] = field(default_factory=lambda: {})
    """Ended steps by node, in the order of the log."""
    closed: bool = False


@dataclass(slots=True)
class Expansion:
    """A map's or call's step whose frames are being run."""

    step: StepKey
    kind: Literal["map", "call"]
    elements: list[Items]
    parallel: int
    on_error: Literal["stop", "skip", "route"]
    program: Program
    nodes: FrameProgram
    calls: bool
    until: datetime | None = None
    """When the node's `timeout` ends it."""
    refused: Mapping[str, ErrorData] = field(default_factory=dict[str, ErrorData])
    """Elements that do not fit the called graph's inputs."""
    started: int = 0
    ended: int = 0
    results: dict[int, Items] = field(default_factory=dict[int, Items])
    errors: dict[int, ErrorData] = field(default_factory=dict[int, ErrorData])

    def frame(self, element: int) -> str:
        """The name of the frame of one element, or of the called graph."""
        return self.step.called_frame if self.kind == "call" else self.step.element_frame(element)


@dataclass(slots=True)
class Changes:
    """What follows from one entry."""

    # Made for each step: `list[StepKey]()` would take ten times as long as a display.
    ready: list[StepKey] = field(default_factory=lambda: [])
    skipped: list[StepKey] = field(default_factory=lambda: [])
    expanded: list[StepKey] = field(default_factory=lambda: [])
    """Map steps that ended with the entry."""
    cancel: list[tuple[StepKey, str]] = field(default_factory=lambda: [])
    """Running steps to cancel, and why: `loser` or `failed`."""
    finished: list[str] = field(default_factory=lambda: [])
    """Frames of graphs (the run's own, called ones) that ended and whose outputs are to be evaluated."""


def leaf_items(frame: FrameState, outcomes: Mapping[StepKey, Outcome]) -> Items:
    """What a body's last nodes put out, in the order of the file (SEMANTICS 15)."""
    parts = [
        items
        for node in frame.nodes.leaves
        for key in sorted(frame.steps.get(node, ()))
        for port, items in outcomes[key].outputs.items()
        if port != "error"
    ]
    return Items.concat(parts) if parts else Items.of(())


def expansion_outputs(expansion: Expansion, node: NodeProgram) -> Outputs:
    """What a map or call puts out when its frames have ended: their results in the order of the elements."""
    found: list[Item] = []
    offset = 0
    for element, items in enumerate(expansion.elements):
        sources = tuple(ItemSource(offset + number) for number in range(len(items)))
        offset += len(items)
        if (result := expansion.results.get(element)) is not None:
            found.extend(Item(item.json, item.binary, sources) for item in result)
    outputs: Outputs = {node.ports_out[0]: Items.of(found)} if found else {}
    if expansion.on_error == "route" and expansion.errors:
        errors = [
            {"error": error, "input": [item.json for item in expansion.elements[element]]}
            for element, error in sorted(expansion.errors.items())
        ]
        outputs["error"] = items_of(errors)
    return outputs
