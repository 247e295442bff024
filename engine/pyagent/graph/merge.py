"""Three-way merge of graph files: by node, edge and field, with the comments and the style of both sides.

Where a line-wise merge (diff3) says what the merge of the graphs says, its text is taken. Elsewhere our text is edited
until it does; what theirs adds is written with their comments.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pyagent.errors import GraphError
from pyagent.graph.diff3 import chunks
from pyagent.graph.identity import ABSENT, LEVEL, Data, dotted, in_file, positions, same
from pyagent.graph.matching import opcodes
from pyagent.graph.merge_data import Clash, Found, merge_data
from pyagent.graph.yaml import BOM
from pyagent.graph.yaml_comments import remarks
from pyagent.graph.yaml_edit import edit
from pyagent.graph.yaml_emit import Piece
from pyagent.graph.yaml_format import Shaper, canonical, fmt, render, shape
from pyagent.graph.yaml_tree import Path, Tree, parse


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One place that both sides changed, and not alike."""

    path: str
    """By identity: `nodes.decide.with.rules[0].when`, `edges[decide.urgent -> page]`, `settings.timeout`."""
    kind: Clash
    """Both `changed` it; both `added` it; one `deleted` what the other changed or uses; an edge is left `dangling`
    because one side deleted its node; both brought the edges into another `order`."""
    base: Any
    """The common ancestor's value as plain JSON; None where there is none."""
    ours: Any
    theirs: Any
    line: int | None = None
    """Line, from 1, of the conflict's `<<<<<<<` in the merged text."""
    parts: Path = ()
    """The path part by part: `("nodes", "decide", "with", "rules", 0, "when")`."""
    absent: tuple[str, ...] = ()
    """Which of `base`, `ours` and `theirs` have nothing there."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON: `{path, parts, kind, base, ours, theirs, absent, line}`."""
        found = {name: getattr(self, name) for name in ("path", "kind", "base", "ours", "theirs", "line")}
        return found | {"parts": list(self.parts), "absent": list(self.absent)}


@dataclass(frozen=True, kw_only=True)
class Merge:
    """The outcome of a merge."""

    text: str
    """The merged file. With conflicts it holds `<<<<<<<`, `=======`, `>>>>>>>` around them, and does not load."""
    conflicts: list[Conflict]
    """In the order of the file."""
    with_ours: str
    """The merged file with every conflict settled by our side; without conflicts the same as `text`."""
    with_theirs: str
    """The merged file with every conflict settled by their side."""

    @property
    def clean(self) -> bool:
        """Whether nothing is left to decide."""
        return not self.conflicts


def merge(base: str, ours: str, theirs: str, *, names: tuple[str, str] = ("ours", "theirs")) -> Merge:
    """What `ours` and `theirs`, two descendants of `base`, say together.

    Nodes are the same by id, wherever they stand; edges by their ends; everything else by its place. An empty `base`
    is a file that both added. What is only drawn never conflicts, but for the words of notes and frames: ours stays.
    `names` stand at the markers. The three need not pass the checks of a graph, and what passes them on both sides may
    fail them together: check the outcome.

    Raises `GraphError` (`graph.yaml`, `graph.conflict`) if one of the three is not YAML; `where.file` says which:
    `base`, or one of `names`.
    """
    if ours in (base, theirs) or theirs == base:
        only = theirs if ours == base else ours
        for text, name in ((base, "base"), (ours, names[0]), (theirs, names[1])):
            _read(text, name)
        return Merge(text=only, conflicts=[], with_ours=only, with_theirs=only)
    before, mine, other = _read(base, "base"), _read(ours, names[0]), _read(theirs, names[1])
    pair, found = merge_data(before.data, mine.data, other.data)
    left = _written(_starts(before, mine, other), pair.ours, [other, mine])
    if not found:
        text = _as_in(ours, left)
        return Merge(text=text, conflicts=[], with_ours=text, with_theirs=text)
    right = _written([left], pair.theirs, [other, mine])
    text, lines = _marked(left, right, names, found)
    # A value that neither side has any more stands nowhere: it is told at the first marker.
    marks = (number for number, line in enumerate(text.splitlines(), 1) if line.startswith("<<<<<<< "))
    first = min(lines.values(), default=next(marks, None))
    conflicts = [
        Conflict(
            path=dotted(item.path),
            kind=item.kind,
            base=_plain(item, item.base),
            ours=_plain(item, item.ours),
            theirs=_plain(item, item.theirs),
            line=lines.get(item.path, first),
            parts=tuple("level" if part == LEVEL else part for part in item.path),
            absent=tuple(name for name in ("base", "ours", "theirs") if getattr(item, name) is ABSENT),
        )
        for item in found
    ]
    conflicts.sort(key=lambda conflict: conflict.line or 0)
    return Merge(
        text=_as_in(ours, text),
        conflicts=conflicts,
        with_ours=_as_in(ours, left),
        with_theirs=_as_in(ours, right),
    )


@dataclass(frozen=True, slots=True)
class _Version:
    """A text with line feeds and without byte order mark, and what it says."""

    text: str
    tree: Tree | None
    """None: an empty file."""
    data: Data


def _read(text: str, name: str) -> _Version:
    plain = text.removeprefix(BOM).replace("\r\n", "\n")
    if name == "base" and not plain.strip():
        return _Version("", None, {})
    tree = parse(plain, name)
    return _Version(plain, tree, canonical(tree.value))


