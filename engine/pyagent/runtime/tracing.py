"""Spans of runs, steps and tries for OpenTelemetry, made from what was committed; switched on by its own variables.

The SDK is the extra `pyagent[otel]` and is imported when the first run is traced. Spans tell which node of which graph
ran how long and how it ended: no inputs, outputs or words of errors.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pyagent.runtime.observe import Driving, owner_of
from pyagent.runtime.telemetry import exporter_wanted, load_exporter, resource
from pyagent.runtime.trace import RunTrace, TraceContext, span_of, trace_of
from pyagent.settings import OTEL_EXPORTER, OTEL_TRACES_ENDPOINT
from pyagent.store.base import Commit, NewEvent, Run

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Link, SpanContext

logger = logging.getLogger("pyagent.tracing")
PARTING = 3.0
"""Seconds that the last spans get to leave."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDED = {"step.completed": "completed", "step.failed": "failed", "step.cancelled": "cancelled"}
_RUN_ENDED = {"run.completed": "completed", "run.failed": "failed", "run.cancelled": "cancelled"}


def tracer_from_environment() -> Tracer | None:
    """A tracer, where the variables of OpenTelemetry ask for traces; nothing is imported before a run is traced."""
    name = exporter_wanted(OTEL_EXPORTER, OTEL_TRACES_ENDPOINT)
    return Tracer(name) if name else None


