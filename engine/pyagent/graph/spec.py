"""What a graph file says, as frozen pydantic models; how it is written in YAML is the subject of `graph.yaml`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from pyagent.graph.json_types import JsonType
from pyagent.graph.parts import Duration, Edge, EdgeField, Id, Join, JoinField, Use, UseField

FORMAT = 1
"""The format version that this engine reads and writes (`pyagent: 1`)."""

Effects = Literal["none", "idempotent", "once"]
Reducer = Literal["replace", "append", "add", "merge", "union", "max", "min", "first"]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


def _version(value: Any) -> int:
    if type(value) is not int or value != FORMAT:
        raise PydanticCustomError(
            "graph.version.unsupported", "format version {value} is not known", {"value": repr(value)}
        )
    return FORMAT


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise PydanticCustomError("duration", "must be longer than nothing")
    return value


def _timezone(value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("timezone", "{text} is not a time zone", {"text": repr(value)}) from None
    return value


def _pins(value: Any) -> Any:
    """A list of items is short for the first port's items."""
    ports = list(cast("Object", value).values()) if isinstance(value, dict) else [value]
    for items in ports:
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in cast(list[Any], items)):
            raise PydanticCustomError("pins", "a pin is a list of objects, or {port: list of objects}")
    return cast(Any, value)


LongerThanZero = Annotated[Duration, AfterValidator(_positive)]
Pin = Annotated[
    Any,
    BeforeValidator(_pins),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "object"}},
                {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}},
            ]
        }
    ),
]
Object = dict[str, Any]


class StateChannel(_Model):
    """A typed channel of the run's state with the way in which writes meet (SEMANTICS 16)."""

    type: JsonType = Field(description="JSON type of the channel's value")
    reduce: Reducer = Field(default="replace", description="How a write meets the value that is there")
    default: Any = Field(default=None, description="Value before the first write")
    migrate: Any = Field(
        default=None,
        description="What it begins with where the version before had no such channel, or one of another type: "
        "templates that read the state of then as $state",
    )
    description: str | None = None


class RetrySpec(_Model):
    """When a failed try is made again (SEMANTICS 17)."""

    attempts: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        default=1, description="Tries in all, the first included"
    )
    backoff: Literal["fixed", "exponential"] = Field(default="fixed", description="How the pause grows from try to try")
    initial: Duration = Field(default=timedelta(seconds=1), description="Pause before the second try")
    max: LongerThanZero | None = Field(default=None, description="Longest pause")
    jitter: StrictBool = Field(default=False, description="Spread the pauses by chance")
    on: tuple[str, ...] = Field(default=(), description="Error codes that are tried again; none named: all")


class LoopSpec(_Model):
    """The bound of the loop that the node heads (SEMANTICS 12)."""

    max: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = Field(default=1000, description="Iterations allowed")


class CacheSpec(_Model):
    """Keep the node's outcome for equal input; only for effects `none` and `idempotent`."""

    ttl: LongerThanZero = Field(description="How long an outcome is reused")


class RunsOn(_Model):
    """Which peers may run the node."""

    labels: tuple[str, ...] = Field(default=(), description="Labels that the peer must have")


class Concurrency(_Model):
    """How many runs with the same key may be alive at once."""

    key: str = Field(description="Expression over $inputs")
    limit: Annotated[StrictInt, Field(ge=1)] = 1


class Fairness(_Model):
    """Which queued runs of one priority take turns with which others."""

    key: str | None = Field(
        default=None,
        description="Expression over $inputs: runs with the same value, of whatever graph, are one group;"
        " the graph's own runs if left out",
    )
    weight: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        default=1, description="How many runs of a group begin in a turn"
    )


