"""P14 to P14g: how smooth the designer is with 5,000 nodes, beside plain React Flow with the same graph.

Both sides are pages in Chromium, which draws by software; `web/e2e/bench.mjs` drives them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from bench.frame import Bar, Row, Side
from bench.measure import ROOT

WEB = ROOT / "web"


@asynccontextmanager
async def page(which: str, row: str, folder: str) -> AsyncGenerator[Callable[[], Awaitable[float]]]:
    """A page that is measured each time it is asked; it keeps nothing in the folder."""
    driver = await asyncio.create_subprocess_exec(
        "node",
        "e2e/bench.mjs",
        which,
        row,
        cwd=WEB,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert driver.stdin is not None
    assert driver.stdout is not None
    asking, answers = driver.stdin, driver.stdout
    if (await answers.readline()).strip() != b"ready":
        raise RuntimeError(f"the page of {which} did not open")

    async def sample() -> float:
        asking.write(b"\n")
        await asking.drain()
        return float(await answers.readline())

    try:
        yield sample
    finally:
        asking.close()
        await driver.wait()


def _row(row: str, work: str, unit: str, bar: Bar, *, more: bool = True) -> Row:
    def side(which: str, name: str) -> Side:
        return Side(name=name, sampler="bench.designer:page", options={"which": which, "row": row})

    return Row(
        id=row,
        work=work,
        unit=unit,
        ours=side("ours", "designer"),
        peer=side("peer", "React Flow"),
        better="more" if more else "less",
        bar=bar,
        samples=3,
        warm=False,
    )


def _frames(least: int) -> Bar:
    return Bar(text=f"at least {least} frames/s", value=float(least))


ROWS: list[Row] = [
    _row("P14", "open a graph of 5,000 nodes", "s", Bar(text="at most 2 s", value=2.0), more=False),
    _row("P14b", "pan at reading zoom, 5,000 nodes", "frames/s", _frames(50)),
    _row("P14c", "pan and zoom where all 5,000 nodes are seen", "frames/s", _frames(50)),
    _row("P14d", "drag a node, 5,000 nodes", "frames/s", _frames(30)),
    _row(
        "P14e",
        "from a key in a parameter to its paint",
        "ms",
        Bar(text="at most 50 ms", value=50.0),
        more=False,
    ),
    _row("P14f", "type and pan while 1,000 steps a second are shown", "frames/s", _frames(30)),
    _row(
        "P14g",
        "from a key to its paint while 1,000 steps a second are shown, 95 of 100",
        "ms",
        Bar(text="at most 100 ms", value=100.0),
        more=False,
    ),
]
