"""What the API takes and gives about graphs and node types, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.server.openapi import ErrorPlace
from pyagent.server.shapes import GRAPH_ID, MAX_TEXT, Shape

HASH = "^[0-9a-f]{64}$"
GraphContent = Annotated[str, Field(max_length=MAX_TEXT)] | dict[str, Any]
"""A graph file as text or as data."""


class EditView(Shape):
    """What to write at a path of a graph's `spec`, or, with `remove`, to take away there.

    Edits are made one after the other. Mappings on the way that are missing are made; the place behind a list's last
    item appends.
    """

    path: list[str | int]
    value: Any = None
    remove: bool = False


class FixView(Shape):
    """A quick fix of a problem: edits of the graph's `spec`."""

    title: str
    """What it does, in the imperative."""
    edits: list[EditView]


class ProblemView(Shape):
    """One thing that `pyagent graph check` says."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    hint: str
    where: ErrorPlace
    path: list[str | int] = []
    """Where it is in the graph's `spec`, or where what is missing should be: `["nodes", 3, "with", "url"]`."""
    fix: FixView | None = None
    """What makes it go, where the check knows that."""


class GraphSummary(Shape):
    """A graph of the library."""

    id: str
    name: str
    description: str
    nodes: int
    file: str
    ready_made: bool = False
    """It came with PyAgent: a template, to be copied."""
    problem: ProblemView | None = None
    """Why the file is no graph; such a one has nothing but an id, that of its name, and a file."""


class OutlinedNode(Shape):
    """A node in a small picture."""

    domain: str
    at: tuple[float, float] | None = None
    """Where the designer draws it, if the file says so."""


class GraphOutline(Shape):
    """What a small picture of a graph needs: its upper level, without words."""

    nodes: list[OutlinedNode]
    """The first 120 in the order of the file."""
    edges: list[tuple[int, int]]
    """Between which of them there are edges, by their places in `nodes`."""


class ListedGraph(GraphSummary):
    """A graph of the library, with its outline."""

    outline: GraphOutline | None = None


class GraphPage(Shape):
    """A page of graphs, by id."""

    graphs: list[ListedGraph]
    next: str | None
    """`after` of the next page; null at the end."""


class GraphDetails(GraphSummary):
    """A graph with all that a form and a picture need."""

    hash: str
    """What runs are pinned to: comments, pins and what is only drawn do not count."""
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


class _Written(Shape):
    """A graph as text or as data, one of both."""

    text: str | None = Field(None, max_length=MAX_TEXT, description="The graph file")
    spec: dict[str, Any] | None = Field(None, description="The graph file as data, instead of `text`")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.text is None) == (self.spec is None):
            raise ValueError("give either `text` or `spec`")
        return self


class NewGraph(_Written):
    """A new graph file; its `id` names it."""


class DuplicateGraph(Shape):
    """A copy of a graph under another id."""

    id: str = Field(pattern=GRAPH_ID, max_length=200, description="The copy's id; it names its file, too")
    name: str | None = Field(None, max_length=1000, description="The copy's name; left out, that of the graph")


class RenameFile(Shape):
    """Another name for a graph's file; the graph's id stays."""

    file: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.ya?ml$", max_length=200, description="In the folder that it is in"
    )


class SaveGraph(_Written):
    """A graph file as an editor leaves it; of a `spec` the text is that of `base`, changed where the graph differs."""

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


class EditGraph(Shape):
    """A graph's text, and what it shall say."""

    text: str = Field(max_length=MAX_TEXT, description="The file as the editor knows it; empty for a new one")
    spec: dict[str, Any] | None = Field(None, description="What it shall say; null: only tell what it says")


class NodeView(Shape):
    """What a node's type, its parameters and the edges say of it: all that an editor needs to draw it."""

    title: str
    """What people call its type; of a type that is not installed its name."""
    installed: bool
    kind: Literal["action", "trigger", "loop", "map", "call"]
    trigger: bool
    """A run may start here."""
    effects: Literal["none", "idempotent", "once"]
    ports_in: list[str]
    """The first is the default one; `*`: an edge may name any other."""
    ports_out: list[str]
    """The first is the default one; `error` included where it is routed."""
    ports_known: bool
    """The ports are those that there are; else only those that edges name, since nothing tells of the others."""
    owner: str | None
    """The node whose body it is in."""
    loop_header: bool
    back_edges: list[str]
    """The edges that bring the next iteration to this header."""


class EditedGraph(Shape):
    """A graph's text after an edit."""

    ok: bool
    """`text` says `spec`. False: the text is no graph, or the data is none; `text` is then what was sent."""
    text: str
    text_hash: str
    hash: str | None
    """What runs are pinned to: comments, pins and what is only drawn do not count."""
    spec: dict[str, Any] | None
    """What `text` says, in canonical form."""
    problems: list[ProblemView]
    """What `pyagent graph check` says; without lines where `spec` was none."""
    nodes: dict[str, NodeView]
    """By id, bodies included."""


class MergeGraphs(Shape):
    """Two descendants of one version, as texts or as data."""

    base: GraphContent = Field(description="What both come from; empty text: both are new")
    ours: GraphContent
    theirs: GraphContent


class ConflictView(Shape):
    """One place that both sides changed, and not alike."""

    path: str
    """By identity: `nodes.decide.with.rules[0].when`, `edges[decide.urgent -> page]`."""
    parts: list[str | int]
    """The same, part by part; a node is `nodes` and its id, whichever body it is in."""
    kind: Literal["changed", "added", "deleted", "dangling", "order"]
    base: Any
    ours: Any
    theirs: Any
    absent: list[Literal["base", "ours", "theirs"]]
    """The sides that have nothing there; null is a value."""
    line: int | None
    """Of the conflict's `<<<<<<<` in the text with markers."""


class MergedGraph(Shape):
    """What two versions say together. Where they do not go together, their side is taken, and `conflicts` tells."""

    clean: bool
    """There are no conflicts."""
    text: str
    """Every conflict settled by their side."""
    spec: dict[str, Any] | None
    """What `text` says; null where that is no graph: what both sides have may not fit together."""
    with_ours: str
    """The text with every conflict settled by our side."""
    with_ours_spec: dict[str, Any] | None
    marked: str
    """The text with `<<<<<<<`, `=======`, `>>>>>>>` around each conflict."""
    conflicts: list[ConflictView]


class DiffGraphs(Shape):
    """Two texts to compare."""

    old: str = Field(max_length=MAX_TEXT)
    new: str = Field(max_length=MAX_TEXT)


class FileChange(Shape):
    """A graph's file has changed on disk."""

    graph: str
    """Id of the graph; of a file that is none its name."""
    file: str
    text_hash: str | None
    """Null: the file is gone, or cannot be read."""
    kind: Literal["added", "changed", "removed"]


class HistoryEntry(Shape):
    """What a graph's file once said."""

    source: Literal["git", "store"]
    ref: str
    """The commit, or the version's hash."""
    at: datetime
    author: str
    subject: str
    """The first line of the commit's message."""
    text_hash: str


class HistoryPage(Shape):
    """What the file said before, newest first."""

    entries: list[HistoryEntry]


class HistoryText(Shape):
    """A graph's file as it was."""

    source: Literal["git", "store"]
    ref: str
    text: str
    text_hash: str
    spec: dict[str, Any] | None
    """What it says; null where it is no graph that this server can read."""


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
