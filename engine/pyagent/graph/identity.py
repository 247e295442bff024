"""What makes a part of a graph the same part in two versions of it: a node's id, an edge's ends, a field's place.

A graph's data is laid flat for comparison: nodes by id with the body they are in as one of their fields, edges by
level. So a node that moves into a body, or to another place in the file, stays the node that it was.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

from pyagent.graph.yaml_tree import Path

LEVEL = "@level"
"""In a flat node: id of the node whose body it is in; empty at the top."""

Data = dict[str, Any]
EdgeKey = tuple[str, int]
"""An edge in its canonical spelling, and how many of the same stand before it."""


class Nothing(Enum):
    """What stands where there is no value; null is a value."""

    ABSENT = "absent"


ABSENT = Nothing.ABSENT

_PLAIN = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(slots=True)
class Flat:
    """The data of a graph by what its parts are."""

    head: Data
    """All but `nodes` and `edges`."""
    nodes: dict[str, Data] = field(default_factory=dict[str, Data])
    """By id, with `LEVEL` and without what stands in their bodies."""
    order: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Ids by level, for each level that has `nodes`."""
    edges: dict[str, list[EdgeKey]] = field(default_factory=dict[str, list[EdgeKey]])
    """By level, for each level that has `edges`."""


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: `1` is neither `true` nor `1.0`; the order of keys says nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("Data", one), cast("Data", other)
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast("list[Any]", one), cast("list[Any]", other)
        return len(first) == len(second) and all(map(same, first, second))
    one = cast("Any", one)
    return type(one) is type(other) and one == other


def flatten(data: Data) -> Flat | None:
    """`data` laid flat; None where its nodes and edges are not what the format says, or ids stand twice."""
    flat = Flat({key: value for key, value in data.items() if key not in ("nodes", "edges")})
    return flat if _flatten(flat, data, "") else None


def _flatten(flat: Flat, level: Data, owner: str) -> bool:
    nodes, edges = level.get("nodes", []), level.get("edges", [])
    if not isinstance(nodes, list) or not isinstance(edges, list):
        return False
    if not all(isinstance(edge, str) for edge in cast("list[Any]", edges)):
        return False
    if "edges" in level:
        flat.edges[owner] = numbered(cast("list[str]", edges))
    if "nodes" in level:
        flat.order[owner] = []
    for node in cast("list[Any]", nodes):
        if not isinstance(node, dict):
            return False
        found = dict(cast("Data", node))
        name = found.get("id")
        if not isinstance(name, str) or not name or name in flat.nodes:
            return False
        flat.nodes[name] = found
        flat.order[owner].append(name)
        found[LEVEL] = owner
        if "body" in found:
            body = found["body"]
            if not isinstance(body, dict) or not _flatten(flat, cast("Data", body), name):
                return False
            found["body"] = {key: value for key, value in cast("Data", body).items() if key not in ("nodes", "edges")}
    return True


def unflatten(flat: Flat, keys: list[str]) -> Data:
    """The graph's data again, its top keys in the order of `keys`."""
    levels = _level(flat, "")
    data = {**flat.head, **levels}
    return {key: data[key] for key in [*keys, *data] if key in data}


def _level(flat: Flat, owner: str) -> Data:
    found: Data = {}
    if owner in flat.order:
        found["nodes"] = [_node(flat, name) for name in flat.order[owner]]
    if owner in flat.edges:
        found["edges"] = [edge for edge, _ in flat.edges[owner]]
    return found


def _node(flat: Flat, name: str) -> Data:
    node = {key: value for key, value in flat.nodes[name].items() if key != LEVEL}
    inside = _level(flat, name)
    if inside or "body" in node:
        node["body"] = {**inside, **node.get("body", {})}
    return node


def numbered(edges: list[str]) -> list[EdgeKey]:
    """The edges, equal ones counted."""
    seen: Counter[str] = Counter()
    found: list[EdgeKey] = []
    for edge in edges:
        found.append((edge, seen[edge]))
        seen[edge] += 1
    return found


def dotted(path: Path) -> str:
    """A path in words: `nodes.decide.with.rules[0].when`, `edges[a -> b]`, `outputs["a b"]`."""
    text = ""
    for position, part in enumerate(path):
        if part == LEVEL:
            text += ".level"
        elif isinstance(part, int) or "->" in part:
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if position else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def positions(data: Data) -> dict[str, Path]:
    """Where in the file's data each node stands: `("nodes", 3, "body", "nodes", 0)` by id."""
    found: dict[str, Path] = {}
    _positions(data, (), found)
    return found


def _positions(level: Any, path: Path, found: dict[str, Path]) -> None:
    nodes: Any = cast("Data", level).get("nodes") if isinstance(level, dict) else None
    for index, node in enumerate(cast("list[Any]", nodes) if isinstance(nodes, list) else []):
        if not isinstance(node, dict):
            continue
        here = (*path, "nodes", index)
        name = cast("Data", node).get("id")
        if isinstance(name, str):
            found.setdefault(name, here)
        _positions(cast("Data", node).get("body"), (*here, "body"), found)


def in_file(path: Path, data: Data, nodes: dict[str, Path]) -> Path | None:
    """The place in the file's data of a path by identity; None if it is not there. `nodes`: `positions(data)`."""
    here: Path = ()
    rest = path
    if len(path) > 1 and path[0] == "nodes" and isinstance(path[1], str):
        if path[1] not in nodes:
            return None
        here, rest = nodes[path[1]], path[2:]
    value: Any = data
    for part in here:
        value = value[part]
    for part in rest:
        if isinstance(value, list) and isinstance(part, str):
            items = cast("list[Any]", value)
            index = next((at for at, item in enumerate(items) if item == part or _named(item, part)), None)
            if index is None:
                return None
            part = index
        elif isinstance(value, list):
            if not isinstance(part, int) or part >= len(cast("list[Any]", value)):
                return None
        elif not isinstance(value, dict) or part not in value:
            return None
        value = cast("Any", value)[part]
        here = (*here, part)
    return here


def _named(item: Any, name: str) -> bool:
    return isinstance(item, dict) and cast("Data", item).get("id") == name
