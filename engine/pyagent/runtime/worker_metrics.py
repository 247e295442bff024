"""What a worker without a server measures, where somebody is to be told of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pyagent.native import MetricRegistry, MetricSnapshot
from pyagent.runtime.machine import MachineMetrics
from pyagent.runtime.metric_export import exporting
from pyagent.runtime.metrics import RunMetrics, store_kind
from pyagent.runtime.telemetry import exporter_wanted
from pyagent.settings import OTEL_METRICS_ENDPOINT, OTEL_METRICS_EXPORTER

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine


@asynccontextmanager
async def measured(engine: Engine) -> AsyncGenerator[None]:
    """Inside the block, measure the engine's runs and its process, where the variables of OpenTelemetry ask for it."""
    if not exporter_wanted(OTEL_METRICS_EXPORTER, OTEL_METRICS_ENDPOINT):
        yield
        return
    registry = MetricRegistry(engine.peer)
    runs = RunMetrics(registry, store=store_kind(engine.store))
    machine = MachineMetrics(registry)

    async def look() -> MetricSnapshot:
        runs.settle()
        await machine.look()
        return registry.snapshot()

    engine.observers.append(runs)
    try:
        async with exporting(look):
            yield
    finally:
        engine.observers.remove(runs)


__all__ = ["measured"]