class Settings(_Model):
    """What holds for the whole graph."""

    mode: Literal["native"] = Field(default="native", description="The rules the graph runs by")
    timeout: LongerThanZero | None = Field(default=None, description="Longest time a run may take, waits included")
    durability: Literal["sync", "exit"] = Field(default="sync", description="When outcomes are committed")
    parallel: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Steps with effects that may run at once; 64 if left out"
    )
    max_steps: Annotated[StrictInt, Field(ge=1)] = Field(default=100_000, description="Steps a run may have")
    timezone: Annotated[str, AfterValidator(_timezone)] | None = Field(
        default=None, description="Time zone of expressions; UTC if left out"
    )
    concurrency: Concurrency | None = None
    priority: Annotated[StrictInt, Field(ge=-1000, le=1000)] | None = Field(
        default=None,
        description="Queued runs with a higher one begin first; if left out the calling run's, or 0",
    )
    fairness: Fairness | None = None
    on_failure: Id | None = Field(default=None, description="Id of the graph to run when a run fails")


class Body(_Model):
    """An inline graph: what `flow.map` runs for each item (SEMANTICS 15). No edge crosses it."""

    nodes: tuple[NodeSpec, ...] = ()
    edges: tuple[EdgeField, ...] = ()


class NodeSpec(_Model):
    """One node."""

    id: Id = Field(description="Stable; unique in the file, bodies included")
    use: UseField = Field(description="Node type @ major version")
    name: str | None = Field(default=None, description="What people see; expressions may use it")
    params: Object = Field(default_factory=dict, alias="with", description="The node type's parameters")
    body: Body | None = Field(default=None, description="What `flow.map` runs for each item")
    effects: Effects | None = Field(default=None, description="The node type's own word if left out")
    retry: RetrySpec | None = None
    timeout: LongerThanZero | None = Field(default=None, description="Longest time of one try")
    idle_timeout: LongerThanZero | None = Field(default=None, description="Longest time of one try without progress")
    on_error: Literal["stop", "continue", "route"] = Field(
        default="stop", description="What happens when tries are used up"
    )
    on_unknown: Literal["ask", "retry", "fail"] = Field(
        default="ask", description="What happens when nobody knows whether a `once` try took place"
    )
    join: JoinField = Field(default=Join(), description="How several incoming edges are awaited")
    losers: Literal["ignore", "cancel"] = Field(
        default="ignore", description="What happens to steps whose deliveries come too late"
    )
    loop: LoopSpec | None = Field(default=None, description="Bound of the loop that this node heads")
    cache: CacheSpec | None = None
    runs_on: RunsOn | None = None
    write: Object = Field(default_factory=dict, description="State channel: expression")
    always_output: StrictBool = Field(default=False, description="An empty first port delivers one empty item")
    disabled: StrictBool = Field(default=False, description="The node passes its items through")
    notes: str | None = None

    @property
    def label(self) -> str:
        """What people see: the name, else the id."""
        return self.name or self.id


Color = Literal["blue", "green", "yellow", "orange", "red", "purple", "gray"]
"""The colours that the designer has; what they look like is its own affair, light or dark."""
Spot = tuple[int | float, int | float]
"""A place in the picture: x to the right, y down."""
_Length = Annotated[int | float, Field(gt=0)]
Extent = tuple[_Length, _Length]
"""Width and height in the picture."""


class NoteSpec(_Model):
    """Words that stand in the picture beside the nodes."""

    text: str = Field(description="Markdown")
    at: Spot = Field(description="Where its upper left corner is")
    size: Extent = Field(description="Width and height")
    color: Color | None = None


class FrameSpec(_Model):
    """A box drawn behind nodes that belong together; it means nothing to a run."""

    title: str = ""
    at: Spot = Field(description="Where its upper left corner is")
    size: Extent = Field(description="Width and height")
    color: Color | None = None


class Canvas(_Model):
    """What the designer draws beside the nodes themselves; no run sees it."""

    notes: dict[Id, NoteSpec] = Field(default_factory=dict, description="Notes by id")
    frames: dict[Id, FrameSpec] = Field(default_factory=dict, description="Frames by id")
    colors: dict[str, Color] = Field(default_factory=dict, description="Colours of nodes, by the node's id")


