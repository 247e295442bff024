"""Changes a graph file where the graph changed and nowhere else: comments, order and style of the rest stay.

Two forms of the same data are compared; each difference becomes a splice of the text. What comes out may be wrong in
rare styles (anchors, comments inside brackets): the caller reads it again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from pyagent.graph.identity import same
from pyagent.graph.matching import opcodes
from pyagent.graph.yaml_emit import Piece, block, entry, one_line, scalar
from pyagent.graph.yaml_format import shape
from pyagent.graph.yaml_tree import Path, Tree

_ABSENT = object()


class _Splice(NamedTuple):
    start: int
    end: int
    text: str


Shape = Callable[[Any, Path], Piece]


def edit(text: str, tree: Tree, old: dict[str, Any], new: dict[str, Any], shape: Shape = shape) -> str:
    """`text`, whose canonical data is `old` and whose tree is `tree`, changed so that it says `new`.

    `shape` gives what is to be written for a value of `new` and its path.
    """
    editor = _Editor(text if text.endswith("\n") else text + "\n", shape)
    editor.change(tree, old, new, ())
    pieces: list[str] = []
    position = 0
    for splice in sorted(editor.splices, key=lambda splice: splice.start):
        pieces += [editor.text[position : splice.start], splice.text]
        position = max(position, splice.end)
    return "".join(pieces) + editor.text[position:]


@dataclass(slots=True)
class _Step:
    """One new entry of a collection: what it was, or where it comes in."""

    key: str | int
    """The key, or the index in the new list."""
    value: Any
    old: Any = _ABSENT
    at: int | None = None
    """Position of the entry in the text that it continues; None: it is inserted."""


@dataclass(slots=True)
class _Editor:
    text: str
    shape: Shape
    splices: list[_Splice] = field(default_factory=list[_Splice])

    def change(self, tree: Tree, old: Any, new: Any, path: Path) -> None:
        """Record what turns the collection `tree`, which says `old`, into `new`."""
        steps = _mapping_steps(tree, old, new) if tree.kind == "mapping" else _sequence_steps(old, new)
        kept = {step.at for step in steps if step.at is not None}
        removed = [index for index in range(len(tree.items)) if index not in kept and self.known(tree, index, old)]
        if len(removed) == len(tree.items) or (tree.style == "flow" and (removed or len(kept) < len(steps))):
            self.replace(tree, new, path)
            return
        for step in steps:
            if step.at is None or same(step.old, step.value):
                continue
            item = tree.items[step.at]
            here = (*path, step.key)
            if _same_shape(item, step.old, step.value):
                self.change(item, step.old, step.value, here)
            elif tree.kind == "mapping":
                self.replace_value(tree.keys[step.at], item, step.value, here, flow=tree.style == "flow")
            else:
                self.replace(item, step.value, here, flow=tree.style == "flow")
        for index in removed:
            self.remove(tree, index)
        self.insert_all(tree, steps, path)

    def known(self, tree: Tree, index: int, old: Any) -> bool:
        """Whether an entry of the text is in the canonical data; explicit defaults are not, and stay."""
        return tree.kind == "sequence" or tree.keys[index].value in old

    def replace(self, tree: Tree, value: Any, path: Path, *, flow: bool | None = None) -> None:
        """Write `value` where `tree` stands."""
        inside = tree.style == "flow" if flow is None else flow
        part = self.shape(value, path)
        end = self.end(tree)
        written = one_line(part, flow=inside)
        if not inside and part.kind != "scalar" and part.items and not self.commented(end) and not part.inline:
            written = "\n".join(block(part, tree.column)).lstrip()
        self.splices.append(_Splice(tree.start, end, written))

    def replace_value(self, key: Tree, tree: Tree, value: Any, path: Path, *, flow: bool) -> None:
        """Write `value` after `key:`; the old value may have begun on a later line."""
        colon = max(self.text.find(":", key.end) + 1, key.end)
        end = max(self.end(tree), colon)
        same_line = tree.line == key.line and tree.start > colon
        gap = self.text[colon : tree.start] if same_line else " "
        part = self.shape(value, path)
        if flow or self.commented(end):
            self.splices.append(_Splice(colon, end, gap + one_line(part, flow=flow)))
            return
        lines = entry(":", part, key.column)
        first = lines[0].strip()[1:]
        self.splices.append(_Splice(colon, end, "\n".join([gap + first.lstrip() if first else "", *lines[1:]])))

    def remove(self, tree: Tree, index: int) -> None:
        """Take a block collection's entry out, with the comments right above it."""
        start = self.start(tree, index)
        line = self.line_start(start)
        if self.text[line:start].strip():
            # it shares its line with a dash: the next entry moves up
            following = self.start(tree, index + 1)
            self.splices.append(_Splice(start, following, ""))
            return
        self.splices.append(_Splice(self.lead(line, start - line), self.line_end(self.end(tree.items[index])), ""))

    def insert_all(self, tree: Tree, steps: list[_Step], path: Path) -> None:
        """Write the new entries after the entry that each of them follows."""
        column = tree.column
        previous: int | None = None
        last = max((index for index, step in enumerate(steps) if step.at is not None), default=-1)
        for index, step in enumerate(steps):
            if step.at is not None:
                previous = step.at
                continue
            if index > last >= 0:
                # what comes last comes last, also where the file has an order of its own
                previous = len(tree.items) - 1
            part = self.shape(step.value, (*path, step.key))
            head = f"{scalar(str(step.key), flow=True)}:" if tree.kind == "mapping" else "-"
            above = [" " * column + line if line else "" for line in part.before]
            lines = entry(head, part, column)
            if previous is not None:
                lines = [*above, *lines]
                position = self.line_end(self.end(tree.items[previous]))
                self.splices.append(_Splice(position, position, "\n".join(lines) + "\n"))
                continue
            start = self.start(tree, 0)
            line = self.line_start(start)
            if self.text[line:start].strip():
                joined = "\n".join(lines).lstrip() + "\n" + " " * column
                self.splices.append(_Splice(start, start, joined))
            else:
                lines = [*above, *lines]
                position = self.lead(line, start - line) if path else line
                self.splices.append(_Splice(position, position, "\n".join(lines) + "\n"))

    def start(self, tree: Tree, index: int) -> int:
        """Where a block collection's entry begins: its key or its dash."""
        if tree.kind == "mapping":
            return tree.keys[index].start
        line = self.line_start(tree.items[index].start)
        while self.text[line + tree.column : line + tree.column + 1] != "-" and line > 0:
            line = self.line_start(line - 1)
        return line + tree.column

    def end(self, tree: Tree) -> int:
        """Where the text of `tree` ends; libyaml counts the line breaks after a block scalar to it."""
        last = tree
        while last.items and last.style == "block" and not last.alias:
            last = last.items[-1]
        end = last.end
        if last.style in ("|", ">"):
            while end > last.start and self.text[end - 1].isspace():
                end -= 1
        return end

    def line_start(self, position: int) -> int:
        return self.text.rfind("\n", 0, position) + 1

    def line_end(self, position: int) -> int:
        """Behind the line break of the line that `position` is in."""
        found = self.text.find("\n", position)
        return len(self.text) if found < 0 else found + 1

    def lead(self, line: int, column: int) -> int:
        """The first of the comment lines right above `line` that are indented by `column`."""
        while line > 0:
            above = self.line_start(line - 1)
            content = self.text[above : line - 1]
            if not content.startswith(" " * column + "#"):
                break
            line = above
        return line

    def commented(self, position: int) -> bool:
        """Whether a comment stands behind `position` on its line."""
        return "#" in self.text[position : self.line_end(position)]


