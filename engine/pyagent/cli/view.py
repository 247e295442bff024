"""A run as the terminal shows it: the stream of events folded into steps, each with its label and place in the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pyagent.store.base import ENDED

if TYPE_CHECKING:
    from pyagent.graph.spec import GraphSpec
    from pyagent.runtime.library import GraphLibrary
    from pyagent.store.base import Event, StepRecord

_STATUS = {
    "step.started": "running",
    "step.completed": "completed",
    "step.failed": "failed",
    "step.cancelled": "cancelled",
    "step.skipped": "skipped",
    "step.waiting": "waiting",
    "step.unknown": "unknown",
    "step.retrying": "retrying",
    "step.expanded": "running",
}
ENDED_STEPS = frozenset({"completed", "failed", "cancelled", "skipped"})


@dataclass(kw_only=True)
class StepView:
    """One step as it is shown."""

    key: str
    """The step as text, `frame/node@scope`."""
    label: str
    depth: int
    """Maps and called graphs it is inside of."""
    status: str = "running"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    items_out: Mapping[str, int] = field(default_factory=dict[str, int])
    attempt: int = 1
    message: str = ""
    fraction: float | None = None
    error: Mapping[str, Any] | None = None
    handled: bool = False
    """Failed, and the run went on by the node's `on_error`."""
    wait: Mapping[str, Any] | None = None

    @property
    def parent(self) -> str | None:
        """The key of the map or call that the step is inside of."""
        return parent_of(self.key)

    def seconds(self, now: datetime) -> float | None:
        """How long it took, or takes so far."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())

    @property
    def items(self) -> int:
        """Items put out on all ports."""
        return sum(self.items_out.values())

    @property
    def items_text(self) -> str:
        """`1 item`, `5 items: 4 out, 1 rest`."""
        ports = [f"{count} {port}" for port, count in self.items_out.items() if count]
        return f"{self.items} item{'s' * (self.items != 1)}" + (f": {', '.join(ports)}" if len(ports) > 1 else "")


def parent_of(key: str) -> str | None:
    """The step whose body or called graph holds the step: `each` of `each[3]/work`, `call` of `call()/work`."""
    frame = key.rpartition("/")[0]
    if not frame:
        return None
    outer, slash, inner = frame.rpartition("/")
    inner = inner.removesuffix("()") if inner.endswith("()") else inner.rpartition("[")[0]
    return f"{outer}{slash}{inner}"


class Labels:
    """What people call steps: the nodes' names, in called graphs too."""

    def __init__(self, spec: GraphSpec, library: GraphLibrary | None = None) -> None:
        self._library = library
        self._frames: dict[str, GraphSpec | None] = {"": spec}

    def of(self, key: str) -> str:
        """The node's name; with the iterations and the map's element it is in."""
        frame, _, step = key.rpartition("/")
        node, _, scope = step.partition("@")
        spec = self._spec(frame)
        found = spec.by_id.get(node) if spec else None
        label = found.label if found else node
        element = frame.rpartition("[")[2].removesuffix("]") if frame.endswith("]") else ""
        marks = [f"#{scope}"] if scope else []
        marks += [f"[{element}]"] if element else []
        return " ".join([label, *marks])

    def _spec(self, frame: str) -> GraphSpec | None:
        if frame not in self._frames:
            self._frames[frame] = self._find(frame)
        return self._frames[frame]

    def _find(self, frame: str) -> GraphSpec | None:
        caller = parent_of(f"{frame}/x")
        if caller is None:
            return None
        outer = self._spec(caller.rpartition("/")[0])
        node = outer.by_id.get(caller.rpartition("/")[2].partition("@")[0]) if outer else None
        if node is None or outer is None:
            return None
        if node.body is not None:
            return outer
        name = node.params.get("graph")
        found = self._library.find(name) if self._library and isinstance(name, str) and "{{" not in name else None
        return found.spec if found else None


