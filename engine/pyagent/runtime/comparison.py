"""Two runs beside each other, step by step: how each ended, how long it took, and whether the data are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyagent.native import blake3_hex
from pyagent.runtime.log import Entry, encode
from pyagent.runtime.paging import table
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Items
from pyagent.sdk.pages import PagedItems
from pyagent.store.base import Run, StepRecord

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPair:
    """A step in two runs; None in one that has no such step."""

    step: str
    node: str
    a: StepRecord | None
    b: StepRecord | None
    inputs_equal: bool | None
    """Whether both were given the same items; None where one of them was not."""
    outputs_equal: bool | None
    """Whether both put out the same items; None where one of them did not end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two runs."""

    a: Run
    b: Run
    inputs_equal: bool
    outputs_equal: bool | None
    """None where one of them has no outputs."""
    steps: tuple[StepPair, ...]
    """In the order of the first run; what the second alone has follows what came before it there."""


async def compare(engine: Engine, a: str, b: str) -> Comparison:
    """Compare two runs. Raises `NotFound`."""
    one, other = await engine.store.get_run(a), await engine.store.get_run(b)
    records = [{record.step: record for record in await engine.store.steps(run.id)} for run in (one, other)]
    digests = [await asyncio.to_thread(_digests, *(await engine.replay(run.id))) for run in (one, other)]
    return Comparison(
        a=one,
        b=other,
        inputs_equal=one.inputs == other.inputs,
        outputs_equal=None if one.outputs is None or other.outputs is None else one.outputs == other.outputs,
        steps=tuple(
            StepPair(
                step=step,
                node=(records[0].get(step) or records[1][step]).node,
                a=records[0].get(step),
                b=records[1].get(step),
                inputs_equal=_equal(digests[0][0].get(step), digests[1][0].get(step)),
                outputs_equal=_equal(digests[0][1].get(step), digests[1][1].get(step)),
            )
            for step in _woven(list(records[0]), list(records[1]))
        ),
    )


def _woven(first: list[str], second: list[str]) -> list[str]:
    """All of the first, and what only the second has where it has come there."""
    known = set(first)
    after: dict[str, list[str]] = {}
    last = ""
    for step in second:
        if step in known:
            last = step
        else:
            after.setdefault(last, []).append(step)
    return [*after.get("", ()), *(found for step in first for found in (step, *after.get(step, ())))]


def _equal(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else one == other


def _digests(state: RunState, entries: Iterable[Entry]) -> tuple[dict[str, str], dict[str, str]]:
    """Digests of what each step was given, and of what it put out."""
    given: dict[str, str] = {}
    made: dict[str, str] = {}
    for entry in entries:
        changes = state.apply(entry)
        for key in changes.ready:
            if str(key) not in given:
                given[str(key)] = _digest(state.inputs_of(key))
        if entry.kind == "step.ended" and entry.step is not None:
            made[str(entry.step)] = _digest(entry.outputs or {})
        for key in changes.expanded:
            made[str(key)] = _digest(state.outcomes[key].outputs)
    return given, made


def _digest(ports: Mapping[str, Items]) -> str:
    return blake3_hex(encode({port: _content(items) for port, items in sorted(ports.items()) if len(items)}))


def _content(items: Items) -> object:
    """What counts of items: their data and files, not where they came from. Kept pages are named by digests."""
    if isinstance(items, PagedItems) and items.kept:
        return table(items.pieces)
    return [[item.json, {name: ref.digest for name, ref in (item.binary or {}).items()}] for item in items]


__all__ = ["Comparison", "StepPair", "compare"]
