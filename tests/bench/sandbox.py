"""P23: what a sandbox adds to the start of a program, beside a plain spawn and bubblewrap."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.frame import Bar, Row, Side

PROGRAM = ["/bin/true"]
STARTS = 40
SANDBOX = [str(Path(sys.executable).with_name("pyagent-sandbox")), "exec", "system=1", "network=none", "--"]
WITH_HOSTS = [*SANDBOX[:2], "system=1", "network=hosts", "host=api.example.com", "--"]
BUBBLEWRAP = [
    "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr",
    "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
    "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--",
]  # fmt: skip


def _milliseconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


@asynccontextmanager
async def added(folder: str = "", *, wrapper: Sequence[str]) -> AsyncGenerator[Any]:
    """Milliseconds that the wrapper adds: the two kinds of start take turns."""

    async def sample() -> float:
        plain: list[float] = []
        wrapped: list[float] = []
        for _ in range(STARTS):
            plain.append(_milliseconds(PROGRAM))
            wrapped.append(_milliseconds([*wrapper, *PROGRAM]))
        return median(wrapped) - median(plain)

    yield sample


@asynccontextmanager
async def plain(folder: str = "") -> AsyncGenerator[Any]:
    """Milliseconds of a plain start."""

    async def sample() -> float:
        return median(_milliseconds(PROGRAM) for _ in range(STARTS))

    yield sample


ROWS = [
    Row(
        id="P23",
        work="ms that a sandbox adds to the start of a program",
        unit="ms",
        ours=Side(name="PyAgent", sampler="bench.sandbox:added", options={"wrapper": SANDBOX}),
        peer=Side(name="bubblewrap", sampler="bench.sandbox:added", options={"wrapper": BUBBLEWRAP})
        if shutil.which("bwrap")
        else None,
        limit=Side(name="plain spawn", sampler="bench.sandbox:plain"),
        bar=Bar(text="≤ 10", value=10),
        samples=7,
    ),
    Row(
        id="P23b",
        work="ms that a sandbox with a list of hosts, a process more, adds to the start of a program",
        unit="ms",
        ours=Side(name="PyAgent", sampler="bench.sandbox:added", options={"wrapper": WITH_HOSTS}),
        limit=Side(name="plain spawn", sampler="bench.sandbox:plain"),
        bar=Bar(text="≤ 10", value=10),
        samples=7,
    ),
]