class Place(NamedTuple):
    """A node and where it stands: its path in the file and the body it is in."""

    path: tuple[str | int, ...]
    """Such as `("nodes", 3, "body", "nodes", 0)`."""
    node: NodeSpec
    owner: str | None
    """Id of the node whose body holds it; None at the top."""


class GraphSpec(_Model):
    """A graph file, format 1. Frozen: change it with `model_copy(update=...)`."""

    pyagent: Annotated[Literal[1], BeforeValidator(_version), Field(description="Format version")]
    id: Id = Field(description="Stable; names may change, ids may not")
    name: str | None = None
    description: str | None = None
    inputs: dict[str, Object] = Field(default_factory=dict, description="JSON Schema properties of the run's inputs")
    outputs: dict[str, Any] = Field(default_factory=dict, description="Templates evaluated when the run has ended")
    state: dict[str, StateChannel] = Field(default_factory=dict, description="Typed channels with reducers")
    settings: Settings = Settings()
    nodes: tuple[NodeSpec, ...] = ()
    edges: tuple[EdgeField, ...] = ()
    pins: dict[str, Pin] = Field(default_factory=dict, description="Test data pinned to nodes")
    layout: dict[str, Spot] = Field(default_factory=dict, description="Where the designer draws nodes")
    canvas: Canvas = Field(default=Canvas(), description="Notes, frames and colours that the designer draws")

    def places(self) -> Iterator[Place]:
        """Every node, bodies included, in the order of the file."""
        yield from _places(self.nodes, ("nodes",), None)

    @cached_property
    def by_id(self) -> dict[str, NodeSpec]:
        """Every node by its id, bodies included; of equal ids the first."""
        found: dict[str, NodeSpec] = {}
        for place in self.places():
            found.setdefault(place.node.id, place.node)
        return found

    def inputs_schema(self) -> Object:
        """The JSON Schema of the run's inputs. An input without a `default` is required."""
        required = [name for name, schema in self.inputs.items() if "default" not in schema]
        return {
            "type": "object",
            "properties": dict(self.inputs),
            "required": required,
            "additionalProperties": False,
        }

    def to_data(self) -> Object:
        """The canonical form as plain JSON data: keys in the order of the format, defaults left out."""
        data = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        shown = {key: value for key, value in data.items() if key in _ALWAYS or value not in ({}, [], None)}
        # A graph that was only just made says that it has no nodes.
        found = {"pyagent": FORMAT, "id": self.id, "nodes": list[Any]()} | shown
        return {key: found[key] for key in type(self).model_fields if key in found}

    def hash(self) -> str:
        """BLAKE3, in 64 hex digits, of the canonical form without comments, pins and what is drawn (SEMANTICS 23)."""
        from pyagent.native import blake3_hex

        data = self.to_data()
        for key in ("pins", *DRAWN):
            data.pop(key, None)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return blake3_hex(text.encode("utf-8", "surrogatepass"))


DRAWN = ("layout", "canvas")
"""The parts of a file that say how the designer draws the graph, and nothing about what it does."""
_ALWAYS = ("pyagent", "id", "nodes")


def _places(nodes: tuple[NodeSpec, ...], path: tuple[str | int, ...], owner: str | None) -> Iterator[Place]:
    for index, node in enumerate(nodes):
        here = (*path, index)
        yield Place(here, node, owner)
        if node.body is not None:
            yield from _places(node.body.nodes, (*here, "body", "nodes"), node.id)


__all__ = [
    "DRAWN",
    "FORMAT",
    "Body",
    "CacheSpec",
    "Canvas",
    "Color",
    "Concurrency",
    "Edge",
    "Effects",
    "FrameSpec",
    "GraphSpec",
    "Join",
    "JsonType",
    "LoopSpec",
    "NodeSpec",
    "NoteSpec",
    "Place",
    "Reducer",
    "RetrySpec",
    "RunsOn",
    "Settings",
    "StateChannel",
    "Use",
]