def _as_in(sample: str, text: str) -> str:
    """`text` with the line ends and the byte order mark of `sample`."""
    if "\r\n" in sample:
        text = text.replace("\n", "\r\n")
    return BOM + text if sample.startswith(BOM) else text


def _plain(item: Found, value: Any) -> Any:
    if value is ABSENT:
        return None
    if len(item.path) == 2 and item.path[0] == "nodes" and isinstance(value, dict):
        return {key: part for key, part in cast("Data", value).items() if key != LEVEL}
    return value


def _starts(base: _Version, ours: _Version, theirs: _Version) -> Iterator[str]:
    """Texts to begin with, best first: all of theirs that meets no line of ours, then ours, then ours in order."""
    split = [version.text.splitlines(keepends=True) for version in (base, ours, theirs)]
    lines = [line for chunk in chunks(*split) for line in chunk.merged()]
    yield "".join(lines)
    yield ours.text
    yield fmt(ours.text)


def _written(starts: Iterable[str], data: Data, sources: list[_Version]) -> str:
    """A text that says `data`, made of the first of `starts` from which an edit leads there."""
    for start in starts:
        try:
            tree = parse(start)
            old = canonical(tree.value)
            if same(old, data):
                return start
            text = edit(start, tree, old, data, _shapes(sources, data))
            if same(canonical(parse(text).value), data):
                return text
        except GraphError:
            continue
    return render(data)


def _shapes(sources: list[_Version], data: Data) -> Callable[[Any, Path], Piece]:
    """How a value is written: as in the first of the sources that says the same there, comments too."""
    known: list[tuple[_Version, dict[str, Path], Shaper]] = []

    def shaped(value: Any, path: Path) -> Piece:
        if not known:
            known.extend(
                (source, positions(source.data), Shaper(remarks(source.text, source.tree), keep_aliases=False))
                for source in sources
                if source.tree is not None
            )
        for source, nodes, shaper in known:
            place = in_file(_by_identity(data, path), source.data, nodes)
            if place is None or source.tree is None:
                continue
            tree = source.tree
            for part in place:
                tree = cast("tuple[Any, Tree]", tree.entry(part))[1]
            if same(canonical(tree.value, place), value):
                return shaper.shape(tree, path)
        return shape(value, path)

    return shaped


def _by_identity(data: Data, path: Path) -> Path:
    """A place in a file's data as a path by identity, nodes by id and edges by what they are."""
    here: Any = data
    found: Path = ()
    for index, part in enumerate(path):
        here = cast("dict[str | int, Any]", here)[part]
        listed = path[index - 1] if index and isinstance(part, int) else None
        if listed == "nodes" and isinstance(here, dict) and isinstance(name := cast("Data", here).get("id"), str):
            found = ("nodes", name)
        elif listed == "edges" and isinstance(here, str):
            found = (*found, here)
        else:
            found = (*found, part)
    return found


def _marked(left: str, right: str, names: tuple[str, str], found: list[Found]) -> tuple[str, dict[Path, int]]:
    """Both texts in one, with markers where they differ, and the line of each conflict's marker."""
    one, other = left.splitlines(keepends=True), right.splitlines(keepends=True)
    # By line, so that of thousands of conflicts each is looked at once.
    spots = [
        sorted((spot.start, spot.stop, index) for index, item in enumerate(found) if (spot := side.get(item.path)))
        for side in (_spots(left, found), _spots(right, found))
    ]
    at = [0, 0]
    lines: list[str] = []
    where: dict[Path, int] = {}
    for equal, begin, end, start, stop in opcodes(one, other, autojunk=True):
        if equal:
            lines += one[begin:end]
            continue
        met: set[int] = set()
        for side, (low, high) in enumerate(((begin, end), (start, stop))):
            while at[side] < len(spots[side]) and spots[side][at[side]][0] < high:
                _, last, index = spots[side][at[side]]
                at[side] += 1
                if low < last:
                    met.add(index)
        here = [path for index in sorted(met) if (path := found[index].path) not in where]
        for path in here:
            where[path] = len(lines) + 1
        label = ", ".join(map(dotted, here[:3])) + (", …" if len(here) > 3 else "")
        lines += [f"<<<<<<< {names[0]}{'  ' + label if label else ''}\n", *one[begin:end]]
        lines += ["=======\n", *other[start:stop], f">>>>>>> {names[1]}\n"]
    return "".join(lines), where


def _spots(text: str, found: list[Found]) -> dict[Path, range]:
    """The lines, from 0, on which each conflict's value stands; those that are not there are left out."""
    tree = parse(text)
    data = canonical(tree.value)
    nodes = positions(data)
    breaks = [index for index, character in enumerate(text) if character == "\n"]
    spots: dict[Path, range] = {}
    for item in found:
        place = in_file(item.path, data, nodes)
        if place is None:
            continue
        value, line = tree, tree.line
        for part in place:
            name, value = cast("tuple[Tree | None, Tree]", value.entry(part))
            line = (name or value).line
        end = len(text[value.start : value.end].rstrip()) + value.start
        spots[item.path] = range(line, max(line, bisect_left(breaks, end)) + 1)
    return spots


__all__ = ["Conflict", "Merge", "merge"]
