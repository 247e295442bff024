"""What the API takes and gives about graphs and node types, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from pyagent.server.openapi import ErrorPlace
from pyagent.server.shapes import Shape

HASH = "^[0-9a-f]{64}$"
MAX_TEXT = 4 * 1024 * 1024
"""Characters of a graph file."""


class ProblemView(Shape):
    """One thing that `pyagent graph check` says."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    hint: str
    where: ErrorPlace


class GraphSummary(Shape):
    """A graph of the library."""

    id: str
    name: str
    description: str
    nodes: int
    file: str
    problem: ProblemView | None = None
    """Why the file is no graph; such a one has nothing but an id, that of its name, and a file."""


class GraphPage(Shape):
    """A page of graphs, by id."""

    graphs: list[GraphSummary]
    next: str | None
    """`after` of the next page; null at the end."""


class GraphDetails(GraphSummary):
    """A graph with all that a form and a picture need."""

    hash: str
    """What runs are pinned to: comments, layout and pins do not count."""
    text_hash: str
    """What a save is based on: the text to the byte. The header `ETag` says the same."""
    inputs_schema: dict[str, Any]
    """JSON Schema of a run's inputs; `consent` beside an input's type says what its value makes the machine do."""
    triggers: list[str]
    spec: dict[str, Any]
    """The graph file as data."""
    text: str
    """The graph file."""
    problems: list[ProblemView]
    """What `pyagent graph check` says."""
    merged: bool = False
    """After a save: the file had been changed elsewhere, and `text` holds both changes."""


class NewGraph(Shape):
    """A new graph file."""

    text: str = Field(max_length=MAX_TEXT, description="The graph file; its `id` names it")


class SaveGraph(Shape):
    """A graph file as an editor leaves it."""

    text: str = Field(max_length=MAX_TEXT)
    base: str | None = Field(
        None, pattern=HASH, description="`text_hash` of the text the editor started from; `If-Match` says the same"
    )
    base_text: str | None = Field(
        None,
        max_length=MAX_TEXT,
        description="That text; it is needed where the file has changed and the server does not remember the text",
    )


class CheckGraph(Shape):
    """A text to check."""

    text: str = Field(max_length=MAX_TEXT)


class CheckedGraph(Shape):
    """What is wrong with a text."""

    ok: bool
    """Nothing stops it from being run; there may be warnings."""
    problems: list[ProblemView]


class VersionView(Shape):
    """A version of a graph that the store keeps."""

    graph: str
    hash: str
    created_at: datetime
    text: str | None = None
    """Left out in lists."""


class VersionList(Shape):
    """Versions, the one kept last first."""

    versions: list[VersionView]


class ChangeView(Shape):
    """One difference between two versions."""

    kind: Literal["added", "removed", "changed", "renamed", "moved"]
    path: str
    """`nodes.decide.with.rules[0].when`, `edges[a -> b]`"""
    old: Any
    new: Any
    lines: list[int | None]
    """The line in the old and in the new text, where there is one."""
    note: str = ""
    """What somebody should know who makes this change."""


class GraphDiff(Shape):
    """What has changed."""

    changes: list[ChangeView]
    text: str
    """The same for people, one change a line."""


class NodeTypeSummary(Shape):
    """A node type."""

    use: str
    """`domain.name@version`, as a graph file writes it."""
    name: str
    version: int
    title: str
    description: str
    """Markdown."""
    icon: str
    icon_svg: str
    """The icon as an SVG path on a square of 24 by 24, to be stroked."""
    kind: Literal["action", "trigger", "loop", "map", "call"]
    effects: Literal["none", "idempotent", "once"] | None
    """Null: the parameters decide."""
    ports_in: list[str]
    """`*`: an edge may name any other port."""
    ports_out: list[str] | None
    """Null: the parameters decide."""
    each_item: bool


class NodeTypeDetails(NodeTypeSummary):
    """A node type with its parameters."""

    params_schema: dict[str, Any]
    """JSON Schema; a value may also be a template (`{{ … }}`)."""
    concurrency: int
    live: bool
    """The world starts graphs here: by a schedule, a request."""


class NodeTypeList(Shape):
    """The node types that are installed."""

    nodes: list[NodeTypeSummary]
