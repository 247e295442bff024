"""What the API gives of runs as a whole: their moments, figures, comparisons, kept data, and shared links."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from pyagent.runtime.kept import KeptState
from pyagent.server.graph_shapes import ChangeView
from pyagent.server.shapes import RunSummary, Shape
from pyagent.store.base import RunStatus, StepStatus

DAY_SECONDS = 24 * 3600


class MomentView(Shape):
    """One entry of a run's log."""

    n: int
    """From 1, without gaps."""
    at: datetime | None
    """When; where the log does not say, when the entry before it was."""
    kind: str
    """`run.started`, `step.ended`, `step.parked`, …"""
    step: str
    """`frame/node@scope`; empty for entries about the run."""
    status: StepStatus | None
    """How the step stands after it."""
    attempt: int | None


class MomentPage(Shape):
    """A page of moments."""

    moments: list[MomentView]
    count: int
    """In all."""
    next: int | None
    """`after` of the next page; null at the end."""


class RunMoment(Shape):
    """A run as it stood after an entry of its log."""

    n: int
    at: datetime | None
    kind: str
    step: str
    run_status: RunStatus
    state: dict[str, Any]
    """The values of its state channels."""
    steps: dict[str, StepStatus]
    """How each step stood; what was ready counts as running."""


class LastRuns(Shape):
    """The newest runs of some graphs, graph by graph."""

    runs: list[RunSummary]


class GraphFiguresView(Shape):
    """The runs of a graph."""

    graph: str
    runs: int
    failed: int
    p50: float | None
    """Seconds that a completed run took, waits included: half of them took no longer. Null where none completed."""
    p95: float | None
    last_run: RunSummary | None


class DayFiguresView(Shape):
    """The runs that were created on a day, in UTC."""

    day: date
    runs: int
    completed: int
    failed: int


class RunStatisticsView(Shape):
    """Figures about runs."""

    total: int
    statuses: dict[str, int]
    """Runs by status; one that none has is left out."""
    graphs: list[GraphFiguresView]
    """The one that ran last first."""
    days: list[DayFiguresView]
    """The first day first; days without runs are left out."""


class ComparedStep(Shape):
    """A step in one of the runs."""

    status: StepStatus
    attempt: int
    seconds: float | None
    items_in: int
    items_out: dict[str, int]


class StepComparison(Shape):
    """A step in two runs."""

    step: str
    node: str
    a: ComparedStep | None
    """Null in a run that has no such step."""
    b: ComparedStep | None
    inputs_equal: bool | None
    """Whether both were given the same items; null where one of them was given none."""
    outputs_equal: bool | None
    """Whether both put out the same items; null where one of them has not ended."""


class RunComparison(Shape):
    """Two runs beside each other."""

    a: RunSummary
    b: RunSummary
    inputs_equal: bool
    outputs_equal: bool | None
    graph_changes: list[ChangeView]
    """From the version of `a` to that of `b`."""
    steps: list[StepComparison]


class KeptNodeView(Shape):
    """A node that leads to the one that is asked about."""

    node: str
    state: KeptState
    """`kept`: its outcome is taken over; `stale`: it, or what leads to it, has changed; `missing`: it has none."""
    step: str | None
    """Its step that ended last."""


class KeptDataView(Shape):
    """Which earlier run has the data that a node needs."""

    node: str
    """The node, or of one in a body the node whose body that is."""
    run: RunSummary | None
    """What to fork; null where no run has anything to keep."""
    reached: bool
    """The run came to the node itself."""
    complete: bool
    """All that leads to the node is kept: a fork at it runs it alone."""
    ancestors: list[KeptNodeView]


class ShareRun(Shape):
    """Give a link to a run away."""

    expires_in: int = Field(
        7 * DAY_SECONDS, ge=60, le=366 * DAY_SECONDS, description="Seconds for which the link opens the page"
    )
    data: bool = Field(True, description="Show the items that steps put out, and the run's inputs and outputs")


class SharedRun(Shape):
    """A link that shows one run to whoever has it, without a login."""

    id: str
    """To revoke it."""
    path: str
    """On this server."""
    expires_at: datetime
    created_at: datetime
    actor: str
    data: bool


class SharedRuns(Shape):
    """The links to a run that open it now."""

    links: list[SharedRun]


class PreviewExpression(Shape):
    """Evaluate a template without running anything."""

    graph: str | None = Field(None, description="Id of the graph, as its file is", pattern="^[a-z][a-z0-9_]*$")
    spec: dict[str, Any] | None = Field(None, description="The graph as data, unsaved; this or `graph`")
    node: str = Field(max_length=200, description="The node that would read it")
    template: Any = Field(description="A string with `{{ }}`, or any JSON with such strings inside")
    run: str | None = Field(None, description="The run whose data are read", pattern="^[0-9a-z]{6,40}$")
    step: str | None = Field(None, description="Its step; left out, the node's last one", max_length=1000)
    item: int = Field(0, ge=0, le=2**53, description="Index among the items that the node is given")
    inputs: dict[str, Any] | None = Field(None, description="`$inputs`, where no run is given")


class PreviewError(Shape):
    """Why a template gave nothing."""

    code: str
    message: str
    hint: str | None
    field: str | None
    """Dotted path in the template; null for a template that is a string."""
    line: int | None
    """Inside that string, from 1."""
    column: int | None
    """In characters, from 1."""
    offset: int | None
    """Characters of the string before the place."""
    missing: list[str] = []
    """Nodes that have no data yet (`preview.no_data`)."""


class PreviewedExpression(Shape):
    """What a template gives."""

    ok: bool
    value: Any
    text: str
    """As it is shown: a text as it is, anything else as JSON; at most 64 KiB."""
    cut: bool
    """`text` is the beginning only, and `value` is null."""
    error: PreviewError | None
    reads: list[str]
    """`$json`, `$('decide')`, …"""
    items: int
    """Items that the node is given; `item` chooses one."""
    step: str | None
    """The run's step whose data were read; null where they were put together."""


class LanguageEntry(Shape):
    """A name, a property or a method of the language of expressions."""

    name: str
    on: Literal["global", "string", "number", "array", "object", "date", "boolean", "items", "input", "node"]
    """What it belongs to."""
    signature: str
    """`first(port?)`, or the name alone for what is no function."""
    gives: str
    doc: str
    source: Literal["javascript", "n8n", "pyagent", "luxon"]


class Language(Shape):
    """What expressions can say, for completion."""

    entries: list[LanguageEntry]