def _same_shape(tree: Tree, old: Any, new: Any) -> bool:
    """Whether the change is one inside the collection, and the text has entries to change."""
    if tree.alias or tree.anchor or not tree.items or not new:
        return False
    if tree.kind == "mapping":
        return isinstance(old, dict) and isinstance(new, dict)
    same = isinstance(old, list) and isinstance(new, list)
    return same and len(cast("list[Any]", old)) == len(tree.items)


def _mapping_steps(tree: Tree, old: dict[str, Any], new: dict[str, Any]) -> list[_Step]:
    positions = {str(key.value): index for index, key in enumerate(tree.keys)}
    return [_Step(key, value, old.get(key, _ABSENT), positions.get(key)) for key, value in new.items()]


def _identity(value: Any) -> str:
    """What makes an item of a list the same one after a change: a node's id, else all of it."""
    if isinstance(value, dict) and "id" in value:
        return f"id {cast('dict[str, Any]', value)['id']}"
    return json.dumps(value, sort_keys=True)


def _sequence_steps(old: list[Any], new: list[Any]) -> list[_Step]:
    one, other = [_identity(item) for item in old], [_identity(item) for item in new]
    steps: list[_Step] = []
    for equal, old_start, old_end, new_start, new_end in opcodes(one, other):
        for offset in range(new_end - new_start):
            index, position = new_start + offset, old_start + offset
            # items that replace others take their places one by one, and keep the comments there
            continues = position < old_end and not _both_named(old[position], new[index])
            if equal or continues:
                steps.append(_Step(index, new[index], old[position], position))
            else:
                steps.append(_Step(index, new[index]))
    return steps


def _both_named(old: Any, new: Any) -> bool:
    return isinstance(old, dict) and isinstance(new, dict) and "id" in old and "id" in new
