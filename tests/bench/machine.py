"""Describes the machine that the figures are from."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMPARED = ("pyagent", "langgraph", "langgraph-checkpoint-sqlite", "fastapi", "neo4j", "prefect")


def describe() -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "packages": dict(_versions()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _versions() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in COMPARED:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found
