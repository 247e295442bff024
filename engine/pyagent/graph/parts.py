"""Small values of the graph file that are written as one string: an edge, a join, a node type with its version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from pyagent.graph.duration import format_duration, parse_duration

ID_PATTERN = r"[a-z][a-z0-9_]*"
PORT_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
TYPE_PATTERN = r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*"

_END = re.compile(rf"\s*({ID_PATTERN})(?:\.({PORT_PATTERN}))?\s*")
_USE = re.compile(rf"({TYPE_PATTERN})@([1-9][0-9]{{0,5}})")
_COUNT = re.compile(r"([0-9]{1,6})\s+of\s+([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge `source.port -> target.port`; a port of None is the first one of its node."""

    source: str
    source_port: str | None
    target: str
    target_port: str | None

    def __str__(self) -> str:
        left = f"{self.source}.{self.source_port}" if self.source_port else self.source
        right = f"{self.target}.{self.target_port}" if self.target_port else self.target
        return f"{left} -> {right}"


@dataclass(frozen=True, slots=True)
class Join:
    """How a node awaits its incoming edges: `all`, `any`, or `count` of `of`."""

    kind: Literal["all", "any", "count"] = "all"
    count: int = 0
    """N of `N of M`; 0 for the other kinds."""
    of: int = 0
    """M of `N of M`; 0 for the other kinds."""

    def __str__(self) -> str:
        return f"{self.count} of {self.of}" if self.kind == "count" else self.kind


@dataclass(frozen=True, slots=True)
class Use:
    """A node type at a major version: `flow.switch@1`."""

    type: str
    version: int

    def __str__(self) -> str:
        return f"{self.type}@{self.version}"


def parse_edge(text: str) -> Edge:
    """The edge that `text` names; raises `ValueError` (`PydanticCustomError`, type `graph.edge.syntax`)."""
    left, arrow, right = text.partition("->")
    source, target = _END.fullmatch(left), _END.fullmatch(right)
    if not arrow or source is None or target is None:
        raise PydanticCustomError("graph.edge.syntax", "{text} is not an edge", {"text": repr(text)})
    return Edge(source[1], source[2], target[1], target[2])


def _edge(value: Any) -> Edge:
    if isinstance(value, Edge):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("graph.edge.syntax", "an edge is a string")
    return parse_edge(value)


def _join(value: Any) -> Join:
    if isinstance(value, Join):
        return value
    if value == "all" or value == "any":
        return Join(value)
    if isinstance(value, str) and (found := _COUNT.fullmatch(value.strip())):
        return Join("count", int(found[1]), int(found[2]))
    raise PydanticCustomError("join", "a join is `all`, `any` or `N of M`, such as `2 of 3`")


def _use(value: Any) -> Use:
    if isinstance(value, Use):
        return value
    if isinstance(value, str) and (found := _USE.fullmatch(value)):
        return Use(found[1], int(found[2]))
    raise PydanticCustomError("use", "`use` names a node type and its major version, such as `flow.switch@1`")


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise PydanticCustomError("duration", "{text}", {"text": str(error)}) from None
    raise PydanticCustomError("duration", "a duration is a number with a unit, such as 500ms, 2s, 1m or 1h30m")


def _node_id(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(ID_PATTERN, value):
        return value
    raise PydanticCustomError("graph.id.invalid", "{text} is not an id", {"text": repr(value)})


DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["500ms", "2s", "1m", "1h30m"]}),
]
EdgeField = Annotated[
    Edge,
    BeforeValidator(_edge),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*{ID_PATTERN}(\.{PORT_PATTERN})?\s*->\s*{ID_PATTERN}(\.{PORT_PATTERN})?\s*$",
            "examples": ["fetch -> parse", "decide.urgent -> page.in"],
        }
    ),
]
JoinField = Annotated[
    Join,
    BeforeValidator(_join),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"enum": ["all", "any"]}, {"type": "string", "pattern": r"^\d+\s+of\s+\d+$"}], "default": "all"}
    ),
]
UseField = Annotated[
    Use,
    BeforeValidator(_use),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{TYPE_PATTERN}@[1-9][0-9]*$"}),
]
Id = Annotated[str, BeforeValidator(_node_id), WithJsonSchema({"type": "string", "pattern": f"^{ID_PATTERN}$"})]
