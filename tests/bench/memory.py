"""P15: search in memories, beside Weaviate's: the same texts and vectors, both by the Python client that users have.

Weaviate is a server of its own process, as its users run it; our index is a folder. Both are asked for the ten best by
words and vector together, their rankings joined by ranks. Each side keeps what it has put in for the rows that follow.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from heapq import nlargest
from operator import mul
from pathlib import Path
from statistics import median
from typing import Any

from bench.frame import Bar, Row, Side
from bench.memory_texts import QUERIES, Corpus, corpus

MANY = 100_000
BESIDE = 20_000
"""Put in beside Weaviate, which takes its time to build."""
BATCH = 500


async def _filled(folder: str, count: int) -> tuple[Any, Corpus, float]:
    """The index with so many texts, and the seconds that putting them in took."""
    from pyagent.sdk.memory import Memory, MemoryIndex

    given = corpus(count)
    stored = len(given.texts) - QUERIES
    place = Path(folder).parents[1] / f"ours-{count}"
    seconds = place / "seconds"
    index = await MemoryIndex.open(place / "index")
    if not seconds.is_file():
        started = time.perf_counter()
        for start in range(0, stored, BATCH):
            numbers = range(start, min(start + BATCH, stored))
            await index.upsert(
                [Memory(id=str(number), text=given.texts[number], vector=given.vector(number)) for number in numbers]
            )
        seconds.write_text(str(time.perf_counter() - started))
    return index, given, float(seconds.read_text())


@asynccontextmanager
async def our_hybrid(count: int, folder: str) -> AsyncGenerator[Any]:
    """Median milliseconds of a hybrid search."""
    index, given, _ = await _filled(folder, count)
    stored = len(given.texts) - QUERIES

    async def sample() -> float:
        taken: list[float] = []
        for number in range(stored, stored + QUERIES):
            words, vector = given.words(number), given.vector(number)
            started = time.perf_counter()
            found = await index.search(words, vector=vector, limit=10)
            taken.append((time.perf_counter() - started) * 1000)
            assert len(found) == 10
        return median(taken)

    yield sample


@asynccontextmanager
async def our_nearest(count: int, folder: str) -> AsyncGenerator[Any]:
    """The 95th percentile of the milliseconds for the ten nearest; fails where recall is below .98."""
    index, given, _ = await _filled(folder, count)
    stored = len(given.texts) - QUERIES
    asked = range(stored, stored + QUERIES, 30)
    right = 0
    for number in asked:
        one = given.numbers(number)
        scores = ((sum(map(mul, one, given.numbers(other))), str(other)) for other in range(stored))
        true = {id for _, id in nlargest(10, scores)}
        right += len(true & {hit.memory.id for hit in await index.search(vector=given.vector(number))})
    assert right >= 0.98 * 10 * len(asked), f"recall is {right / 10 / len(asked)}"

    async def sample() -> float:
        taken: list[float] = []
        for number in range(stored, stored + QUERIES):
            started = time.perf_counter()
            await index.search(vector=given.vector(number), limit=10)
            taken.append((time.perf_counter() - started) * 1000)
        return sorted(taken)[len(taken) * 95 // 100]

    yield sample


@asynccontextmanager
async def our_build(count: int, folder: str) -> AsyncGenerator[Any]:
    """Seconds to put the texts in."""
    _, _, seconds = await _filled(folder, count)

    async def sample() -> float:
        return seconds

    yield sample


@asynccontextmanager
async def our_size(count: int, folder: str) -> AsyncGenerator[Any]:
    """Megabytes on disk."""
    index, _, _ = await _filled(folder, count)
    size = (await index.stats()).bytes / 1e6

    async def sample() -> float:
        return size

    yield sample


class _Peer:
    """The server and its client's process."""

    def __init__(self, folder: str, count: int) -> None:
        from extra_environment import extra_python
        from weaviate_server import CLIENT, WeaviateServer

        self._place = Path(folder).parents[1] / f"weaviate-{count}"
        self._server = WeaviateServer(self._place)
        self._python = extra_python(CLIENT)
        self._count = count

    def __enter__(self) -> _Peer:
        self._server.__enter__()
        given = [str(self._place), str(self._server.port), str(self._server.grpc), str(self._count)]
        self._client = subprocess.Popen(
            [self._python, "-m", "bench.memory_peer", *given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seconds = float(self._read())
        self.megabytes = self._server.size() / 1e6
        return self

    def _read(self) -> str:
        assert self._client.stdout is not None
        return self._client.stdout.readline()

    def search(self) -> float:
        """Median milliseconds of a hybrid search."""
        assert self._client.stdin is not None
        self._client.stdin.write("search\n")
        self._client.stdin.flush()
        return float(self._read())

    def __exit__(self, *_: object) -> None:
        assert self._client.stdin is not None
        self._client.stdin.close()
        self._client.wait(timeout=60)
        self._server.__exit__()


@asynccontextmanager
async def peer(what: str, count: int, folder: str) -> AsyncGenerator[Any]:
    """Weaviate's `search`, `seconds` or `megabytes`."""
    with _Peer(folder, count) as weaviate:

        async def sample() -> float:
            return weaviate.search() if what == "search" else float(getattr(weaviate, what))

        yield sample


def _row(id: str, work: str, unit: str, ours: str, what: str, bar: Bar | None = None, samples: int = 7) -> Row:
    return Row(
        id=id,
        work=work,
        unit=unit,
        ours=Side(name="pyagent", sampler=f"bench.memory:{ours}", options={"count": BESIDE}),
        peer=Side(name="Weaviate 1.35", sampler="bench.memory:peer", options={"what": what, "count": BESIDE}),
        bar=bar,
        samples=samples,
    )


ROWS = [
    _row(
        "P15",
        f"hybrid search, {BESIDE:,} texts",
        "ms",
        "our_hybrid",
        "search",
        Bar(text="≥ 2 x", ratio=2),
    ),
    _row("P15b", f"putting in {BESIDE:,} texts with vectors", "s", "our_build", "seconds", samples=1),
    _row("P15c", f"{BESIDE:,} texts with vectors on disk", "MB", "our_size", "megabytes", samples=1),
    Row(
        id="P15d",
        work=f"ten nearest of {MANY:,} (or all there are), recall ≥ .98, 95th percentile",
        unit="ms",
        ours=Side(name="pyagent", sampler="bench.memory:our_nearest", options={"count": MANY}),
        bar=Bar(text="≤ 3", value=3),
    ),
]
