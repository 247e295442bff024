"""What changed between two versions of a graph: nodes, edges and fields, whatever the text looks like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pyagent.graph.identity import (
    ABSENT,
    LEVEL,
    Data,
    EdgeKey,
    Flat,
    Nothing,
    dotted,
    flatten,
    in_file,
    positions,
    same,
)
from pyagent.graph.matching import opcodes
from pyagent.graph.migration import UNMIGRATED, unmigrated
from pyagent.graph.parts import parse_edge
from pyagent.graph.spec import DRAWN, GraphSpec
from pyagent.graph.yaml import Document
from pyagent.graph.yaml_tree import Path

Kind = Literal["added", "removed", "changed", "renamed", "moved"]

_SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~", "renamed": "→", "moved": "↔"}
_LONGEST = 72
"""Characters of a value that are shown."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference."""

    kind: Kind
    """`renamed`: a node has another id and is otherwise the same; `moved`: only its place in the picture, or its
    size there, changed."""
    path: str
    """By identity: `nodes.decide.with.rules[0].when`, `edges[a -> b]`, `layout.a`."""
    old: Any = None
    """The value before, as plain JSON; None where there was none. For `renamed` the old id."""
    new: Any = None
    lines: tuple[int | None, int | None] = (None, None)
    """Line, from 1, in the old and in the new file, where documents were compared and the value stands there."""
    note: str = ""
    """What somebody should know who makes this change."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON: `{kind, path, old, new, lines}`, and `note` where there is one."""
        found = {name: getattr(self, name) for name in ("kind", "path", "old", "new")} | {"lines": list(self.lines)}
        return found | ({"note": self.note} if self.note else {})

    def __str__(self) -> str:
        return "\n".join([self._said(), *([f"    ! {self.note}"] if self.note else [])])

    def _said(self) -> str:
        sign = _SIGNS[self.kind]
        if self.kind == "renamed":
            return f"{sign} {self.path}: the id is now {self.new}"
        if self.kind == "added":
            return f"{sign} {self.path}{_said(self.path, self.new)}"
        if self.kind == "removed":
            return f"{sign} {self.path}{_said(self.path, self.old)}"
        if isinstance(self.old, str) and isinstance(self.new, str) and ("\n" in self.old or "\n" in self.new):
            return "\n".join([f"{sign} {self.path}:", *_text_diff(self.old, self.new)])
        return f"{sign} {self.path}: {_short(self.old)} → {_short(self.new)}"


def diff(old: Document | GraphSpec, new: Document | GraphSpec, *, layout: bool = False) -> list[Change]:
    """What turns `old` into `new`, in the order of the format; empty if they mean the same.

    Nodes are the same by id, edges by their ends, everything else by its place. Comments, style and explicit defaults
    are of no account; `layout` asks for what is only drawn, too: places, notes, frames and colours.
    """
    before, after = (_spec(version).to_data() for version in (old, new))
    if not layout:
        for key in DRAWN:
            before.pop(key, None)
            after.pop(key, None)
    one, other = flatten(before), flatten(after)
    # where ids stand twice, the file is compared as it is written
    found = list(_graphs(one, other) if one and other else _values((), before, after))
    places = [_Lines(version) for version in (old, new)]
    lost = {f"state.{name}.type" for name in unmigrated(_spec(old).state, _spec(new).state)}
    return [
        Change(
            kind=kind,
            path=dotted(path),
            old=_plain(path, left),
            new=_plain(path, right),
            lines=(
                places[0].line(path) if left is not ABSENT else None,
                places[1].line((path[0], right) if kind == "renamed" else path) if right is not ABSENT else None,
            ),
            note=UNMIGRATED if dotted(path) in lost else "",
        )
        for kind, path, left, right in found
    ]


def render_text(changes: Sequence[Change]) -> str:
    """The changes for people, one a line: `~ nodes.decide.timeout: 1m → 2m  (line 9)`."""
    lines: list[str] = []
    for change in changes:
        first, *rest = str(change).split("\n")
        line = change.lines[1] if change.lines[1] is not None else change.lines[0]
        where = f"  (line {line}{' before' if change.lines[1] is None else ''})" if line is not None else ""
        lines += [first + where, *rest]
    return "".join(f"{line}\n" for line in lines)


