"""The recorder of figures: its text, its bounds, and what it counts of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NodeError
from pyagent.native import MetricRegistry, MetricSnapshot
from pyagent.runtime.metrics import OTHER, RunMetrics

Samples = dict[tuple[str, ...], float]
"""By the name and the label values."""


def samples(registry: MetricRegistry) -> Samples:
    """What both formats show, which is the same."""
    snapshot = registry.snapshot()
    plain = _found(text_string_to_metric_families(snapshot.render()[1]))
    assert plain == _found(openmetrics_families(snapshot.render("application/openmetrics-text")[1]))
    return plain


def _found(families: Iterable[Metric]) -> Samples:
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_labels_may_hold_any_text() -> None:
    registry = MetricRegistry("p")
    registry.counter("a_total", 'Any "of" \\ it', ["name"]).of('quote " back \\ line \n end').add()
    assert samples(registry) == {("a_total", 'quote " back \\ line \n end'): 1}


def test_a_value_on_a_bound_is_in_its_bucket() -> None:
    registry = MetricRegistry("p")
    histogram = registry.histogram("a_seconds", "Any").of()
    for value in (0.05, 0.1, 0.100001, 0.5, 2000):
        histogram.record(value)
    found = samples(registry)
    assert [found["a_seconds_bucket", bound] for bound in ("0.05", "0.1", "0.25", "0.5", "+Inf")] == [1, 2, 3, 4, 5]
    assert found[("a_seconds_sum",)] == pytest.approx(2000.750001)
    assert found[("a_seconds_count",)] == 5


def test_values_that_are_no_durations_count_as_none() -> None:
    registry = MetricRegistry("p")
    histogram = registry.histogram("a_seconds", "Any").of()
    for value in (-1.0, float("nan"), float("-inf")):
        histogram.record(value)
    assert samples(registry)[("a_seconds_sum",)] == 0
    assert samples(registry)["a_seconds_bucket", "0.001"] == 3
    histogram.record(float("inf"))
    assert samples(registry)[("a_seconds_sum",)] == 1e8


def test_series_without_bound_become_one() -> None:
    registry = MetricRegistry("p")
    counters, histograms = registry.counter("a_total", "", ["x"]), registry.histogram("b_seconds", "", ["x"])
    for number in range(600):
        counters.of(str(number)).add()
        histograms.of(str(number)).record(1)
    found = samples(registry)
    assert found["a_total", OTHER] == found["b_seconds_count", OTHER] == 400
    assert len([key for key in found if key[0] == "a_total"]) == 201


def test_counters_without_labels_begin_at_zero() -> None:
    registry = MetricRegistry("p")
    registry.counter("a_total", "Any")
    assert samples(registry) == {("a_total",): 0}


@pytest.mark.parametrize("name", ["a", "a_seconds", "1_total", "b_total"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    registry = MetricRegistry("p")
    registry.amount("b", "OpenMetrics calls a counter b_total the same")
    with pytest.raises(ValueError):
        registry.counter(name, "Any")


def test_peers_snapshots_merge_in_any_order_and_however_often() -> None:
    peers = [MetricRegistry(name) for name in "abc"]
    for number, registry in enumerate(peers):
        registry.counter("a_total", "Any").of().add(10**number)
        registry.histogram("b_seconds", "Any", ["x"]).of("y").record(0.5 + number)
    one, two, three = (MetricSnapshot.parse(registry.snapshot().dump()) for registry in peers)
    merged = one.merged(two).merged(three)
    assert merged.dump() == three.merged(one.merged(two)).merged(two).dump()
    assert list(merged.peers()) == ["a", "b", "c"]
    assert merged.values("a_total") == {"": 111}
    count, total, longest, (half,) = merged.durations("b_seconds", "x", [0.5])["y"]
    assert (count, total, longest) == (3, 4.5, 2.5)
    assert half == pytest.approx(1.5, rel=0.01)
    assert merged.since(one.merged(two)).values("a_total") == {"": 100}


@pytest.mark.parametrize("data", [b"", b"PAMS", b"PAMS\x01\xff", b"{}"])
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no snapshot"):
        MetricSnapshot.parse(data)


def test_an_example_names_the_trace_of_what_is_counted() -> None:
    registry = MetricRegistry("p")
    histogram = registry.histogram("a_seconds", "Any").of()
    histogram.record(0.2)
    histogram.record(0.07, "4bf92f3577b34da6a3ce929d0e0e4736")
    content_type, page = registry.snapshot().render("application/openmetrics-text; version=1.0.0")
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert page.endswith("# EOF\n")
    found = {
        sample.labels["le"]: sample.exemplar
        for family in openmetrics_families(page)
        for sample in family.samples
        if sample.exemplar is not None
    }
    assert list(found) == ["0.1"]
    assert found["0.1"].labels == {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    assert found["0.1"].value == 0.07
    assert "trace_id" not in registry.snapshot().render("text/plain")[1]
    with pytest.raises(ValueError):
        histogram.record(0.1, "no trace")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


async def test_what_a_run_does_is_counted_by_node_type_also_inside_of_maps_and_called_graphs(lab: Lab) -> None:
    registry = MetricRegistry("p")
    engine = lab.another_engine(observers=[RunMetrics(registry)])
    lab.file(graph({"deep": {}}, id="inner"))
    lab.raises("again", NodeError("not now", code="node.busy"))
    spec = graph(
        {
            "split": SPLIT,
            "each": {"use": "flow.map", "body": {"work": {"use": "flow.noop"}}},
            "again": {"retry": {"attempts": 2, "initial": "1ms"}},
            "call": {"use": "flow.graph", "with": {"graph": "inner"}},
        },
        ["split -> each", "each -> again", "again -> call"],
    )
    await engine.run(spec, numbers(1, 2, 3))

    found = samples(registry)
    assert found["pyagent_step_duration_seconds_count", "flow.noop", "completed"] == 3
    assert found["pyagent_step_duration_seconds_count", "lab.act", "completed"] == 2
    assert found["pyagent_step_duration_seconds_count", "data.split", "completed"] == 1
    assert found["pyagent_step_retries_total", "lab.act"] == 1
    assert found["pyagent_runs_total", "lab", "completed"] == 1
    assert found[("pyagent_runs_driving",)] == 0
    assert not [key for key in found if "" in key]


async def test_a_run_that_fails_or_is_cancelled_is_counted_as_that(lab: Lab) -> None:
    registry = MetricRegistry("p")
    engine = lab.another_engine(observers=[RunMetrics(registry)])
    lab.raises("a", NodeError("no", code="node.no"))
    await engine.run(graph({"a": {}}))
    waiting = await engine.run(graph({"b": {"use": "flow.wait", "with": {"signal": "go"}}}))
    await engine.cancel(waiting.id)
    await engine.drive(waiting.id)
    found = samples(registry)
    assert found["pyagent_runs_total", "lab", "failed"] == found["pyagent_runs_total", "lab", "cancelled"] == 1
    assert found["pyagent_step_duration_seconds_count", "lab.act", "failed"] == 1


async def test_a_run_that_is_taken_over_from_a_dead_worker_is_counted(lab: Lab) -> None:
    registry = MetricRegistry("p")
    lab.gate("a")
    run = await lab.engine.start(graph({"a": {}}))
    task = lab.driving(run)
    await lab.called("a")
    await lab.crash(task, run)
    lab.acts.clear()
    await lab.drive(run, lab.another_engine(observers=[RunMetrics(registry)]))
    assert samples(registry)[("pyagent_lease_takeovers_total",)] == 1
