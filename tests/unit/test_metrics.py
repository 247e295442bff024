"""The recorder of figures: its text, its bounds, and what it counts of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NodeError
from pyagent.runtime.metrics import OTHER, SERIES, Counter, Gauge, Histogram, Metric, RunMetrics, rendered


def samples(*metrics: Metric) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(rendered(metrics))
        for sample in family.samples
    }


def test_labels_may_hold_any_text() -> None:
    counter = Counter("a_total", "Any", ("name",))
    counter.add(('quote " back \\ line \n end',))
    assert samples(counter) == {("a_total", 'quote " back \\ line \n end'): 1}


def test_a_value_on_a_bound_is_in_its_bucket() -> None:
    histogram = Histogram("a_seconds", "Any", buckets=(0.1, 1))
    for value in (0.05, 0.1, 0.5, 2):
        histogram.observe(value)
    found = samples(histogram)
    assert [found["a_seconds_bucket", bound] for bound in ("0.1", "1", "+Inf")] == [2, 3, 4]
    assert found[("a_seconds_sum",)] == pytest.approx(2.65)
    assert found[("a_seconds_count",)] == 4


def test_series_without_bound_become_one() -> None:
    counter, histogram, gauge = (
        Counter("a_total", "", ("x",)),
        Histogram("b_seconds", "", ("x",)),
        Gauge("c", "", ("x",)),
    )
    for number in range(SERIES * 3):
        counter.add((str(number),))
        histogram.observe(1, (str(number),))
        gauge.set(1, (str(number),))
    found = samples(counter, histogram, gauge)
    assert found["a_total", OTHER] == found["b_seconds_count", OTHER] == 2 * SERIES
    assert len([key for key in found if key[0] == "a_total"]) == SERIES + 1


def test_counters_without_labels_begin_at_zero() -> None:
    assert samples(Counter("a_total", "Any")) == {("a_total",): 0}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


async def test_what_a_run_does_is_counted_by_node_type_also_inside_of_maps_and_called_graphs(lab: Lab) -> None:
    metrics = RunMetrics()
    engine = lab.another_engine(observers=[metrics])
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

    found = samples(*metrics.all())
    assert found["pyagent_step_duration_seconds_count", "flow.noop", "completed"] == 3
    assert found["pyagent_step_duration_seconds_count", "lab.act", "completed"] == 2
    assert found["pyagent_step_duration_seconds_count", "data.split", "completed"] == 1
    assert found["pyagent_step_retries_total", "lab.act"] == 1
    assert found["pyagent_runs_total", "lab", "completed"] == 1
    assert found[("pyagent_runs_driving",)] == 0
    assert not [key for key in found if "" in key]


async def test_a_run_that_fails_or_is_cancelled_is_counted_as_that(lab: Lab) -> None:
    metrics = RunMetrics()
    engine = lab.another_engine(observers=[metrics])
    lab.raises("a", NodeError("no", code="node.no"))
    await engine.run(graph({"a": {}}))
    waiting = await engine.run(graph({"b": {"use": "flow.wait", "with": {"signal": "go"}}}))
    await engine.cancel(waiting.id)
    await engine.drive(waiting.id)
    found = samples(*metrics.all())
    assert found["pyagent_runs_total", "lab", "failed"] == found["pyagent_runs_total", "lab", "cancelled"] == 1
    assert found["pyagent_step_duration_seconds_count", "lab.act", "failed"] == 1


async def test_a_run_that_is_taken_over_from_a_dead_worker_is_counted(lab: Lab) -> None:
    metrics = RunMetrics()
    lab.gate("a")
    run = await lab.engine.start(graph({"a": {}}))
    task = lab.driving(run)
    await lab.called("a")
    await lab.crash(task, run)
    lab.acts.clear()
    await lab.drive(run, lab.another_engine(observers=[metrics]))
    assert samples(*metrics.all())[("pyagent_lease_takeovers_total",)] == 1