class RunView:
    """All steps of a run, in the order in which they were first heard of."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self.steps: dict[str, StepView] = {}
        self._inside: dict[str | None, list[StepView]] = {}
        self.status = "queued"
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.cursor = 0

    def step(self, key: str) -> StepView:
        """The step with this key, made if it was not heard of."""
        if key not in self.steps:
            parent, depth = parent_of(key), 0
            while parent is not None:
                parent, depth = parent_of(parent), depth + 1
            step = self.steps[key] = StepView(key=key, label=self._labels.of(key), depth=depth)
            self._inside.setdefault(step.parent, []).append(step)
        return self.steps[key]

    def apply(self, event: Event) -> StepView | None:
        """Take an event in; returns the step it is about."""
        self.cursor = max(self.cursor, event.cursor)
        if not event.step:
            self._apply_run(event)
            return None
        step = self.step(event.step)
        data = event.data
        status = _STATUS.get(event.kind)
        if status is not None:
            step.status = status
        match event.kind:
            case "step.started":
                if step.ended_at is not None or step.started_at is None:
                    step.started_at, step.ended_at = event.at, None
                step.attempt, step.error, step.wait = int(data.get("attempt", 1)), None, None
            case "step.expanded":
                step.started_at = step.started_at or event.at
                step.message = f"{data['elements']} elements" if data.get("into") == "map" else ""
            case "step.progress":
                step.message, step.fraction = str(data.get("message", "")), data.get("fraction")
            case "step.log":
                step.message = str(data.get("message", ""))
            case "step.waiting":
                step.wait = cast("Mapping[str, Any]", data.get("wait") or {})
                step.message = str(step.wait.get("title") or "")
            case "step.unknown":
                step.wait = {"kind": "unknown", "reason": data.get("reason", "")}
                step.message = str(data.get("reason", ""))
            case "step.retrying":
                step.message = f"try {data.get('attempt', 1)} failed: {_brief(data.get('error'))}"
            case "step.answered" | "step.resolved":
                step.wait = None
            case "step.completed" | "step.failed" | "step.cancelled" | "step.skipped":
                step.ended_at = event.at
                step.wait, step.fraction = None, None
                step.items_out = cast("Mapping[str, int]", data.get("items") or {})
                step.error = data.get("error")
                step.handled = bool(data.get("handled"))
                if step.error:
                    step.message = _brief(step.error)
            case _:
                pass
        return step

    def _apply_run(self, event: Event) -> None:
        kind = event.kind.removeprefix("run.")
        self.status = {"started": "running", "adopted": "running", "resumed": "running"}.get(kind, kind)
        if kind == "started":
            self.started_at = event.at
        self.ended_at = event.at if kind in ENDED else None

    def waiting(self) -> list[StepView]:
        """Steps that wait for somebody or for a time."""
        return [step for step in self.steps.values() if step.status in ("waiting", "unknown") and step.wait]

    def children(self, key: str | None) -> list[StepView]:
        """The steps directly inside of a map or call; None: those of the run itself."""
        return self._inside.get(key, [])

    @staticmethod
    def of_records(labels: Labels, records: Sequence[StepRecord]) -> RunView:
        """The view of the store's step rows, for runs that are not followed."""
        view = RunView(labels)
        view.take_in(records)
        return view

    def take_in(
        self, records: Sequence[StepRecord], started_at: datetime | None = None, cursor: int | None = None
    ) -> None:
        """Take in how the steps stand; with `cursor`, the events up to there are then known."""
        self.started_at = started_at or self.started_at
        self.cursor = self.cursor if cursor is None else cursor
        for record in records:
            step = self.step(record.step)
            step.status, step.attempt = record.status, record.attempt
            step.started_at, step.ended_at = record.started_at, record.ended_at
            step.items_out, step.error, step.wait = record.items_out, record.error, record.wait
            step.message = _brief(record.error) if record.error else str((record.wait or {}).get("title") or "")


def _brief(error: Any) -> str:
    if not isinstance(error, Mapping):
        return ""
    data = cast("Mapping[str, Any]", error)
    return f"{data.get('code', '')}: {data.get('message', '')}".strip(": ")


def now() -> datetime:
    """The time that running steps are measured against."""
    return datetime.now(UTC)


def duration(seconds: float | None) -> str:
    """`0.4s`, `12s`, `3m05s`, `2h10m`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"