_Difference = tuple[Kind, Path, Any, Any]


def _spec(version: Document | GraphSpec) -> GraphSpec:
    return version.spec if isinstance(version, Document) else version


def _graphs(old: Flat, new: Flat) -> Iterator[_Difference]:
    renamed = _renamed(old, new)
    head = [key for key in dict.fromkeys([*old.head, *new.head]) if key not in ("pins", *DRAWN)]
    for key in head:
        yield from _values((key,), old.head.get(key, ABSENT), new.head.get(key, ABSENT))
    back = {name: before for before, name in renamed.items()}
    for before, name in renamed.items():
        yield "renamed", ("nodes", before), before, name
    for name in dict.fromkeys([*old.nodes, *new.nodes]):
        if name not in renamed and name not in back:
            yield from _nodes(name, old.nodes.get(name, ABSENT), new.nodes.get(name, ABSENT), renamed)
    for level in dict.fromkeys([*(renamed.get(level, level) for level in old.edges), *new.edges]):
        yield from _edges(level, old.edges.get(back.get(level, level), []), new.edges.get(level, []), renamed)
    for key in ("pins", "layout"):
        left = {renamed.get(name, name): value for name, value in cast("Data", old.head.get(key, {})).items()}
        for difference in _values((key,), left, cast("Data", new.head.get(key, {}))):
            yield ("moved", *difference[1:]) if key == "layout" and difference[0] == "changed" else difference
    yield from _drawn(cast("Data", old.head.get("canvas", {})), cast("Data", new.head.get("canvas", {})), renamed)


def _drawn(old: Data, new: Data, renamed: dict[str, str]) -> Iterator[_Difference]:
    """What is drawn beside the nodes: each note, frame and colour for itself."""
    for kind in ("notes", "frames", "colors"):
        before, after = (cast("Data", canvas.get(kind, {})) for canvas in (old, new))
        if kind == "colors":
            before = {renamed.get(name, name): value for name, value in before.items()}
        for difference in _mappings(("canvas", kind), before, after):
            moved = difference[0] == "changed" and difference[1][3:] in (("at",), ("size",))
            yield ("moved", *difference[1:]) if moved else difference


def _renamed(old: Flat, new: Flat) -> dict[str, str]:
    """Nodes that are gone by the id of the one node that is new and otherwise the same."""
    found: dict[str, str] = {}
    gone = [name for name in old.nodes if name not in new.nodes]
    come = [name for name in new.nodes if name not in old.nodes]
    contents = {name: _content(new.nodes[name]) for name in come}
    for name in gone:
        content = _content(old.nodes[name])
        alike = [other for other in come if contents[other] == content]
        # with nothing but a type, any of them could be meant
        if len(alike) == 1 and [_content(old.nodes[other]) for other in gone].count(content) == 1:
            found[name] = alike[0]
    return found


def _content(node: Data) -> str:
    return json.dumps({key: value for key, value in node.items() if key != "id"}, sort_keys=True)


def _nodes(name: str, old: Data | Nothing, new: Data | Nothing, renamed: dict[str, str]) -> Iterator[_Difference]:
    if isinstance(old, Nothing) or isinstance(new, Nothing):
        yield ("added" if old is ABSENT else "removed"), ("nodes", name), old, new
        return
    if renamed.get(cast("str", old[LEVEL])) == new[LEVEL]:
        old = {**old, LEVEL: new[LEVEL]}
    yield from _values(("nodes", name), old, new)


def _edges(level: str, old: list[EdgeKey], new: list[EdgeKey], renamed: dict[str, str]) -> Iterator[_Difference]:
    path: Path = (*(("nodes", level, "body") if level else ()), "edges")
    before = [(_followed(edge, renamed), count) for edge, count in old]
    kept = set(before) & set(new)
    for edge in before:
        if edge not in kept:
            yield "removed", (*path, edge[0]), edge[0], ABSENT
    for edge in new:
        if edge not in kept:
            yield "added", (*path, edge[0]), ABSENT, edge[0]
    kept_old, kept_new = ([edge for edge in edges if edge in kept] for edges in (before, new))
    if kept_old != kept_new:
        yield "changed", path, [edge for edge, _ in before], [edge for edge, _ in new]


