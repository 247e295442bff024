"""Spans of runs, steps and tries, checked with OpenTelemetry's own SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.status import StatusCode

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NodeError
from pyagent.runtime.engine import Engine
from pyagent.runtime.telemetry import exporter_wanted
from pyagent.runtime.trace import read_labels, span_of
from pyagent.runtime.tracing import Tracer, tracer_from_environment
from pyagent.sdk import Context, Items
from pyagent.settings import OTEL_EXPORTER, OTEL_TRACES_ENDPOINT
from pyagent.store.base import Run

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


class Traced:
    """An engine whose spans are collected in memory."""

    def __init__(self, lab: Lab) -> None:
        self.exporter = InMemorySpanExporter()
        self.engine = lab.another_engine(tracer=Tracer(processor=SimpleSpanProcessor(self.exporter)))

    async def run(self, spec: Any, inputs: dict[str, Any] | None = None, **options: Any) -> Run:
        return await asyncio.wait_for(self.engine.run(spec, inputs, **options), 20)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """By name; of steps and tries by the step, tries with their number."""
        return {_label(span): span for span in self.exporter.get_finished_spans()}


def _label(span: ReadableSpan) -> str:
    attributes = dict(span.attributes or {})
    if span.name == "attempt":
        return f"{attributes['pyagent.step']} #{attributes['pyagent.attempt']}"
    return str(attributes.get("pyagent.step", span.name))


@pytest.fixture
def traced(lab: Lab) -> Traced:
    return Traced(lab)


def identity(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def trace(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


async def test_a_run_its_steps_and_their_tries_are_spans_inside_one_another(lab: Lab, traced: Traced) -> None:
    lab.raises("b", NodeError("not now", code="node.busy"))
    retry = {"attempts": 2, "initial": "1ms"}
    run = await traced.run(graph({"a": {}, "b": {"retry": retry}}, ["a -> b"]), {"secret": "hunter2"})

    found = traced.spans
    assert set(found) == {"run lab", "a", "a #1", "b", "b #1", "b #2"}
    assert identity(found["run lab"]) == span_of(run.id)
    assert parent(found["run lab"]) is None
    assert {parent(found[step]) for step in ("a", "b")} == {span_of(run.id)}
    assert {parent(found[each]) for each in ("b #1", "b #2")} == {identity(found["b"])}
    assert len({trace(span) for span in found.values()}) == 1
    assert found["b #1"].status.status_code is StatusCode.ERROR
    assert found["b #1"].status.description == "node.busy"
    assert found["b"].status.status_code is StatusCode.UNSET
    for span in found.values():
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
    assert (found["b"].start_time, found["b"].end_time) == (found["b #1"].start_time, found["b #2"].end_time)
    about = dict(found["b #2"].attributes or {})
    assert (about["pyagent.node.type"], about["pyagent.node.id"], about["pyagent.run.id"]) == ("lab.act", "b", run.id)
    assert found["run lab"].resource.attributes["service.name"] == "pyagent"


async def test_spans_hold_neither_inputs_nor_outputs_nor_words_of_errors(lab: Lab, traced: Traced) -> None:
    lab.raises("a", NodeError("the password hunter2 is wrong", code="node.refused", details={"password": "hunter2"}))
    run = await traced.run(graph({"a": {"value": "{{ $inputs.word }}"}}), {"word": "hunter2"})

    assert run.status == "failed"
    assert traced.spans["run lab"].status.description == "node.refused"
    assert [span for span in traced.spans.values() if "hunter2" in span.to_json()] == []


async def test_a_run_is_part_of_the_trace_that_it_was_started_in(lab: Lab, traced: Traced) -> None:
    seen: list[str] = []

    @lab.on("a")
    async def act(items: Items, ctx: Context) -> Items:
        seen.append(ctx.trace["traceparent"])
        return items

    await traced.run(graph({"a": {}}), labels=read_labels(GIVEN))

    found = traced.spans
    assert {trace(span) for span in found.values()} == {TRACE}
    assert parent(found["run lab"]) == SPAN
    assert seen == [f"00-{TRACE}-{identity(found['a #1'])}-01"]


async def test_a_trace_that_is_not_sampled_gets_no_spans_and_says_so_to_others(lab: Lab, traced: Traced) -> None:
    seen: list[str] = []

    @lab.on("a")
    async def act(items: Items, ctx: Context) -> Items:
        seen.append(ctx.trace["traceparent"])
        return items

    await traced.run(graph({"a": {}}), labels=read_labels({"traceparent": f"00-{TRACE}-{SPAN}-00"}))
    assert traced.spans == {}
    assert seen[0].startswith(f"00-{TRACE}-")
    assert seen[0].endswith("-00")


async def test_inner_steps_of_maps_and_called_graphs_are_inside_the_step_that_runs_them(
    lab: Lab, traced: Traced
) -> None:
    lab.file(graph({"deep": {}}, id="inner"))
    spec = graph(
        {
            "split": SPLIT,
            "each": {"use": "flow.map", "body": {"work": {}}},
            "call": {"use": "flow.graph", "with": {"graph": "inner"}},
        },
        ["split -> each", "each -> call"],
    )
    await traced.run(spec, numbers(1, 2))

    found = traced.spans
    assert {parent(found[f"each[{number}]/work"]) for number in (0, 1)} == {identity(found["each"])}
    assert parent(found["call()/deep"]) == identity(found["call"])
    types = {step: dict(span.attributes or {})["pyagent.node.type"] for step, span in found.items() if "#" in step}
    assert types["each[1]/work #1"] == types["call()/deep #1"] == "lab.act"
    assert types["split #1"] == "data.split"


async def test_a_graph_that_is_not_waited_for_is_a_run_of_its_own_in_the_same_trace(lab: Lab, traced: Traced) -> None:
    lab.file(graph({"deep": {}}, id="inner"))
    spec = graph({"call": {"use": "flow.graph", "with": {"graph": "inner", "wait": False}}})
    await traced.run(spec)
    (child,) = [run for run in await lab.store.list_runs() if run.graph_id == "inner"]
    await traced.engine.drive(child.id)

    found = traced.spans
    assert trace(found["run inner"]) == trace(found["run lab"])
    assert parent(found["run inner"]) == identity(found["call"])


async def test_another_worker_goes_on_with_the_trace_and_its_steps_spans(lab: Lab, traced: Traced) -> None:
    spec = graph(
        {"a": {}, "ask": {"use": "flow.wait", "with": {"signal": "go"}}, "b": {}}, ["a -> ask", "ask.out -> b"]
    )
    run = await traced.run(spec)
    assert run.status == "waiting"
    other = Traced(lab)
    await other.engine.signal("go")
    await asyncio.wait_for(other.engine.drive(run.id), 20)

    first, second = traced.spans, other.spans
    assert set(first) == {"a", "a #1", "ask #1"}
    assert {"ask", "b", "run lab"} <= set(second)
    assert {trace(span) for span in (*first.values(), *second.values())} == {trace(first["a"])}
    assert parent(first["ask #1"]) == identity(second["ask"])
    assert (second["ask"].start_time or 0) <= (first["ask #1"].start_time or 0) < (second["ask #1"].start_time or 0)
    assert identity(first["ask #1"]) != identity(second["ask #1"])


async def test_a_span_tells_only_what_was_committed(lab: Lab, traced: Traced) -> None:
    opened = lab.gate("a")
    run = await traced.engine.start(graph({"a": {}}))
    task = asyncio.create_task(traced.engine.drive(run.id))
    await lab.called("a")
    journal = traced.engine._drivers[run.id].journal
    await lab.store.release(journal.lease)
    opened.set()
    with pytest.raises(Exception, match="lease"):
        await asyncio.wait_for(task, 20)
    assert traced.spans == {}


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, ""),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_traces_are_switched_on_by_the_variables_of_opentelemetry(
    variables: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert exporter_wanted(OTEL_EXPORTER, OTEL_TRACES_ENDPOINT) == wanted
    assert (tracer_from_environment() is not None) == bool(wanted)


async def test_a_run_goes_on_without_traces_where_the_exporter_is_not_there(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    engine: Engine = lab.another_engine(tracer=Tracer("carrier_pigeon"))
    run = await engine.run(graph({"a": {}}))
    assert run.status == "completed"
    assert [record.message for record in caplog.records if "carrier_pigeon" in record.message] != []
