"""Results of test runs: kept as blobs, compared by test id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter

from pyagent.sdk import Context
from pyagent_nodes.pipeline.shapes import Blob, TestCase, Tests

_CASES = TypeAdapter(list[TestCase])
FINE = frozenset({"passed", "xfailed", "xpassed"})
"""Outcomes of a test that ran and did as it should."""


async def save_run(ctx: Context, cases: Sequence[TestCase], log: bytes) -> tuple[Blob, Blob]:
    """Keep the results and the log; gives `results` and `log` of `Tests`."""
    data = _CASES.dump_json(sorted(cases, key=lambda case: case.id))
    results = await ctx.blobs.put(data, name="tests.json", media_type="application/json")
    printed = await ctx.blobs.put(log[-(1 << 20) :], name="tests.log", media_type="text/plain; charset=utf-8")
    return Blob.of(results), Blob.of(printed)


async def load_cases(ctx: Context, tests: Tests) -> list[TestCase]:
    """Every test's result, by id."""
    return _CASES.validate_json(await ctx.blobs.get(tests.results.ref))


def compare(before: Iterable[TestCase], after: Iterable[TestCase]) -> tuple[list[str], list[str]]:
    """Regressions and repairs, as sorted ids.

    A test that passed before and now fails, is skipped or is missing is a regression: a module that cannot be
    imported takes its tests away.
    """
    old = {case.id: case.outcome for case in before}
    new = {case.id: case.outcome for case in after}
    regressions = sorted(test for test, outcome in old.items() if outcome in FINE and new.get(test) not in FINE)
    fixed = sorted(test for test, outcome in new.items() if outcome in FINE and old.get(test) in ("failed", "error"))
    return regressions, fixed
