"""Figures of a running engine, in Prometheus' text format: counters, histograms and gauges with few labels.

A recorder of our own: prometheus_client's takes a lock and ten times as long for each figure (2.5 µs), and a run has a
figure for each step. Whoever records knows only `RunMetrics`, so that another recorder can take its place.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyagent.runtime.observe import Driving

if TYPE_CHECKING:
    from pyagent.store.base import Commit

SERIES = 200
"""Sets of label values that a metric has at most: what comes later is counted as `other`."""
OTHER = "other"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper bounds of a histogram's buckets, for what takes milliseconds and what takes half an hour."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[str, ...]


class Counter:
    """What only grows, by labels."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        """`name` ends in `_total`, as the convention has it."""
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count."""
        if labels not in self._values:
            labels = _bounded(labels, len(self._values))
        self._values[labels] = self._values.get(labels, 0) + amount

    def lines(self) -> Iterator[str]:
        """The samples."""
        for labels, value in self._values.items():
            yield f"{self.name}{_shown(self.labels, labels)} {value:g}"


class Gauge(Counter):
    """What goes up and down, by labels."""

    kind = "gauge"

    def set(self, value: float, labels: Labels = ()) -> None:
        """Say how much it is now."""
        self._values[labels if labels in self._values else _bounded(labels, len(self._values))] = value


class Histogram:
    """How many of what took how long, in seconds, by labels."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS) -> None:
        """`name` ends in its unit, `_seconds`."""
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._buckets = tuple(buckets)
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Count one that took so long."""
        found = self._series.get(labels)
        if found is None:
            labels = _bounded(labels, len(self._series))
            found = self._series.setdefault(labels, ([0] * (len(self._buckets) + 1), [0.0]))
        counts, total = found
        counts[bisect_left(self._buckets, value)] += 1
        total[0] += value

    def lines(self) -> Iterator[str]:
        """The samples: buckets with all that are as short or shorter, their sum and their number."""
        names = (*self.labels, "le")
        for labels, (counts, total) in self._series.items():
            number = 0
            for bound, count in zip((*map(_number, self._buckets), "+Inf"), counts, strict=True):
                number += count
                yield f"{self.name}_bucket{_shown(names, (*labels, bound))} {number}"
            own = _shown(self.labels, labels)
            yield f"{self.name}_sum{own} {total[0]!r}"
            yield f"{self.name}_count{own} {number}"


Metric = Counter | Gauge | Histogram


class RunMetrics:
    """What an engine counts of the runs that it drives. An `Observer`."""

    wants_steps = False

    def __init__(self) -> None:
        self.runs = Counter("pyagent_runs_total", "Runs that ended here", ("graph", "status"))
        self.steps = Histogram(
            "pyagent_step_duration_seconds",
            "How long steps took that ended here, all tries together",
            ("node", "status"),
        )
        self.retries = Counter(
            "pyagent_step_retries_total", "Tries that failed and were followed by another", ("node",)
        )
        self.takeovers = Counter("pyagent_lease_takeovers_total", "Runs taken over from workers that died")
        self.commits = Histogram("pyagent_commit_duration_seconds", "How long commits of runs took in the store")
        self.driving_now = Gauge("pyagent_runs_driving", "Runs that this process executes now")
        self.driving_now.set(0)

    def driving(self, driving: Driving) -> _Recording:
        """Count what becomes of a run that is taken up."""
        if driving.lease.adopted:
            self.takeovers.add()
        return _Recording(self, driving)

    def all(self) -> Sequence[Metric]:
        """In the order in which they are told."""
        return self.runs, self.driving_now, self.steps, self.retries, self.takeovers, self.commits


_STEP_ENDED = {"step.completed": "completed", "step.failed": "failed", "step.cancelled": "cancelled"}
_RUN_ENDED = {"run.completed": "completed", "run.failed": "failed", "run.cancelled": "cancelled"}


class _Recording:
    """Counts what one run commits."""

    def __init__(self, metrics: RunMetrics, driving: Driving) -> None:
        self._metrics = metrics
        self._types = driving.types
        self._graph = driving.run.graph_id
        self._began: dict[str, float] = {}
        metrics.driving_now.add()

    def committed(self, commit: Commit, seconds: float) -> None:
        """Count the commit and what it tells."""
        metrics, began = self._metrics, self._began
        metrics.commits.observe(seconds)
        for event in commit.events:
            kind = event.kind
            if kind == "step.started":
                began.setdefault(event.step, event.at.timestamp())
            elif (status := _STEP_ENDED.get(kind)) is not None:
                start = began.pop(event.step, None)
                took = event.data.get("seconds")
                if took is None:
                    took = 0.0 if start is None else event.at.timestamp() - start
                metrics.steps.observe(took, (self._types.of(event.step), status))
            elif kind == "step.retrying":
                metrics.retries.add((self._types.of(event.step),))
            elif (status := _RUN_ENDED.get(kind)) is not None:
                metrics.runs.add((self._graph, status))

    def closed(self) -> None:
        """The run is executed here no longer."""
        self._metrics.driving_now.add(amount=-1)


def rendered(metrics: Sequence[Metric]) -> str:
    """The metrics as a page for Prometheus."""
    lines: list[str] = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.text}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        lines += metric.lines()
    return "\n".join(lines) + "\n"


def by_status(name: str, text: str, counts: Mapping[Any, int], statuses: Sequence[str]) -> Gauge:
    """A gauge of numbers by status, those that are zero too."""
    gauge = Gauge(name, text, ("status",))
    for status in statuses:
        gauge.set(counts.get(status, 0), (status,))
    return gauge


def _bounded(labels: Labels, known: int) -> Labels:
    return labels if known < SERIES else (OTHER,) * len(labels)


def _shown(names: Sequence[str], values: Labels) -> str:
    if not names:
        return ""
    escaped = (value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True)) + "}"


def _number(value: float) -> str:
    return f"{value:g}"


__all__ = [
    "CONTENT_TYPE",
    "OTHER",
    "SERIES",
    "Counter",
    "Gauge",
    "Histogram",
    "Metric",
    "RunMetrics",
    "by_status",
    "rendered",
]
