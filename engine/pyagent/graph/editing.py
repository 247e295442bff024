"""Editors change a graph as data; here its text follows, and what the checks say of it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydantic import ValidationError

from pyagent.errors import GraphError, Where
from pyagent.graph.check import Catalogue, Expressions, NodeFacts, Problem, check_text, inspect
from pyagent.graph.spec import GraphSpec
from pyagent.graph.uncollected import uncollected
from pyagent.graph.yaml import Document, dump, load_text, validate
from pyagent.graph.yaml_format import render
from pyagent.graph.yaml_tree import MAX_DEPTH


@dataclass(frozen=True, kw_only=True)
class Edited:
    """A graph's text after an edit, and what can be said of it."""

    text: str
    """The new text; the one that was given where the edit could not be made."""
    document: Document | None
    """What the text says; None where it is no graph, or the edit could not be made."""
    problems: list[Problem]
    """What the checks say; without lines where what they speak of stands in no text."""
    nodes: Mapping[str, NodeFacts] = field(default_factory=dict[str, NodeFacts])
    """What an editor needs to draw each node, by id."""


def edit_text(
    text: str,
    data: Any | None,
    catalogue: Catalogue,
    expressions: Expressions | None = None,
    *,
    load: Callable[[str], Document] = load_text,
) -> Edited:
    """`text` changed so that it says `data`, a graph as `GraphSpec.to_data` gives it; None: as it is.

    Only what differs is written anew. An empty text becomes a new one. `load` reads a text, or has it read already.
    """
    with uncollected(len(text)):
        return _edited(text, data, catalogue, expressions, load)


def _edited(
    text: str,
    data: Any | None,
    catalogue: Catalogue,
    expressions: Expressions | None,
    load: Callable[[str], Document],
) -> Edited:
    try:
        document = load(text) if text.strip() or data is None else None
    except GraphError:
        return Edited(text=text, document=None, problems=check_text(text, catalogue, expressions))
    if data is not None:
        try:
            spec = read_data(data)
        except GraphError as error:
            return Edited(text=text, document=None, problems=_problems(data, error, catalogue, expressions))
        try:
            document = document.update(spec) if document else load(dump(spec))
        except GraphError as error:
            # It can be said, and not be written: a key of thousands of characters, more values than a file may have.
            problem = Problem.of(error)
            return Edited(text=text, document=None, problems=[replace(problem, where=_without_line(problem.where))])
    assert document is not None
    problems, nodes = inspect(document, catalogue, expressions)
    return Edited(text=document.text, document=document, problems=problems, nodes=nodes)


def read_data(data: Any) -> GraphSpec:
    """The graph that `data` describes. Raises `GraphError` (`graph.schema`) if it describes none."""
    if is_deeper(data, MAX_DEPTH):
        raise GraphError(
            f"the graph's data is nested deeper than {MAX_DEPTH} levels: no graph file is",
            code="graph.schema",
            hint="Make the data flatter, or call a graph in place of a body inside a body.",
        )
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise GraphError(
            "the graph's data holds what no graph file can: a number that is not finite, or half of a surrogate pair",
            code="graph.schema",
            hint="Take it out.",
        ) from None
    try:
        return validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise GraphError(
            f"the data is no graph: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            code="graph.schema",
            hint="`POST /api/v1/graphs/edit` tells all that is wrong with it.",
        ) from error


def is_deeper(data: Any, levels: int) -> bool:
    """Whether lists and mappings are nested in more than so many levels."""
    found: list[Any] = [data]
    for _ in range(levels):
        inside: list[Any] = []
        for one in found:
            if isinstance(one, dict):
                inside += cast("dict[str, Any]", one).values()
            elif isinstance(one, list):
                inside += cast("list[Any]", one)
        found = [one for one in inside if isinstance(one, dict | list)]
        if not found:
            return False
    return True


def _problems(data: Any, error: GraphError, catalogue: Catalogue, expressions: Expressions | None) -> list[Problem]:
    """All that is wrong with data that is no graph. It stands in no text, so no lines are told."""
    if not isinstance(data, dict) or not data or not isinstance(error.__cause__, ValidationError):
        return [Problem.of(error)]
    found = check_text(render(cast("dict[str, Any]", data)), catalogue, expressions)
    return [replace(problem, where=_without_line(problem.where)) for problem in found]


def _without_line(where: Where) -> Where:
    return replace(where, file=None, line=None, column=None)


__all__ = ["Edited", "edit_text", "is_deeper", "read_data"]
