"""Reads and writes graph files: what is not changed stays as it was written, to the byte."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pyagent.errors import GraphError, Where
from pyagent.graph.problems import Problem, schema_problems
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml_edit import edit
from pyagent.graph.yaml_format import fmt, render
from pyagent.graph.yaml_tree import MAX_CHARACTERS, Tree, field_of, parse
from pyagent.graph.yaml_tree import Path as TreePath

BOM = "\ufeff"
_MOST_BYTES = 4 * MAX_CHARACTERS


@dataclass(frozen=True, kw_only=True)
class Document:
    """A graph file: its text, what it says, and where it says it."""

    text: str
    spec: GraphSpec
    tree: Tree
    file: str | None = None
    """Path of the file, for messages."""

    def where(self, path: TreePath = (), *, node: str | None = None) -> Where:
        """Line and column of what stands at `path`, such as `("nodes", 3, "with", "rules", 0, "when")`."""
        line, column = self.tree.locate(path)
        return Where(file=self.file, line=line, column=column, node=node, field=field_of(path) or None)

    def save_text(self) -> str:
        """The text to write: byte for byte the one that was read, if nothing was changed."""
        return self.text

    def update(self, spec: GraphSpec) -> Document:
        """The document that says `spec`: only what differs is written anew; comments and order of the rest stay."""
        old, new = self.spec.to_data(), spec.to_data()
        if old == new:
            return self
        text = self.text.removeprefix(BOM)
        crlf = "\r\n" in text
        plain = text.replace("\r\n", "\n") if crlf else text
        found = _edited(plain, parse(plain) if crlf else self.tree, old, new)
        if found is None:
            ordered = fmt(plain)
            found = _edited(ordered, parse(ordered), old, new)
        written, tree = found or (render(new), None)
        if crlf:
            written, tree = written.replace("\n", "\r\n"), None
        tree = tree or parse(written, self.file)
        if self.text.startswith(BOM):
            written = BOM + written
        return replace(self, text=written, spec=spec, tree=tree)


def load_text(text: str | bytes, file: str | None = None) -> Document:
    """The document that `text` holds.

    Raises `GraphError`: `graph.yaml` if it is not YAML, else the first thing that does not fit the format, such as
    `graph.schema`, `graph.edge.syntax` or `graph.id.invalid`; `details["problems"]` has all of them. Each has line
    and column. Whether the graph makes sense is the subject of `graph.check`.
    """
    decoded = decode(text, file)
    tree = parse(decoded.removeprefix(BOM), file)
    try:
        spec = validate(tree.value)
    except ValidationError as error:
        problems = schema_problems(error, tree, file)
        raise _error(problems) from None
    return Document(text=decoded, spec=spec, tree=tree, file=file)


def load_file(path: str | Path) -> Document:
    """`load_text` of the file at `path`. Raises `GraphError` (`graph.file`) if it cannot be read."""
    return load_text(read_file(path), shown(path))


def shown(path: str | Path) -> str:
    """A path as people and messages take it: names need not be UTF-8, and what is no character is shown as such."""
    return os.fsencode(path).decode("utf-8", "replace")


def read_file(path: str | Path) -> bytes:
    """The bytes of a graph file. Raises `GraphError` (`graph.file`) if it cannot be read, or is larger than any."""
    try:
        with Path(path).open("rb") as file:
            # The size that the system tells is not asked: devices have none, and never end.
            found = file.read(_MOST_BYTES + 1)
    except OSError as error:
        inside = isinstance(error, IsADirectoryError)
        raise GraphError(
            f"cannot read the file: {error.strerror or error}",
            code="graph.file",
            hint=f"Name its files: {shown(path)}/*.yaml" if inside else "Check the path and its permissions.",
            where=Where(file=shown(path)),
        ) from error
    if len(found) > _MOST_BYTES:
        raise GraphError(
            f"the file is larger than {_MOST_BYTES // 1_000_000} MB: it is no graph",
            code="graph.file",
            hint="Check the path.",
            where=Where(file=shown(path)),
        )
    return found


def decode(text: str | bytes, file: str | None = None) -> str:
    """`text` as UTF-8; raises `GraphError` (`graph.yaml`) if it is not."""
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise GraphError(
            "the file is not UTF-8 text",
            code="graph.yaml",
            hint="Save it as UTF-8.",
            where=Where(file=file, line=line, column=1),
        ) from None


def validate(data: dict[str, Any]) -> GraphSpec:
    """The graph that a file's data describes; raises pydantic's `ValidationError`."""
    return GraphSpec.model_validate(data, by_alias=True, by_name=False)


def dump(spec: GraphSpec) -> str:
    """The canonical text of `spec`, without comments: what a new file holds."""
    return render(spec.to_data())


def _edited(text: str, tree: Tree, old: dict[str, Any], new: dict[str, Any]) -> tuple[str, Tree] | None:
    """The edited text and its tree, if it says `new` when it is read again."""
    written = edit(text, tree, old, new)
    try:
        found = parse(written)
        return (written, found) if validate(found.value).to_data() == new else None
    except (GraphError, ValidationError):
        return None


def _error(problems: list[Problem]) -> GraphError:
    first = problems[0]
    return GraphError(
        first.message,
        code=first.code,
        hint=first.hint,
        where=first.where,
        details={"problems": [problem.as_dict() for problem in problems]},
    )


__all__ = ["Document", "decode", "dump", "fmt", "load_file", "load_text", "read_file", "validate"]
