"""What the API takes and gives about runs, as pydantic models: the source of its OpenAPI description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from pyagent.runtime.event_kinds import EVENTS_VERSION
from pyagent.runtime.log import decode
from pyagent.runtime.partial import until_of
from pyagent.store.base import Event, HowSettled, KeyPolicy, OnceChoice, Run, RunStatus, StepRecord, StepStatus

MAX_TEXT = 4 * 1024 * 1024
"""Characters of a graph file."""
GRAPH_ID = "^[a-z][a-z0-9_]*$"
"""What the API takes for a graph. The engine also takes paths and whole files, from people at this machine."""


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # By its zone it lies outside of the years 1 to 9999, of which stores know none.
        raise ValueError("it is no time from year 1 to 9999") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time, in UTC."""


class Shape(BaseModel):
    """Base of the models: frozen, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RunSummary(Shape):
    """A run without its data."""

    id: str
    graph: str
    graph_hash: str
    status: RunStatus
    trigger: str
    production: bool
    key: str | None
    priority: int
    actor: str
    forked_from: str | None
    until: str | None
    """The node that a partial run ends at: only that and what leads to it take part."""
    continues: str | None
    """The run that this one is the successor of (`flow.restart`)."""
    continued_as: str | None
    """The run's successor."""
    parent_run: str | None
    parent_step: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    wake_at: datetime | None
    error: dict[str, Any] | None

    @classmethod
    def fields_of(cls, run: Run) -> dict[str, Any]:
        """The summary's fields."""
        return {
            "id": run.id,
            "graph": run.graph_id,
            "graph_hash": run.graph_hash,
            "status": run.status,
            "trigger": run.trigger,
            "production": run.production,
            "key": run.key,
            "priority": run.priority,
            "actor": run.actor,
            "forked_from": run.forked_from,
            "until": until_of(run) or None,
            "continues": run.continues,
            "continued_as": run.continued_as,
            "parent_run": run.parent_run,
            "parent_step": run.parent_step,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "wake_at": run.wake_at,
            "error": dict(run.error) if run.error else None,
        }

    @classmethod
    def of(cls, run: Run) -> RunSummary:
        """The summary of a run."""
        return cls(**cls.fields_of(run))


class StepView(Shape):
    """A step as it stands."""

    step: str
    """`frame/node@scope`."""
    node: str
    status: StepStatus
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    items_in: int
    items_out: dict[str, int]
    error: dict[str, Any] | None
    wait: dict[str, Any] | None
    kept: bool = False
    """Its outcome was taken over from the run that this one is a fork of."""
    form: str | None = None
    """While the step waits for a person: the path of a page on this server by which whoever has it may answer once."""

    @classmethod
    def of(cls, record: StepRecord, *, kept: bool = False, form: str | None = None) -> StepView:
        """The view of a store's row."""
        return cls(
            step=record.step,
            node=record.node,
            status=record.status,
            attempt=record.attempt,
            started_at=record.started_at,
            ended_at=record.ended_at,
            items_in=record.items_in,
            items_out=dict(record.items_out),
            error=dict(record.error) if record.error else None,
            wait=dict(record.wait) if record.wait else None,
            kept=kept,
            form=form,
        )


class FrameView(Shape):
    """A graph inside of a run: the run's own (frame `""`), or one that a step called (`code()`)."""

    frame: str
    graph: str
    hash: str
    """Of the version that it runs on."""
    name: str
    labels: dict[str, str]
    """What people call its nodes, by id."""


class RunDetails(RunSummary):
    """A run with its data and steps."""

    name: str
    inputs: dict[str, Any]
    outputs: Any
    steps: list[StepView]
    frames: list[FrameView]
    report: str | None
    """Address of the page that the run has written, if there is one."""
    cursor: int
    """Events after this one are not in here yet."""

    @classmethod
    def build(cls, run: Run, **more: Any) -> RunDetails:
        """The details of a run."""
        outputs = decode(run.outputs) if run.outputs else None
        return cls(**cls.fields_of(run), inputs=decode(run.inputs), outputs=outputs, **more)


class RunPage(Shape):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    next: str | None
    """`before` of the next page; null at the end."""


class EventView(Shape):
    """One event; docs/reference/events.md tells the kinds."""

    version: int = EVENTS_VERSION
    """Of the stream's schema."""
    cursor: int
    run_id: str
    kind: str
    step: str
    at: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> EventView:
        """The view of a store's event."""
        return cls(
            cursor=event.cursor,
            run_id=event.run_id,
            kind=event.kind,
            step=event.step,
            at=event.at,
            data=dict(event.data),
        )


class EventPage(Shape):
    """Events after a cursor."""

    events: list[EventView]
    next: int
    """`after` of the next page."""


class Cursor(Shape):
    """A place in the stream of events."""

    cursor: int


class StartRun(Shape):
    """Start a run."""

    graph: str = Field(description="Id of the graph", pattern=GRAPH_ID)
    inputs: dict[str, Any] = Field(default_factory=dict)
    text: str | None = Field(
        None,
        max_length=MAX_TEXT,
        description="The graph's file as the editor has it, unsaved, with that id; it takes the capability `edit`",
    )
    trigger: str = Field("", description="The trigger node; left out where there is one only, or one leads to `until`")
    until: str = Field(
        "", description="Only this node and what leads to it take part; for a node of a body, the whole map"
    )
    key: str | None = Field(None, description="Start key; the header Idempotency-Key says the same", max_length=200)
    on_key: KeyPolicy | None = Field(
        None, description="What to do when a run with the key is alive; with Idempotency-Key `existing`, else `reject`"
    )
    priority: int | None = Field(
        None,
        description="Queued runs with a higher one begin first; left out, the graph's own, or 0",
        ge=-1000,
        le=1000,
    )
    test: bool = Field(False, description="A test run: nodes with pins give their pinned data")
    consent: bool = Field(False, description="Agree to what the inputs make this machine do")


class Cancel(Shape):
    """Stop a run for good."""

    reason: str = Field("", max_length=1000)


class Fork(Shape):
    """Run again from a step."""

    step: str = Field(description="A step, or a node: its newest step. The run need not have come to the node")
    items: Any = Field(None, description="What the step puts out, instead of being executed again")
    graph: str | None = Field(None, description="Go on with the current version of this graph", pattern=GRAPH_ID)
    text: str | None = Field(
        None, max_length=MAX_TEXT, description="Go on with this file, unsaved; it takes the capability `edit`"
    )
    until: str = Field("", description="Only this node and what leads to it take part; as `step`: that node alone")
    test: bool | None = Field(None, description="Make it a test run, or none; left out, as the source is")
    once: OnceChoice = "ask"


class AnswerStep(Shape):
    """Answer a waiting step."""

    step: str = Field("", description="May be empty where only one waits")
    value: Any = Field(description='For an approval `{"approved": true, "comment": ""}`')


class Approve(Shape):
    """Approve what a step asks, or reject it."""

    step: str = Field("", description="May be empty where only one waits")
    approved: bool = True
    comment: str = Field("", max_length=10_000)


class SentSignal(Shape):
    """A signal has been sent."""

    sent: str


class SendSignal(Shape):
    """Send a signal."""

    name: str = Field(min_length=1, max_length=200)
    key: str = Field("", max_length=200)
    value: Any = None


class ResolveStep(Shape):
    """Settle a step whose outcome is unknown."""

    step: str = ""
    how: HowSettled
    items: list[dict[str, Any]] | dict[str, list[dict[str, Any]]] | None = None


class Link(Shape):
    """A link that opens the page once."""

    path: str