def _followed(edge: str, renamed: dict[str, str]) -> str:
    """The edge with the new ids of its ends."""
    if not renamed:
        return edge
    try:
        found = parse_edge(edge)
    except ValueError:
        return edge
    source, target = (renamed.get(end, end) for end in (found.source, found.target))
    return str(type(found)(source, found.source_port, target, found.target_port))


def _values(path: Path, old: Any, new: Any) -> Iterator[_Difference]:
    if same(old, new):
        return
    if old is ABSENT or new is ABSENT:
        if isinstance(new if old is ABSENT else old, dict) and len(path) == 1:
            # a section that comes or goes is told entry by entry
            yield from _mappings(path, {} if old is ABSENT else old, {} if new is ABSENT else new)
            return
        yield ("added" if old is ABSENT else "removed"), path, old, new
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _mappings(path, cast("Data", old), cast("Data", new))
    elif isinstance(old, list) and isinstance(new, list) and _long(old) and _long(new) and path[0] not in DRAWN:
        yield from _lists(path, cast("list[Any]", old), cast("list[Any]", new))
    else:
        yield "changed", path, old, new


def _long(value: Any) -> bool:
    """Whether items of a list are worth a line each."""
    return any(isinstance(item, (dict, list)) for item in value) or len(_short(value)) >= _LONGEST


def _mappings(path: Path, old: Data, new: Data) -> Iterator[_Difference]:
    for key in dict.fromkeys([*old, *new]):
        yield from _values((*path, key), old.get(key, ABSENT), new.get(key, ABSENT))


def _lists(path: Path, old: list[Any], new: list[Any]) -> Iterator[_Difference]:
    one, other = ([json.dumps(item, sort_keys=True) for item in items] for items in (old, new))
    for equal, begin, end, start, stop in opcodes(one, other):
        if equal:
            continue
        for offset in range(max(end - begin, stop - start)):
            left = old[begin + offset] if begin + offset < end else ABSENT
            right = new[start + offset] if start + offset < stop else ABSENT
            yield from _values((*path, (start if right is not ABSENT else begin) + offset), left, right)


def _plain(path: Path, value: Any) -> Any:
    if value is ABSENT:
        return None
    if len(path) == 2 and path[0] == "nodes" and isinstance(value, dict):
        return {key: part for key, part in cast("Data", value).items() if key != LEVEL}
    return value


class _Lines:
    """Finds lines of paths by identity, for documents only."""

    def __init__(self, version: Document | GraphSpec) -> None:
        self.document = version if isinstance(version, Document) else None
        self.data: Data = {}
        self.nodes: dict[str, Path] = {}
        if self.document is not None:
            from pyagent.graph.yaml_format import canonical

            self.data = canonical(self.document.tree.value)
            self.nodes = positions(self.data)

    def line(self, path: Path) -> int | None:
        """From 1; that of the deepest part of the path that stands in the file."""
        if self.document is None:
            return None
        for length in range(len(path), 0, -1):
            place = in_file(path[:length], self.data, self.nodes)
            if place is not None:
                return self.document.tree.locate(place, key=True)[0]
        return None


def _said(path: str, value: Any) -> str:
    """What is added to the name of a whole part."""
    if path.startswith("edges[") or ".edges[" in path:
        return ""
    if isinstance(value, dict) and "use" in value:
        node = cast("Data", value)
        name = f" “{node['name']}”" if "name" in node else ""
        return f"  {node['use']}{name}"
    return f": {_short(value)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _text_diff(old: str, new: str) -> Iterator[str]:
    """The lines of a long text that changed."""
    one, other = old.splitlines(), new.splitlines()
    for equal, begin, end, start, stop in opcodes(one, other):
        if not equal:
            yield from (f"    - {line}" for line in one[begin:end])
            yield from (f"    + {line}" for line in other[start:stop])


__all__ = ["Change", "Kind", "diff", "render_text"]
