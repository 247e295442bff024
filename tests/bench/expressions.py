"""P6: fifty expressions of many kinds, evaluated in process, beside the npm package n8n-workflow."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import median
from typing import Literal

from bench.frame import Bar, Row, Side
from n8n import EXPRESSIONS, Peer

Sample = Callable[[], Awaitable[float]]
Of = Literal["median", "sum"]
ITEMS = 3


def _figure(of: Of, each: list[float]) -> float:
    return median(each) if of == "median" else sum(each)


@asynccontextmanager
async def ours(folder: str, of: Of) -> AsyncGenerator[Sample]:
    """Microseconds of the expression in the middle of the fifty, or of all."""
    from pyagent.runtime.expressions import EvaluationContext, Expressions

    given = json.loads(EXPRESSIONS.read_text())
    item = given["item"]
    context = EvaluationContext(now=datetime.now(UTC), json=item, items={"in": [{"json": item}] * ITEMS})
    expressions = Expressions()
    templates = ["{{ " + code + " }}" for code in given["expressions"]]

    async def sample() -> float:
        return _figure(of, [_time(lambda text=text: expressions.evaluate(text, context), 60) for text in templates])

    yield sample


@asynccontextmanager
async def theirs(folder: str, of: Of, engine: str) -> AsyncGenerator[Sample]:
    """The same of n8n's package."""
    given = json.loads(EXPRESSIONS.read_text())
    with Peer(engine) as peer:

        async def sample() -> float:
            found = peer.ask(given["expressions"], given["item"], items=ITEMS, rounds=20)
            return _figure(of, [one["microseconds"] for one in found])

        yield sample


@asynccontextmanager
async def path(folder: str) -> AsyncGenerator[Sample]:
    """Microseconds of a plain path."""
    from pyagent.runtime.expressions import EvaluationContext, Expressions

    context = EvaluationContext(now=datetime.now(UTC), json={"user": {"tags": [{"name": "a"}]}})
    expressions = Expressions()

    async def sample() -> float:
        return _time(lambda: expressions.evaluate("{{ $json.user.tags[0].name }}", context), 4_000)

    yield sample


def _time(work: Callable[[], object], rounds: int) -> float:
    """Microseconds of one round, in the best of five turns: others use the machine too."""
    work()
    turns: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(rounds):
            work()
        turns.append((time.perf_counter() - start) / rounds * 1e6)
    return min(turns)


def _row(id: str, of: Of, engine: str, bar: Bar | None) -> Row:
    work = "the expression in the middle of fifty" if of == "median" else "all fifty expressions"
    return Row(
        id=id,
        work=work,
        unit="µs",
        ours=Side(name="PyAgent", sampler="bench.expressions:ours", options={"of": of}),
        peer=Side(
            name=f"n8n-workflow, {engine}", sampler="bench.expressions:theirs", options={"of": of, "engine": engine}
        ),
        bar=bar,
    )


ROWS = [
    _row("P6", "median", "vm", Bar(text="≥ 50 x", ratio=50)),
    _row("P6l", "median", "legacy", Bar(text="≥ 10 x", ratio=10)),
    _row("P6s", "sum", "vm", None),
    Row(
        id="P6b",
        work="a plain path",
        unit="µs",
        ours=Side(name="PyAgent", sampler="bench.expressions:path"),
        bar=Bar(text="≤ 2 µs", value=2),
    ),
]
