"""Figures of this process, of the machine under it and of its graphics processors, looked up when they are asked for.

Names of a process' figures are those that Prometheus' own clients use. What the machine does not tell is left out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

from pyagent.native import MetricRegistry
from pyagent.sdk.environment import clean_environment

GPU_PATIENCE = 2.0
"""Seconds that the program which knows the graphics processors may take."""
GPU_REST = 5.0
"""Seconds that its answer is good for."""
_ASKED = "index,utilization.gpu,memory.used,memory.total"
_MIB = 1 << 20
logger = logging.getLogger("pyagent.metrics")


class MachineMetrics:
    """Gauges and counters that `look` brings up to date."""

    def __init__(self, registry: MetricRegistry, *, folder: Path | None = None) -> None:
        """`folder`: on the disk whose room is told; None where the store is elsewhere."""
        self._folder = folder
        self._cpu = registry.counter("process_cpu_seconds_total", "Processor time of this process", seconds=True).of()
        self._memory = registry.amount("process_resident_memory_bytes", "Memory that this process holds").of()
        self._threads = registry.amount("process_threads", "Threads of this process").of()
        self._started = registry.level("process_start_time_seconds", "When this process began, since 1970").of()
        self._files = registry.amount("process_open_fds", "Files and connections that this process has open")
        self._host_cpu = registry.counter(
            "pyagent_host_cpu_seconds_total", "Processor time of this machine", ["mode"], seconds=True
        )
        self._cores = registry.level("pyagent_host_cpus", "Processors of this machine").of()
        self._load = registry.level("pyagent_host_load", "Load of this machine, over so many minutes", ["minutes"])
        self._host_memory = registry.level("pyagent_host_memory_bytes", "Memory of this machine", ["kind"])
        self._disk = registry.level("pyagent_host_disk_bytes", "The disk that the store is on", ["kind"])
        self._gpu_busy = registry.level("pyagent_gpu_busy_ratio", "How busy a graphics processor is, 0 to 1", ["gpu"])
        self._gpu_memory = registry.level("pyagent_gpu_memory_bytes", "Memory of a graphics processor", ["gpu", "kind"])
        self._gpus_read = float("-inf")

    async def look(self) -> None:
        """Bring them up to date."""
        self._look_at_process()
        self._look_at_host()
        if time.monotonic() - self._gpus_read >= GPU_REST:
            self._gpus_read = time.monotonic()
            await self._look_at_gpus()

    def _look_at_process(self) -> None:
        import psutil

        process = psutil.Process()
        with process.oneshot():
            spent = process.cpu_times()
            self._cpu.set(spent.user + spent.system)
            self._memory.set(process.memory_info().rss)
            self._threads.set(process.num_threads())
            self._started.set(process.create_time())
        if hasattr(process, "num_fds"):
            self._files.of().set(process.num_fds())

    def _look_at_host(self) -> None:
        import psutil

        spent: Any = psutil.cpu_times()
        idle = spent.idle + getattr(spent, "iowait", 0.0)
        # Linux counts guests' time as the users' already.
        given = sum(value for name, value in spent._asdict().items() if name not in ("guest", "guest_nice"))
        self._host_cpu.of("idle").set(idle)
        self._host_cpu.of("busy").set(given - idle)
        self._cores.set(os.cpu_count() or 1)
        for minutes, load in zip(("1", "5", "15"), psutil.getloadavg(), strict=True):
            self._load.of(minutes).set(load)
        memory = psutil.virtual_memory()
        self._host_memory.of("total").set(memory.total)
        self._host_memory.of("available").set(memory.available)
        if self._folder is not None:
            disk = shutil.disk_usage(self._folder)
            self._disk.of("total").set(disk.total)
            self._disk.of("free").set(disk.free)

    async def _look_at_gpus(self) -> None:
        self._gpu_busy.clear()
        self._gpu_memory.clear()
        for line in (await _ask_gpus()).splitlines():
            gpu, *told = (part.strip() for part in line.split(","))
            try:
                busy, used, total = (float(part) for part in told)
            except ValueError:
                continue  # a processor that is shared out, or broken, tells "[N/A]"
            self._gpu_busy.of(gpu).set(busy / 100)
            self._gpu_memory.of(gpu, "used").set(used * _MIB)
            self._gpu_memory.of(gpu, "total").set(total * _MIB)


async def _ask_gpus() -> str:
    """What `nvidia-smi` says; nothing where there is none, or where it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    process = None
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--query-gpu={_ASKED}",
            "--format=csv,noheader,nounits",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=clean_environment(),
        )
        async with asyncio.timeout(GPU_PATIENCE):
            said, _ = await process.communicate()
        return said.decode(errors="replace") if process.returncode == 0 else ""
    except (OSError, TimeoutError) as error:
        logger.debug("nvidia-smi does not answer: %s", error)
        return ""
    finally:
        if process is not None and process.returncode is None:
            process.kill()


__all__ = ["GPU_PATIENCE", "GPU_REST", "MachineMetrics"]
