"""What `pyagent top` shows, as plain data: figures of a server, made of snapshots of its metrics. Pure."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Any

from pyagent.native import MetricSnapshot

RECENT = 60.0
"""Seconds that durations are told of; where nothing happened in that time, all that was since the server began."""
_SHARES = [0.5, 0.99]
_STEPS, _COMMITS = "pyagent_step_duration_seconds", "pyagent_commit_duration_seconds"
_REQUESTS, _RUNS = "pyagent_http_request_duration_seconds", "pyagent_run_duration_seconds"
_ALIVE = ("queued", "running", "waiting", "paused")
_ENDED = ("completed", "failed", "cancelled")


class History:
    """The snapshots of the last minute."""

    def __init__(self) -> None:
        self._kept: deque[MetricSnapshot] = deque()

    def add(self, snapshot: MetricSnapshot) -> dict[str, Any]:
        """Take in the newest, and tell what there is to show."""
        if self._kept and list(self._kept[-1].peers()) != list(snapshot.peers()):
            self._kept.clear()  # another server than before
        before = self._kept[-1] if self._kept else None
        first = self._kept[0] if self._kept else None
        self._kept.append(snapshot)
        while _stamp(self._kept[0]) < _stamp(snapshot) - RECENT:
            self._kept.popleft()
        return figures(snapshot, before, first)


def figures(now: MetricSnapshot, before: MetricSnapshot | None, first: MetricSnapshot | None) -> dict[str, Any]:
    """The figures of a snapshot: rates since `before`, durations since `first`; without one both since the server
    began."""
    (peer, (began, stamp)), *_ = now.peers().items()
    grown = now if before is None else now.since(before)
    seconds = max(0.001, stamp - (began if before is None else _stamp(before)))
    recent = now if first is None else now.since(first)
    held = now.values("pyagent_runs_held", "peer")
    return {
        "at": datetime.fromtimestamp(stamp, UTC).isoformat(),
        "peer": peer,
        "version": next(iter(now.values("pyagent_build_info", "version")), ""),
        "up_seconds": stamp - began,
        "rates_over_seconds": seconds,
        "runs": {
            "alive": _whole(now.values("pyagent_runs_alive", "status"), _ALIVE),
            "ended": _whole(now.values("pyagent_runs_total", "status"), _ENDED),
            "here": int(_one(now.values("pyagent_runs_driving"))),
            "per_second": _one(grown.values("pyagent_runs_total")) / seconds,
            **_durations(now, recent, _RUNS),
        },
        "steps": {
            "per_second": _number(grown, _STEPS) / seconds,
            "retries": int(_one(now.values("pyagent_step_retries_total"))),
            "types": _types(now, grown, recent, seconds),
        },
        "commits": {
            "store": next(iter(now.durations(_COMMITS, "store")), ""),
            "per_second": _number(grown, _COMMITS) / seconds,
            **_durations(now, recent, _COMMITS),
        },
        "requests": {
            "per_second": _number(grown, _REQUESTS) / seconds,
            **_durations(now, recent, _REQUESTS),
        },
        "events": int(_one(now.values("pyagent_events_total"))),
        "readers": int(_one(now.values("pyagent_event_streams"))),
        "process": {
            "cpu": _one(grown.values("process_cpu_seconds_total")) / seconds,
            "memory": int(_one(now.values("process_resident_memory_bytes"))),
            "threads": int(_one(now.values("process_threads"))),
            "open_files": int(_one(now.values("process_open_fds"))),
        },
        "host": _host(now, grown),
        "gpus": _gpus(now),
        "peers": {name: int(number) for name, number in held.items()},
    }


def _types(now: MetricSnapshot, grown: MetricSnapshot, recent: MetricSnapshot, seconds: float) -> list[dict[str, Any]]:
    """Node types, those that most steps were of first."""
    all_of, lately = now.durations(_STEPS, "node", _SHARES), recent.durations(_STEPS, "node", _SHARES)
    newest = grown.durations(_STEPS, "node")
    failed = {
        values[0]: value[0]
        for name, _, _, _, series in now.export()
        if name == _STEPS
        for values, value in series
        if values[1] == "failed"
    }
    found: list[dict[str, Any]] = []
    for name, whole in all_of.items():
        is_recent = bool(name in lately and lately[name][0])
        half, most = (lately if is_recent else all_of)[name][3]
        found.append(
            {
                "type": name,
                "count": whole[0],
                "failed": failed.get(name, 0),
                "per_second": newest[name][0] / seconds if name in newest else 0.0,
                "p50": half,
                "p99": most,
                "recent": is_recent,
            }
        )
    return sorted(found, key=lambda each: (-each["per_second"], -each["count"], each["type"]))


def _host(now: MetricSnapshot, grown: MetricSnapshot) -> dict[str, Any]:
    spent = grown.values("pyagent_host_cpu_seconds_total", "mode")
    memory, disk = now.values("pyagent_host_memory_bytes", "kind"), now.values("pyagent_host_disk_bytes", "kind")
    load = now.values("pyagent_host_load", "minutes")
    return {
        "cpu": spent.get("busy", 0.0) / (sum(spent.values()) or 1.0),
        "cpus": int(_one(now.values("pyagent_host_cpus"))),
        "load": [load.get(minutes, 0.0) for minutes in ("1", "5", "15")],
        "memory": {name: int(value) for name, value in memory.items()},
        "disk": {name: int(value) for name, value in disk.items()},
    }


def _gpus(now: MetricSnapshot) -> list[dict[str, Any]]:
    busy = now.values("pyagent_gpu_busy_ratio", "gpu")
    memory = {
        (values[0], values[1]): int(value)
        for name, _, _, _, series in now.export()
        if name == "pyagent_gpu_memory_bytes"
        for values, value in series
    }
    return [
        {"gpu": gpu, "busy": value, "memory": {kind: memory.get((gpu, kind), 0) for kind in ("used", "total")}}
        for gpu, value in busy.items()
    ]


def _durations(now: MetricSnapshot, recent: MetricSnapshot, name: str) -> dict[str, float]:
    """The quantiles of all series together; zero where there are none."""
    found = recent.durations(name, None, _SHARES).get("")
    if found is None or not found[0]:
        found = now.durations(name, None, _SHARES).get("", (0, 0.0, 0.0, [0.0, 0.0]))
    return {"p50": found[3][0], "p99": found[3][1]}


def _number(snapshot: MetricSnapshot, name: str) -> int:
    found = snapshot.durations(name).get("")
    return 0 if found is None else found[0]


def _whole(values: dict[str, float], names: tuple[str, ...]) -> dict[str, int]:
    return {name: int(values.get(name, 0)) for name in names}


def _one(values: dict[str, float]) -> float:
    return values.get("", 0.0)


def _stamp(snapshot: MetricSnapshot) -> float:
    return max((stamp for _, stamp in snapshot.peers().values()), default=0.0)


__all__ = ["RECENT", "History", "figures"]
