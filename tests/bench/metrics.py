"""P22: what a record of a duration takes from Python, and the share of a run that recording its metrics takes.

Both are processor time: other work on the machine changes it least.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bench.frame import Bar, Row, Side

RECORDS = 200_000
DURATIONS = [0.00001 * 1.01**power for power in range(1000)]
"""Seconds, from 10 µs to 200 ms, so that many buckets take part."""


def _each(record: Callable[[float], object]) -> float:
    """Nanoseconds a call, the loop's own left out."""
    rounds = range(RECORDS // len(DURATIONS))
    started = time.thread_time()
    for _ in rounds:
        for value in DURATIONS:
            record(value)
    taken = time.thread_time() - started
    started = time.thread_time()
    for _ in rounds:
        for _value in DURATIONS:
            pass
    return (taken - (time.thread_time() - started)) / RECORDS * 1e9


@asynccontextmanager
async def ours(folder: str = "") -> AsyncGenerator[Any]:
    """A histogram's handle, bound to its labels."""
    from pyagent.native import MetricRegistry

    registry = MetricRegistry("bench")
    record = registry.histogram("bench_seconds", "Any", ["node", "status"]).of("flow.noop", "completed").record

    async def sample() -> float:
        return _each(record)

    yield sample


@asynccontextmanager
async def theirs(folder: str = "") -> AsyncGenerator[Any]:
    """prometheus_client's histogram with the same buckets, bound to its labels."""
    from prometheus_client import CollectorRegistry, Histogram

    from pyagent.native import metric_bounds

    registry = CollectorRegistry()
    histogram = Histogram(
        "bench_seconds", "Any", ["node", "status"], buckets=metric_bounds(), registry=registry
    ).labels("flow.noop", "completed")

    async def sample() -> float:
        return _each(histogram.observe)

    yield sample


@asynccontextmanager
async def share(nodes: int, folder: str = "") -> AsyncGenerator[Any]:
    """Percent of the time of P2's chain that what is told of its commits takes."""
    from bench import work
    from pyagent.native import MetricRegistry
    from pyagent.runtime.metrics import RunMetrics
    from pyagent.runtime.observe import Driving, RunObserver
    from pyagent.store.base import Commit

    spent = 0.0

    class Timed:
        """Adds up how long another observer takes."""

        def __init__(self, inner: RunObserver | None) -> None:
            self._inner = inner

        def committed(self, commit: Commit, seconds: float) -> None:
            nonlocal spent
            started = time.thread_time()
            if self._inner is not None:
                self._inner.committed(commit, seconds)
            spent += time.thread_time() - started

        def closed(self) -> None:
            nonlocal spent
            started = time.thread_time()
            if self._inner is not None:
                self._inner.closed()
            spent += time.thread_time() - started

    class Observed:
        """`RunMetrics`, timed; or nothing, timed: what the clock itself takes."""

        wants_steps = False

        def __init__(self, metrics: RunMetrics | None) -> None:
            self._metrics = metrics

        def driving(self, driving: Driving) -> Timed:
            return Timed(self._metrics and self._metrics.driving(driving))

    graph = work.chain(nodes, "idempotent", "once")
    recording, nothing = Observed(RunMetrics(MetricRegistry("bench"))), Observed(None)
    async with work.engine() as engine:

        async def spent_in(observer: Observed) -> tuple[float, float]:
            nonlocal spent
            spent = 0.0
            engine.observers[:] = [observer]
            started = time.process_time()
            await work.run(engine, graph, {"start": 0})
            return spent, time.process_time() - started

        async def sample() -> float:
            clock, _ = await spent_in(nothing)
            recorded, taken = await spent_in(recording)
            return (recorded - clock) / taken * 100

        yield sample


ROWS = [
    Row(
        id="P22",
        work="ns a record of a duration takes from Python, labels bound",
        unit="ns",
        ours=Side(name="PyAgent", sampler="bench.metrics:ours"),
        peer=Side(name="prometheus_client", sampler="bench.metrics:theirs"),
        bar=Bar(text="≤ 100", value=100),
        samples=9,
    ),
    Row(
        id="P22b",
        work="percent of a run that recording its metrics takes, P2's chain",
        unit="%",
        ours=Side(name="PyAgent", sampler="bench.metrics:share", options={"nodes": 100}),
        bar=Bar(text="≤ 1", value=1),
        samples=9,
    ),
]