class Tracer:
    """Tells OpenTelemetry of the runs that an engine drives. An `Observer`."""

    wants_steps = True

    def __init__(self, exporter: str = "otlp", *, processor: SpanProcessor | None = None) -> None:
        """`exporter`: as in OTEL_TRACES_EXPORTER. `processor` gets the spans in its place: for tests."""
        self._exporter = exporter
        self._processor = processor
        self._provider: TracerProvider | None = None
        self._missing = False

    def run_trace(self, run: Run) -> RunTrace:
        """How the run takes part in a trace: the one that it was started in, or one of its own."""
        given = TraceContext.read(run.labels)
        return RunTrace(run_id=run.id, given=given, sampled=self._sampled(run, given) if self._ready() else None)

    def driving(self, driving: Driving) -> _RunSpans:
        """The spans of a run that is taken up."""
        return _RunSpans(self, driving, self.run_trace(driving.run))

    async def close(self) -> None:
        """Send what is left, at most `PARTING` seconds; what a collector does not take by then is lost."""
        if self._processor is None:
            return
        # A thread that does not keep the process: a collector that hangs must not.
        leaving = threading.Thread(target=self._processor.shutdown, daemon=True, name="pyagent-spans")
        leaving.start()
        await asyncio.to_thread(leaving.join, PARTING)

    def end(
        self,
        trace: RunTrace,
        name: str,
        ids: tuple[str, str | None],
        times: tuple[datetime, datetime],
        attributes: Mapping[str, Any],
        *,
        error: str | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        """Tell of a span that has ended. `ids`: its own and its parent's, None for one without; `error`: a code."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.status import Status, StatusCode

        from pyagent import __version__

        own, parent = ids
        assert self._provider is not None
        assert self._processor is not None
        said = {key: value for key, value in attributes.items() if value is not None}
        self._processor.on_end(
            ReadableSpan(
                name=name,
                context=_span_context(trace, own),
                parent=None if parent is None else _span_context(trace, parent),
                resource=self._provider.resource,
                attributes={**said, "error.type": error} if error else said,
                links=links,
                kind=SpanKind.INTERNAL,
                status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
                start_time=_nanoseconds(times[0]),
                end_time=max(_nanoseconds(times[0]), _nanoseconds(times[1])),
                instrumentation_scope=InstrumentationScope("pyagent", __version__),
            )
        )

    def _ready(self) -> bool:
        """Make the SDK's parts once; without the SDK, say so once and trace nothing."""
        if self._provider is not None or self._missing:
            return not self._missing
        try:
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            self._provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
            if self._processor is None:
                self._processor = BatchSpanProcessor(load_exporter("traces", self._exporter))
        except (ImportError, ValueError) as error:
            self._missing = True
            logger.warning(
                "OTEL_* asks for traces, and there are none: %s. Install pyagent[otel], or set OTEL_SDK_DISABLED=true.",
                error,
            )
        return not self._missing

    def _sampled(self, run: Run, given: TraceContext | None) -> bool:
        """What OTEL_TRACES_SAMPLER says; the same for every worker, since it goes by the trace."""
        from opentelemetry.context import Context
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        assert self._provider is not None
        trace = RunTrace(run_id=run.id, given=given, sampled=given is not None and given.sampled)
        parent = Context()
        if given is not None:
            parent = set_span_in_context(NonRecordingSpan(_span_context(trace, given.span_id)), parent)
        decided = self._provider.sampler.should_sample(parent, int(trace_of(run.id, run.labels), 16), _named(run))
        return decided.decision.is_sampled()


@dataclass(frozen=True, slots=True)
class _Try:
    attempt: int
    at: datetime
    items: int


class _RunSpans:
    """Makes the spans of one run from its events."""

    def __init__(self, tracer: Tracer, driving: Driving, trace: RunTrace) -> None:
        self._tracer = tracer
        self._trace = trace
        self._run = driving.run
        self._types = driving.types
        self._began = driving.run.started_at
        # Of steps that began here or elsewhere and have not ended: their spans begin where they began.
        self._steps = {
            step.step: step.started_at
            for step in driving.steps
            if step.started_at is not None and step.ended_at is None
        }
        self._tries: dict[str, _Try] = {}
        self._answered: set[str] = set()

    def committed(self, commit: Commit, seconds: float) -> None:
        """Tell of what has ended."""
        if not self._trace.sampled:
            return
        for event in commit.events:
            match event.kind:
                case "step.started":
                    self._steps.setdefault(event.step, event.at)
                    self._tries[event.step] = _Try(event.data["attempt"], event.at, event.data["items"])
                case "step.retrying":
                    self._end_try(event, event.data["error"]["code"])
                case "step.answered":
                    self._answered.add(event.step)
                case "step.waiting" | "step.unknown":
                    self._end_try(event, "run.unknown" if event.kind == "step.unknown" else None)
                case "step.completed" | "step.failed" | "step.cancelled":
                    self._end_step(event)
                case "run.started" | "run.resumed":
                    self._began = self._began or event.at
                case "run.completed" | "run.failed" | "run.cancelled":
                    self._end_run(event)
                case _:
                    pass

    def closed(self) -> None:
        """Nothing: another worker tells the rest."""

    def _end_try(self, event: NewEvent, error: str | None) -> None:
        found = self._tries.pop(event.step, None)
        if found is None:
            return
        own = span_of(self._run.id, event.step, found.attempt, answered=event.step in self._answered)
        self._tracer.end(
            self._trace,
            "attempt",
            (own, span_of(self._run.id, event.step)),
            (found.at, event.at),
            {**self._about(event.step), "pyagent.attempt": found.attempt, "pyagent.items.in": found.items},
            error=error,
        )

    def _end_step(self, event: NewEvent) -> None:
        code = _code(event) if event.kind == "step.failed" else None
        self._end_try(event, code)
        began = self._steps.pop(event.step, None) or event.at - timedelta(seconds=event.data.get("seconds", 0))
        frame = event.step.rpartition("/")[0]
        counts: Mapping[str, int] = event.data.get("items") or {}
        self._tracer.end(
            self._trace,
            f"step {event.step.rpartition('/')[2].partition('@')[0]}",
            (span_of(self._run.id, event.step), span_of(self._run.id, owner_of(frame) if frame else "")),
            (began, event.at),
            {
                **self._about(event.step),
                "pyagent.step.status": _ENDED[event.kind],
                "pyagent.items.out": sum(counts.values()),
            },
            error=code,
        )

    def _end_run(self, event: NewEvent) -> None:
        run, given = self._run, self._trace.given
        self._tracer.end(
            self._trace,
            _named(run),
            (span_of(run.id), given.span_id if given is not None else None),
            (self._began or run.created_at, event.at),
            {
                "pyagent.run.id": run.id,
                "pyagent.run.status": _RUN_ENDED[event.kind],
                "pyagent.graph.id": run.graph_id,
                "pyagent.graph.hash": run.graph_hash,
                "pyagent.trigger": run.trigger or None,
                "pyagent.parent.run.id": run.parent_run,
            },
            error=_code(event) if event.kind == "run.failed" else None,
            links=_links(run),
        )

    def _about(self, step: str) -> dict[str, Any]:
        return {
            "pyagent.run.id": self._run.id,
            "pyagent.graph.id": self._run.graph_id,
            "pyagent.step": step,
            "pyagent.node.id": step.rpartition("/")[2].partition("@")[0],
            "pyagent.node.type": self._types.of(step) or None,
        }


def _code(event: NewEvent) -> str:
    error: Mapping[str, Any] = event.data.get("error") or {}
    return str(error.get("code", "node.failed"))


def _named(run: Run) -> str:
    return f"run {run.graph_id}"


def _links(run: Run) -> list[Link]:
    """The runs that this one comes from, which share its labels and so its trace, if it was started in one."""
    from opentelemetry.trace import Link

    given = TraceContext.read(run.labels)
    sources = [source for source in (run.forked_from, run.continues) if source is not None]
    return [Link(_span_context(RunTrace(run_id=each, given=given, sampled=True), span_of(each))) for each in sources]


def _span_context(trace: RunTrace, span_id: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags, TraceState

    given = trace.given
    state = TraceState.from_header([given.state]) if given is not None and given.state else None
    return SpanContext(
        trace_id=int(trace_of(trace.run_id, given.headers() if given is not None else {}), 16),
        span_id=int(span_id, 16),
        is_remote=given is not None and span_id == given.span_id,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT),
        trace_state=state,
    )


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


__all__ = ["Tracer", "tracer_from_environment"]
