"""What a run's state is made of: outcomes, frames, and maps or calls whose frames are being run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, Literal, cast

from pyagent.graph.spec import Body
from pyagent.runtime.failure import ErrorData
from pyagent.runtime.log import Outputs, StepKey, items_of
from pyagent.runtime.program import FrameProgram, NodeProgram, Program
from pyagent.runtime.reduce import Channels
from pyagent.runtime.rules import Frame, StepId
from pyagent.sdk.items import Item, Items, ItemSource

NO_ITEMS = Items.of(())
new_key = cast("Callable[[type[StepKey], tuple[object, ...]], StepKey]", tuple[object, ...].__new__)
"""Makes a step's key of its parts in half the time that `StepKey(...)` takes."""
_FEW = 16
"""Items of one element's result that are taken out of their pages at once."""


def key_in(frame: str, step: StepId) -> StepKey:
    """The key of a frame's step."""
    return new_key(StepKey, (frame, *step))


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
    shares: bool = False
    """`channels` are those of the frame around: nothing in this one writes."""
    passes: bool = False
    """The frame is a graph that was called with items: what its last nodes put out is the call's."""
    steps: dict[str, list[StepKey]] = field(default_factory=lambda: {})
    """Ended steps by node, in the order of the log."""
    closed: bool = False


@dataclass(slots=True, kw_only=True)
class Expansion:
    """A map's or call's step whose frames are being run.

    A map may have very many elements: one that waits is kept as its items, one that has ended as its result.
    """

    step: StepKey
    kind: Literal["map", "call"]
    elements: list[Item | Items]
    """What the frames begin with, a single item as it is; of elements with a result nothing is left."""
    starts: Sequence[int]
    """Where the items of each element begin among those of all."""
    parallel: int
    on_error: Literal["stop", "skip", "route"]
    program: Program
    nodes: FrameProgram
    calls: bool
    shares: bool
    """Nothing in the body writes state."""
    until: datetime | None = None
    """When the node's `timeout` ends it."""
    refused: Mapping[str, ErrorData] = field(default_factory=dict[str, ErrorData])
    """Elements that do not fit the called graph's inputs."""
    inputs: Mapping[str, Any] | None = None
    """`$inputs` of a graph that is called with items, whose last nodes' items are the result. None: they are what the
    first item says, and the result is an item of the graph's outputs."""
    started: int = 0
    ended: int = 0
    opening: bool = False
    """Frames are being opened. One that ends at once leaves it to who opened it to open the next."""
    prefix: str = ""
    """Of the names of a map's frames."""
    kept: dict[int, str] = field(default_factory=lambda: {})
    """Names of the frames that the state holds, by element."""
    results: dict[int, Item | list[Item] | Items] = field(default_factory=lambda: {})
    writes: dict[int, list[tuple[str, Any]]] = field(default_factory=lambda: {})
    """What ended elements have written to the state."""
    errors: dict[int, ErrorData] = field(default_factory=lambda: {})

    def frame(self, element: int) -> str:
        """The name of the frame of one element, or of the called graph."""
        if self.kind == "call":
            return self.step.called_frame
        if not self.prefix:
            self.prefix = self.step.element_frame(0)[:-2]
        return f"{self.prefix}{element}]"

    def entry(self, element: int) -> Items:
        """What the frame of an element without a result begins with."""
        found = self.elements[element]
        return Items.of((found,)) if isinstance(found, Item) else found

    def keep(self, element: int, result: Items) -> None:
        """Keep what an element has put out."""
        size = len(result)
        if size > _FEW:
            self.results[element] = result
            return
        if size == 1:
            item = result[0]
            self.results[element] = Item(item.json, item.binary, self._sources(element))
        else:
            self.results[element] = list(self._derived(element, result))
        self.elements[element] = NO_ITEMS

    def all_results(self) -> Iterable[Item]:
        """The results in the order of the elements. Each item comes from all items of its element."""
        for element in sorted(self.results):
            match self.results[element]:
                case Item() as item:
                    yield item
                case list() as items:
                    yield from items
                case Items() as items:
                    yield from self._derived(element, items)

    def _sources(self, element: int) -> tuple[ItemSource, ...]:
        found, start = self.elements[element], self.starts[element]
        if isinstance(found, Item):
            return (ItemSource(start),)
        return tuple([ItemSource(start + number) for number in range(len(found))])

    def _derived(self, element: int, result: Items) -> Iterable[Item]:
        sources = self._sources(element)
        for item in result:
            yield Item(item.json, item.binary, sources)


def compact(elements: Iterable[Items]) -> tuple[list[Item | Items], Sequence[int]]:
    """Elements as an expansion holds them, and where the items of each begin among those of all."""
    found = [items[0] if len(items) == 1 else items for items in elements]
    if all(isinstance(items, Item) for items in found):
        return found, range(len(found))
    sizes = (1 if isinstance(items, Item) else len(items) for items in found)
    return found, list(accumulate(sizes, initial=0))


@dataclass(slots=True, init=False)
class Changes:
    """What follows from one entry."""

    ready: list[StepKey]
    skipped: list[StepKey]
    expanded: list[StepKey]
    """Map steps that ended with the entry."""
    cancel: list[tuple[StepKey, str]]
    """Running steps to cancel, and why: `loser` or `failed`."""
    finished: list[str]
    """Frames of graphs (the run's own, called ones) that ended and whose outputs are to be evaluated."""

    def __init__(self, finished: Iterable[str] = ()) -> None:
        # Made for each step: what a dataclass would make of default factories takes three times as long.
        self.ready = []
        self.skipped = []
        self.expanded = []
        self.cancel = []
        self.finished = [*finished]


def writes_inside(body: Body | None) -> bool:
    """Whether a node of the body, or of one inside it, writes state."""
    return body is not None and any(node.write or writes_inside(node.body) for node in body.nodes)


def leaf_items(frame: FrameState, outcomes: Mapping[StepKey, Outcome]) -> Items:
    """What a body's last nodes put out, in the order of the file (SEMANTICS 15)."""
    parts = [items for _, items in _leaf_parts(frame, outcomes)]
    return Items.concat(parts) if parts else NO_ITEMS


def leaf_item(frame: FrameState, outcomes: Mapping[StepKey, Outcome], index: int) -> tuple[StepKey, Item] | None:
    """Of `leaf_items` the one at that index, with the step that put it out; None where there are not so many."""
    for key, items in _leaf_parts(frame, outcomes):
        if index < len(items):
            return key, items[index]
        index -= len(items)
    return None


def _leaf_parts(frame: FrameState, outcomes: Mapping[StepKey, Outcome]) -> Iterable[tuple[StepKey, Items]]:
    for node in frame.nodes.leaves:
        steps = frame.steps.get(node, ())
        for key in sorted(steps) if len(steps) > 1 else steps:
            for port, items in outcomes[key].outputs.items():
                if port != "error":
                    yield key, items


def expansion_outputs(expansion: Expansion, node: NodeProgram) -> Outputs:
    """What a map or call puts out when its frames have ended: their results in the order of the elements."""
    found = Items.of(expansion.all_results())
    outputs: Outputs = {node.ports_out[0]: found} if len(found) else {}
    if expansion.on_error == "route" and expansion.errors:
        errors = [
            {"error": error, "input": [item.json for item in expansion.entry(element)]}
            for element, error in sorted(expansion.errors.items())
        ]
        outputs["error"] = items_of(errors)
    return outputs
