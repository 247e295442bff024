"""The run's log: every entry that a decision may depend on (SEMANTICS 14), and how it is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import orjson

from pyagent.runtime.rules.types import StepId
from pyagent.sdk.items import Item, Items

EntryKind = Literal[
    "run.started",
    "run.cancel",
    "run.pause",
    "run.resume",
    "run.adopted",
    "run.ended",
    "step.begun",
    "step.tried",
    "step.item",
    "step.ended",
    "step.parked",
    "step.answered",
    "step.unknown",
    "step.expanded",
    "step.reused",
    "frame.ended",
]


class StepKey(NamedTuple):
    """A step in its run (SEMANTICS 9): the frame it is in, its node, and the iterations inside the frame.

    The run's own frame is `""`; the frame of element 3 of the map step `each` is `each[3]`, that of a called graph
    `call()`.
    """

    frame: str
    node: str
    scope: tuple[int, ...] = ()

    @property
    def id(self) -> StepId:
        """The step inside its frame, as the rules know it."""
        return StepId(self.node, self.scope)

    @property
    def called_frame(self) -> str:
        """The name of the frame of the graph that this step calls."""
        return f"{self}()"

    def element_frame(self, element: int) -> str:
        """The name of the frame that this map's step runs for one element."""
        return f"{self}[{element}]"

    def is_in(self, frame: str) -> bool:
        """Whether the step is in the frame, or in one inside it."""
        return not frame or self.frame == frame or self.frame.startswith(f"{frame}/")

    def is_inside(self, step: StepKey) -> bool:
        """Whether the step is in a frame that `step`, a map's or call's, runs."""
        return self.frame.startswith((f"{step}[", step.called_frame))

    @classmethod
    def owner_of(cls, frame: str) -> StepKey:
        """The map's step that runs an element's frame."""
        return cls.parse(frame.rpartition("[")[0])

    def __str__(self) -> str:
        place = f"{self.frame}/{self.node}" if self.frame else self.node
        return f"{place}@{'.'.join(map(str, self.scope))}" if self.scope else place

    @classmethod
    def parse(cls, text: str) -> StepKey:
        """The reverse of `str`."""
        frame, _, step = text.rpartition("/")
        node, _, scope = step.partition("@")
        return cls(frame, node, tuple(map(int, scope.split("."))) if scope else ())


Outputs = dict[str, Items]


@dataclass(slots=True)
class Entry:
    """One entry. `outputs` holds items by port, for the kinds that have any; everything else is JSON in `data`."""

    kind: EntryKind
    step: StepKey | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    outputs: Outputs | None = None
    id: str = ""
    """Where an entry may come twice (from a task and from LangGraph's saved writes), what tells that it is the same."""

    @property
    def called_graph(self) -> str | None:
        """Hash of the version of the graph that the step called by this entry; None where it called none."""
        return self.data.get("graph") if self.kind == "step.expanded" else None

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON."""
        found: dict[str, Any] = {"kind": self.kind, "data": self.data}
        if self.step is not None:
            found["step"] = str(self.step)
        if self.id:
            found["id"] = self.id
        if self.outputs is not None:
            found["outputs"] = {port: [item.as_dict() for item in items] for port, items in self.outputs.items()}
        return found

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Entry:
        """The reverse of `as_dict`."""
        outputs = value.get("outputs")
        return cls(
            value["kind"],
            StepKey.parse(value["step"]) if "step" in value else None,
            dict(value["data"]),
            {port: Items.of(map(Item.from_dict, items)) for port, items in outputs.items()}
            if outputs is not None
            else None,
            value.get("id", ""),
        )


# What orjson would turn into text by itself would be one thing before a restart and another after it.
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_APPEND_NEWLINE


def _unserializable(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} is not JSON")


def encode(value: Any) -> bytes:
    """JSON bytes; integers beyond 64 bits, times and other objects are refused. Raises `TypeError`."""
    # orjson gives no memory back: what it returns takes up 4 kB or more, of which a copy takes what it needs. To cut
    # off a newline is the cheapest way to have one made.
    return orjson.dumps(value, default=_unserializable, option=_PLAIN)[:-1]


def plain(value: Any) -> Any:
    """The value as JSON can hold it; what is not JSON becomes text. For what people read, such as logs."""
    try:
        return decode(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        # Integers beyond 64 bits, keys that are objects.
        return json.loads(json.dumps(value, default=str, skipkeys=True))


def decode(body: bytes) -> Any:
    """The reverse of `encode`."""
    return orjson.loads(body)


def timestamp(value: datetime) -> str:
    """A time as the log writes it: ISO 8601."""
    # One or two for each step: orjson writes the same in a third of the time.
    return orjson.dumps(value)[1:-1].decode() if value.tzinfo is UTC else value.isoformat()


def one_item(json: Mapping[str, Any]) -> Items:
    """A delivery of one item."""
    return Items.of([Item(dict(json))])


def items_of(values: Sequence[Mapping[str, Any]]) -> Items:
    """A delivery from JSON objects."""
    return Items.of(Item(dict(value)) for value in values)
