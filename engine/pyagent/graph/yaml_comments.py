"""Finds the comments and blank lines of a YAML text and gives each to the entry it belongs to."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from pyagent.graph.yaml_tree import Tree

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n\r]*", re.MULTILINE)
_BLANK = re.compile(r"^[ \t]*\r?$", re.MULTILINE)
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(#[^\n\r]*)")


@dataclass(slots=True)
class Remarks:
    """The comments of one entry, keyed by the identity of its value's tree."""

    before: list[str] = field(default_factory=list[str])
    beside: str = ""
    after: list[str] = field(default_factory=list[str])
    """What stands after the last entry of this collection."""
    inside: bool = False
    """This collection was written on one line, or in brackets, and holds comments."""


@dataclass(slots=True)
class _Entry:
    """An entry that comments may belong to, where it begins."""

    start: int
    column: int
    tree: Tree
    parents: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    index: int
    column: int
    text: str
    """Empty for a blank line."""
    alone: bool


def remarks(text: str, root: Tree) -> dict[int, Remarks]:
    """The remarks by `id()` of the value's tree; trees without any are left out."""
    found: dict[int, Remarks] = {}
    marks = _marks(text, root)
    if not marks:
        return found
    comments = [mark.index for mark in marks if mark.text]
    entries: list[_Entry] = []
    _collect(root, (), comments, entries, found)
    starts = [entry.start for entry in entries]
    columns = {id(entry.parents[-1]): entry.column for entry in entries}
    for mark in marks:
        position = bisect_left(starts, mark.index)
        before = entries[position - 1] if position else None
        following = entries[position] if position < len(entries) else None
        if not mark.alone and before is not None:
            _beside(found, before, mark.text)
        elif following is not None and (mark.column <= following.column or before is None or not mark.text):
            found.setdefault(id(following.tree), Remarks()).before.append(mark.text)
        elif before is not None:
            found.setdefault(id(_owner(before, columns, mark.column)), Remarks()).after.append(mark.text)
        else:
            found.setdefault(id(root), Remarks()).after.append(mark.text)
    for remark in found.values():
        remark.before = _squeeze(remark.before)
        remark.after = _squeeze(remark.after, strip=True)
    return found


def _beside(found: dict[int, Remarks], entry: _Entry, text: str) -> None:
    remark = found.setdefault(id(entry.tree), Remarks())
    if remark.beside:
        remark.before.append(text)
    else:
        remark.beside = text


def _owner(before: _Entry, columns: dict[int, int], column: int) -> Tree:
    """The innermost collection that is open at the end of `before` and whose entries begin no deeper than `column`."""
    chain = (*before.parents, before.tree)
    fitting = [tree for tree in chain if columns.get(id(tree), column + 1) <= column]
    return fitting[-1] if fitting else chain[0]


def _squeeze(lines: list[str], *, strip: bool = False) -> list[str]:
    """One blank line at most where several follow one another; none at the end of a collection."""
    kept: list[str] = []
    for line in lines:
        if line or not kept or kept[-1]:
            kept.append(line)
    while strip and kept and not kept[-1]:
        kept.pop()
    return kept


def _collect(
    tree: Tree, parents: tuple[Tree, ...], comments: list[int], entries: list[_Entry], found: dict[int, Remarks]
) -> None:
    """All entries of block collections, and of those in brackets that hold comments, in the order of the text."""
    if tree.alias:
        return
    if tree.style == "flow":
        inside = bisect_left(comments, tree.start) < bisect_left(comments, tree.end)
        if not inside:
            return
        found.setdefault(id(tree), Remarks()).inside = True
    path = (*parents, tree)
    for position, item in enumerate(tree.items):
        name = tree.keys[position] if tree.kind == "mapping" else item
        # in brackets columns say nothing: any comment before an entry is its own
        column = 1 << 30 if tree.style == "flow" else tree.column
        entries.append(_Entry(name.start, column, item, path))
        _collect(item, path, comments, entries, found)


def _marks(text: str, root: Tree) -> list[_Mark]:
    """Every comment and blank line outside of scalars, in order."""
    scalars: list[Tree] = []
    rest = [root]
    while rest:
        tree = rest.pop()
        if tree.kind == "scalar" or tree.alias:
            scalars.append(tree)
        else:
            rest.extend(tree.items)
            rest.extend(tree.keys)
    scalars.sort(key=lambda tree: tree.start)
    marks: list[_Mark] = []
    begin = 0
    for tree in scalars:
        _scan(text, begin, tree.start, marks)
        begin = max(begin, tree.end)
        if tree.style in ("|", ">"):
            if header := _HEADER.match(text, tree.start):
                marks.append(_Mark(header.start(1), 0, header[1].rstrip(), alone=False))
            # libyaml counts the blank lines after a block scalar to it
            while begin > tree.start and text[begin - 1 : begin] in ("\n", "\r", " "):
                begin -= 1
    _scan(text, begin, len(text), marks)
    marks.sort(key=lambda mark: mark.index)
    return marks


def _scan(text: str, begin: int, end: int, marks: list[_Mark]) -> None:
    position = begin
    while found := _COMMENT.search(text, position, end):
        line = text.rfind("\n", 0, found.start()) + 1
        # a comment between a dash and what it introduces belongs to that
        lead = text[line : found.start()].rstrip(" \t")
        alone = not lead.strip(" \t-")
        column = len(lead) - 1 if alone and lead else found.start() - line
        marks.append(_Mark(found.start(), column, found[0].rstrip(), alone=alone))
        position = found.end()
    # the first match may be the rest of the line that a scalar ends on
    first = text.find("\n", begin, end)
    if first >= 0:
        marks.extend(
            _Mark(blank.start(), 0, "", alone=True)
            for blank in _BLANK.finditer(text, first + 1, end)
            if blank.end() < end
        )
