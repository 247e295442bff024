"""Takes a row's samples: each side in a process of its own, the sides in turn, so that noise meets all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bench.frame import Figures, Row, Side

ROOT = Path(__file__).parents[2]


class Measured(Protocol):
    """A side that is ready."""

    def sample(self) -> float: ...


class SideFailed(Exception):
    """A side ended without a sample; the text is what it wrote."""


def measure(row: Row, folder: Path) -> tuple[Figures, Figures | None, Figures | None]:
    """Ours, the peer's and the limit's figures."""
    sides = [side for side in (row.ours, row.peer, row.limit) if side is not None]
    with ExitStack() as stack:
        server = stack.enter_context(_neo4j()) if row.needs == "neo4j" else {}
        ready = [
            stack.enter_context(_ready(replace(side, environment={**side.environment, **server}), folder / str(number)))
            for number, side in enumerate(sides)
        ]
        if row.warm:
            for measured in ready:
                measured.sample()
        taken: list[list[float]] = [[] for _ in sides]
        for _ in range(row.samples):
            for samples, measured in zip(taken, ready, strict=True):
                samples.append(measured.sample())
    figures = dict(zip((id(side) for side in sides), (Figures(samples=one) for one in taken), strict=True))
    return (
        figures[id(row.ours)],
        figures[id(row.peer)] if row.peer else None,
        figures[id(row.limit)] if row.limit else None,
    )


@contextmanager
def _ready(side: Side, folder: Path) -> Generator[Measured]:
    folder.mkdir(parents=True)
    environment = _environment(side, folder)
    if side.command:
        yield _Command(side, folder, environment)
        return
    with _Process(side, folder, environment) as process:
        yield process


@contextmanager
def _neo4j() -> Generator[dict[str, str]]:
    """A real server, and where it is."""
    from neo4j_server import USER, Neo4jServer, Neo4jUnavailable

    try:
        with Neo4jServer() as server:
            yield {
                "PYAGENT_STORE": server.url,
                "BENCH_NEO4J": server.address,
                "BENCH_NEO4J_AUTH": f"{USER}:{server.password}",
            }
    except Neo4jUnavailable as error:
        raise SideFailed(str(error)) from None


def _environment(side: Side, folder: Path) -> dict[str, str]:
    """Nothing of the user's PyAgent, and a store of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYAGENT_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {
        "PYTHONPATH": str(ROOT / "tests"),
        "PYAGENT_STORE": f"sqlite:///{folder}/bench.db",
        "PYAGENT_WORK": str(folder / "work"),
        "LANGSMITH_TRACING": "false",
        **side.environment,
    }


class _Command:
    """A command that is started anew for each sample."""

    def __init__(self, side: Side, folder: Path, environment: Mapping[str, str]) -> None:
        given = {"python": sys.executable, "bin": str(Path(sys.executable).parent), "folder": str(folder)}
        self._line = [part.format(**given) for part in side.command]
        self._folder = folder
        self._environment = environment

    def sample(self) -> float:
        """Seconds from start to end."""
        started = time.perf_counter()
        ended = subprocess.run(self._line, cwd=self._folder, env=self._environment, capture_output=True, check=False)
        taken = time.perf_counter() - started
        if ended.returncode:
            raise SideFailed(f"{self._line}: {ended.stderr.decode()[-2000:]}")
        return taken


class _Process:
    """A sampler in a process of its own, which takes a sample for each line that it is sent."""

    def __init__(self, side: Side, folder: Path, environment: Mapping[str, str]) -> None:
        options = json.dumps({**side.options, "folder": str(folder)})
        self._errors = (folder / "errors").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sampler", side.sampler, options],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> _Process:
        return self

    def sample(self) -> float:
        """One sample, in the row's unit."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise SideFailed(self._errors.read().decode()[-4000:])
        return float(line)

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._errors.close()
