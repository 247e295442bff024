"""YAML 1.2 text as a tree of plain JSON values that knows where in the text each value stands.

PyYAML's parser (libyaml where it is built in) gives the events; which scalar is a number or a boolean is decided
here, by the core schema of YAML 1.2: `yes`, `no`, `on` and dates are strings. See docs/adr/0002-graph-file-yaml.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, Protocol, cast

import yaml

from pyagent.errors import GraphError, Where
from pyagent.graph.uncollected import uncollected


class _Events(Protocol):
    def get_event(self) -> yaml.Event | None: ...


# PyYAML built without libyaml is ten times slower and gives the same events
_parser = cast("Callable[[str], _Events]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))

MAX_CHARACTERS = 8_000_000
"""Longest text that is read; a graph of 10,000 nodes has about 2,000,000."""
MAX_DEPTH = 64
"""Deepest nesting."""
MAX_VALUES = 1_000_000
"""Most values, those that aliases repeat counted each time."""

Kind = Literal["scalar", "mapping", "sequence"]
Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MARKERS = re.compile(r"^<{7}( .*)?$|^={7}$|^>{7}( .*)?$", re.MULTILINE)
_NUMBER_START = frozenset("+-.0123456789")


@dataclass(slots=True, eq=False)
class Tree:
    """One value and its place: `text[start:end]`, with `line` and `column` from 0."""

    kind: Kind
    value: Any
    """The plain JSON value, shared with the trees below."""
    start: int
    end: int
    line: int
    column: int
    style: str
    """`flow` or `block` for collections; for scalars the quote, `|`, `>`, or `` for plain."""
    items: list[Tree] = field(default_factory=list["Tree"])
    """A sequence's items, or a mapping's values."""
    keys: list[Tree] = field(default_factory=list["Tree"])
    """A mapping's keys, in the order of the text."""
    anchor: str | None = None
    """Its own anchor: an edit must not go inside."""
    alias: str | None = None
    """It is an alias, and repeats what the anchor of that name stands at."""
    tagged: bool = False

    def entry(self, key: str | int) -> tuple[Tree | None, Tree] | None:
        """The key's tree (None in a sequence) and the value's; None if there is no such entry."""
        if self.kind == "sequence":
            return (None, self.items[key]) if isinstance(key, int) and 0 <= key < len(self.items) else None
        for name, item in zip(self.keys, self.items, strict=True):
            if name.value == key:
                return name, item
        return None

    def locate(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of what `path` leads to, or of the deepest part of it that is there.

        For an entry of a mapping that is a collection, or with `key`, the place of its key.
        """
        here, best = self, self
        for part in path:
            found = here.entry(part)
            if found is None:
                break
            name, here = found
            best = here if name is None or (here.kind == "scalar" and here.end > here.start and not key) else name
        return best.line + 1, best.column + 1


def field_of(path: Path) -> str:
    """A path in dotted form, seen from the innermost node that it leads into: `with.rules.0.when`."""
    rest = path
    while len(rest) >= 2 and rest[0] == "nodes" and isinstance(rest[1], int):
        rest = rest[2:]
        if rest[:2] == ("body", "nodes") and len(rest) > 2:
            rest = rest[1:]
    return ".".join(map(str, rest))


def parse(text: str, file: str | None = None) -> Tree:
    """The tree of `text`, a mapping.

    Raises `GraphError` with line and column: `graph.yaml` if the text is not YAML, holds several documents, names a key
    twice, or passes the limits above; `graph.conflict` if it holds the markers of a merge that nobody has resolved.
    """
    with uncollected(len(text)):
        return _Builder(text, file).build()


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    tree: Tree
    anchor: str | None
    seen: set[str]
    key: Tree | None = None


class _Builder:
    def __init__(self, text: str, file: str | None) -> None:
        self.text = text
        self.file = file
        self.count = 0
        self.stack: list[_Open] = []
        self.root: Tree | None = None
        self.anchors: dict[str, tuple[Tree, int]] = {}

    def fail(self, message: str, line: int, column: int, hint: str = "", code: str = "graph.yaml") -> NoReturn:
        where = Where(file=self.file, line=line + 1, column=column + 1)
        raise GraphError(message, code=code, hint=hint, where=where)

    def build(self) -> Tree:
        if len(self.text) > MAX_CHARACTERS:
            self.fail(f"the text is longer than {MAX_CHARACTERS:,} characters", 0, 0, "Split the graph into several.")
        # a mark inside brackets or quotes would be read as text
        if "<<<<<<<" in self.text and ">>>>>>>" in self.text:
            self.conflicts()
        for event in self.events():
            self.take(event)
        if self.root is None or self.root.kind != "mapping":
            line, column = (self.root.line, self.root.column) if self.root else (0, 0)
            self.fail(
                "a graph file is a mapping" if self.root else "the file is empty",
                line,
                column,
                "Begin with `pyagent: 1`, `id:` and `nodes:`.",
            )
        return self.root

    def conflicts(self) -> None:
        """Refuse a text with the markers of a merge."""
        places: list[int] = []
        names: list[str] = []
        expected = "<"
        text = self.text.replace("\r\n", "\n")
        for mark in _MARKERS.finditer(text):
            if mark[0][0] != expected:
                continue
            if expected == "<":
                places.append(text.count("\n", 0, mark.start()))
                # `pyagent graph merge` writes the name of what is in conflict two spaces behind that of the side
                names.append(mark[0].partition("  ")[2])
            expected = {"<": "=", "=": ">", ">": "<"}[expected]
        if not places or expected != "<":
            return
        lines = [f"line {line + 1}{f' ({name})' if name else ''}" for line, name in zip(places, names, strict=True)]
        more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
        self.fail(
            f"a merge left {len(lines)} conflict{'s' * (len(lines) != 1)} open: {', '.join(lines[:5])}{more}",
            places[0],
            0,
            hint="At each, keep what is right of both parts and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`.",
            code="graph.conflict",
        )

    def events(self) -> Iterator[yaml.Event]:
        try:
            parser = _parser(self.text)
            while (event := parser.get_event()) is not None:
                yield event
        except yaml.reader.ReaderError as error:
            self.fail_at(int(error.position), "a character that YAML does not allow", "Remove the control character.")
        except UnicodeEncodeError as error:
            self.fail_at(error.start, "half of a surrogate pair", "Write the text as UTF-8.")
        except yaml.MarkedYAMLError as error:
            # an open quote is noticed at the end of the file; what helps is where it began
            unclosed = "quoted scalar" in (error.context or "") and error.context_mark is not None
            mark = error.context_mark if unclosed else error.problem_mark or error.context_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
            what = ", ".join(part for part in (error.context, error.problem) if part)
            self.fail(f"this is not YAML: {what}", line, column, self.hint(line, column))

    def hint(self, line: int, column: int) -> str:
        lines = self.text.split("\n")
        here = lines[line] if line < len(lines) else ""
        if "\t" in here[: column + 1]:
            return "Indent with spaces; YAML allows no tabs there."
        if re.search(r":\s+\{\{|^\s*-\s+\{\{", here):
            return 'Put a template in quotes: "{{ … }}".'
        if here[column : column + 1] in ("@", "`", "%"):
            return f"A plain value cannot begin with {here[column]!r}; put it in quotes."
        if re.search(r":\s.*:(\s|$)", here):
            return "A value that holds `: ` must be in quotes."
        return "Look for a missing quote, bracket or indentation at or above this line."

    def fail_at(self, index: int, message: str, hint: str) -> NoReturn:
        before = self.text[:index]
        self.fail(message, before.count("\n"), index - before.rfind("\n") - 1, hint)

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        if isinstance(event, yaml.ScalarEvent):
            tree = self.scalar(event)
            self.put(tree, event.anchor, 1)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self.begin(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            opened = self.stack.pop()
            tree = opened.tree
            last = tree.items[-1] if tree.items else None
            # libyaml ends a block collection where the next token begins: past comments that are not its own
            tree.end = event.end_mark.index if tree.style == "flow" or last is None else last.end
            if opened.anchor:
                self.anchors[opened.anchor] = (tree, self.size(tree))
            if not self.stack:
                self.root = tree
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self.fail("a second document begins", mark.line, mark.column, "Keep one graph in one file.")

    def begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        mark = event.start_mark
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag is not None:
            self.fail(f"the tag {event.tag} is not allowed", mark.line, mark.column, "Write plain values.")
        if len(self.stack) >= MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels", mark.line, mark.column, "Make the data flatter.")
        tree = Tree(
            kind="mapping" if mapping else "sequence",
            value={} if mapping else [],
            start=mark.index,
            end=event.end_mark.index,
            line=mark.line,
            column=mark.column,
            style="flow" if event.flow_style else "block",
            anchor=event.anchor,
        )
        # put in first: its value is shared, so that what comes later is seen through the parent
        self.put(tree, None, 1)
        self.stack.append(_Open(tree, event.anchor, set()))

    def alias(self, event: yaml.AliasEvent) -> None:
        mark, name = event.start_mark, event.anchor
        if name not in self.anchors:
            self.fail(f"the alias *{name} has no finished anchor", mark.line, mark.column, "Define &anchor before it.")
        target, size = self.anchors[name]
        tree = Tree(
            kind=target.kind,
            value=target.value,
            start=mark.index,
            end=event.end_mark.index,
            line=mark.line,
            column=mark.column,
            style="flow" if target.kind != "scalar" else target.style,
            items=target.items,
            keys=target.keys,
            alias=name,
        )
        self.put(tree, None, size)

    def size(self, tree: Tree) -> int:
        """Values that the tree stands for; trees of aliases are counted by what they repeat."""
        total, rest = 0, [tree]
        while rest:
            total += 1
            if total > MAX_VALUES:
                break
            rest.extend(rest.pop().items)
        return total

    def put(self, tree: Tree, anchor: str | None, size: int) -> None:
        self.count += size
        if self.count > MAX_VALUES:
            self.fail(f"more than {MAX_VALUES:,} values", tree.line, tree.column, "Aliases count as what they repeat.")
        if anchor:
            self.anchors[anchor] = (tree, size)
        if not self.stack:
            self.root = tree
            return
        opened = self.stack[-1]
        parent = opened.tree
        if parent.kind == "sequence":
            parent.value.append(tree.value)
            parent.items.append(tree)
        elif opened.key is None:
            if tree.kind != "scalar" or tree.anchor or tree.alias:
                template = self.text[max(tree.start - 1, 0) :].startswith("{{")
                hint = 'Put a template in quotes: "{{ … }}".' if template else "Write the key as text."
                self.fail("a key must be a plain string", tree.line, tree.column, hint)
            name = tree.value
            if name in opened.seen:
                self.fail(f"the key {name!r} stands twice", tree.line, tree.column, "Remove or rename one of them.")
            opened.seen.add(name)
            opened.key = tree
        else:
            parent.value[opened.key.value] = tree.value
            parent.keys.append(opened.key)
            parent.items.append(tree)
            opened.key = None

    def is_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].tree.kind == "mapping" and self.stack[-1].key is None

    def scalar(self, event: yaml.ScalarEvent) -> Tree:
        mark = event.start_mark
        plain = event.style is None or event.style == ""
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self.fail(f"the tag {event.tag} is not allowed", mark.line, mark.column, "Write a plain value.")
        value: Any = event.value
        # keys are JSON's: always strings
        if plain and event.tag is None and not self.is_key():
            value = self.resolve(event)
        return Tree(
            kind="scalar",
            value=value,
            start=mark.index,
            end=event.end_mark.index,
            line=mark.line,
            column=mark.column,
            style=event.style or "",
            anchor=event.anchor,
            tagged=event.tag is not None,
        )

    def resolve(self, event: yaml.ScalarEvent) -> Any:
        """What a plain scalar means by the core schema of YAML 1.2, section 10.3."""
        text: str = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text[0] not in _NUMBER_START:
            return text
        mark = event.start_mark
        if _INTEGER.fullmatch(text):
            if len(text) > 1000:
                self.fail("a number of more than 1,000 digits", mark.line, mark.column, "Put it in quotes.")
            return int(text)
        if found := _OTHER_BASE.fullmatch(text[:1000]):
            return int(found[1], 8) if found[1] else int(found[2], 16)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
        elif not _NOT_FINITE.fullmatch(text):
            return text
        self.fail(f"JSON has no number {text}", mark.line, mark.column, "Put it in quotes to make it a string.")
