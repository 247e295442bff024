"""Metrics for OpenTelemetry: a snapshot is sent every so often, switched on by OpenTelemetry's own variables.

The SDK's instruments are passed by: what was recorded in Rust becomes the SDK's data, and its exporter sends that.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from pyagent.errors import PyAgentError
from pyagent.native import MetricSnapshot, metric_bounds
from pyagent.runtime.telemetry import exporter_wanted, load_exporter, resource
from pyagent.settings import OTEL_METRIC_INTERVAL, OTEL_METRICS_ENDPOINT, OTEL_METRICS_EXPORTER

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData

logger = logging.getLogger("pyagent.metrics")
PARTING = 3.0
"""Seconds that the last figures get to leave."""
_UNITS = {"seconds": "s", "bytes": "By", "ratio": "1"}
Look = Callable[[], Awaitable[MetricSnapshot]]


@asynccontextmanager
async def exporting(look: Look) -> AsyncGenerator[None]:
    """Inside the block, send what `look` gives wherever the variables of OpenTelemetry say, and once more at its end.

    Without such variables nothing is done; without the SDK that is said once. What a collector does not take is lost.
    Raises `SetupError` (`setup.setting`) for an interval that is no number.
    """
    name = exporter_wanted(OTEL_METRICS_EXPORTER, OTEL_METRICS_ENDPOINT)
    if not name:
        yield
        return
    interval = max(0.05, OTEL_METRIC_INTERVAL.number() / 1000)
    try:
        exporter = await asyncio.to_thread(load_exporter, "metrics", name)
        resource()
    except (ImportError, ValueError) as error:
        logger.warning(
            "OTEL_* asks for metrics, and none are sent: %s. Install pyagent[otel], or set OTEL_METRICS_EXPORTER=none.",
            error,
        )
        yield
        return
    task = asyncio.create_task(_keep_sending(look, exporter, interval))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await _send(look, exporter)
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await _in_thread(exporter.shutdown)


async def _keep_sending(look: Look, exporter: Any, interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        await _send(look, exporter)


async def _send(look: Look, exporter: Any) -> None:
    try:
        data = metrics_data(await look())
    except PyAgentError as error:
        logger.warning("no metrics can be sent now: %s", error)
        return
    await _in_thread(lambda: exporter.export(data))


async def _in_thread(work: Callable[[], object]) -> None:
    """In a thread that does not keep the process: a collector that hangs must not."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def worked() -> None:
        try:
            work()
        except Exception as error:
            # An exporter of somebody else's may raise whatever it likes; metrics are never worth a server.
            logger.warning("metrics could not be sent: %s", error)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=worked, daemon=True, name="pyagent-metrics").start()
    await done.wait()


def metrics_data(snapshot: MetricSnapshot) -> MetricsData:
    """A snapshot as the SDK's exporters take it, all of its peers together. Raises `ImportError` without the SDK."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from pyagent import __version__

    moments = snapshot.peers().values()
    began = min((_nanoseconds(started) for started, _ in moments), default=0)
    told = max((_nanoseconds(stamp) for _, stamp in moments), default=0)
    metrics = [_metric(found, began, told) for found in snapshot.export()]
    scope = ScopeMetrics(scope=InstrumentationScope("pyagent", __version__), metrics=metrics, schema_url="")
    return MetricsData(resource_metrics=[ResourceMetrics(resource=resource(), scope_metrics=[scope], schema_url="")])


def _metric(found: tuple[str, str, str, list[str], list[tuple[list[str], Any]]], began: int, told: int) -> Metric:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        Metric,
        NumberDataPoint,
        Sum,
    )

    name, kind, text, labels, series = found
    unit = _UNITS.get(name.removesuffix("_total").rpartition("_")[2], "")
    if kind == "histogram":
        points = [
            _histogram_point(dict(zip(labels, given, strict=True)), value, began, told) for given, value in series
        ]
        data = Histogram(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE)
        return Metric(name=name, description=text, unit=unit, data=data)
    numbers = [
        NumberDataPoint(
            attributes=dict(zip(labels, given, strict=True)),
            start_time_unix_nano=began,
            time_unix_nano=told,
            value=value,
        )
        for given, value in series
    ]
    if kind == "counter":
        counted = Sum(data_points=numbers, aggregation_temporality=AggregationTemporality.CUMULATIVE, is_monotonic=True)
        return Metric(name=name, description=text, unit=unit, data=counted)
    return Metric(name=name, description=text, unit=unit, data=Gauge(data_points=numbers))


def _histogram_point(attributes: dict[str, str], value: Any, began: int, told: int) -> Any:
    from opentelemetry.sdk.metrics import Exemplar
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    count, total, longest, counts, exemplars = value
    least: Any = None  # not known; the exporter leaves it out
    return HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=began,
        time_unix_nano=told,
        count=count,
        sum=total,
        bucket_counts=counts,
        explicit_bounds=metric_bounds(),
        min=least,
        max=longest,
        exemplars=[
            # Without a span the exporter would leave the trace out; 0 is OpenTelemetry's word for none.
            Exemplar(
                filtered_attributes={},
                value=seconds,
                time_unix_nano=_nanoseconds(at),
                span_id=0,
                trace_id=int(trace, 16),
            )
            for trace, seconds, at in exemplars
        ],
    )


def _nanoseconds(at: float) -> int:
    return round(at * 1000) * 1_000_000


__all__ = ["exporting", "metrics_data"]
