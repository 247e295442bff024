"""A run as it stood after each entry of its log, and two runs beside each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NotFound
from pyagent.runtime.comparison import Comparison, compare
from pyagent.runtime.moments import Standing, Timeline
from pyagent.server.timelines import Timelines
from pyagent.store.base import Run


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


async def timeline(lab: Lab, run: Run) -> Timeline:
    return Timeline.of(*(await lab.engine.replay(run.id)))


async def standings(lab: Lab, run: Run) -> list[Standing]:
    found = await timeline(lab, run)
    return [found.at(n) for n in range(len(found.moments) + 1)]


async def test_each_moment_shows_the_steps_and_the_state_of_then(lab: Lab) -> None:
    spec = graph(
        {
            "a": {"write": {"sum": "{{ 1 }}", "seen": "{{ 'a' }}"}},
            "b": {"write": {"sum": "{{ 2 }}", "seen": "{{ 'b' }}"}},
        },
        ["a -> b"],
        state={"sum": {"type": "number", "reduce": "add"}, "seen": {"type": "array", "reduce": "append"}},
    )
    found = await standings(lab, await lab.run(spec))

    assert [(one.status, dict(one.steps), dict(one.state)) for one in found] == [
        ("queued", {}, {}),
        ("running", {"a": "running"}, {"sum": 0, "seen": []}),
        ("running", {"a": "completed", "b": "running"}, {"sum": 1, "seen": ["a"]}),
        ("running", {"a": "completed", "b": "completed"}, {"sum": 3, "seen": ["a", "b"]}),
        ("completed", {"a": "completed", "b": "completed"}, {"sum": 3, "seen": ["a", "b"]}),
    ]


async def test_moments_say_what_happened_when(lab: Lab) -> None:
    lab.raises("a", ValueError("no"))
    spec = graph({"a": {"retry": {"attempts": 2, "initial": "0s"}}, "b": {}}, ["a -> b"])
    found = (await timeline(lab, await lab.run(spec))).moments

    assert [(one.n, one.kind, one.step, one.status, one.attempt) for one in found] == [
        (1, "run.started", "", None, None),
        (2, "step.tried", "a", "running", 1),
        (3, "step.ended", "a", "completed", 2),
        (4, "step.ended", "b", "completed", 1),
        (5, "run.ended", "", None, None),
    ]
    times = [one.at for one in found if one.at is not None]
    assert len(times) == 5
    assert times == sorted(times)


async def test_a_wait_a_skipped_branch_and_a_map_are_shown_as_they_stood(lab: Lab) -> None:
    spec = graph(
        {
            "split": SPLIT,
            "each": {"use": "flow.map", "body": {"work": {}}},
            "ask": {"use": "flow.approve"},
            "yes": {},
            "no": {},
        },
        ["split -> each", "each -> ask", "ask.approved -> yes", "ask.rejected -> no"],
    )
    run = await lab.run(spec, numbers(1, 2))
    waiting = (await standings(lab, run))[-1]
    assert (waiting.status, waiting.steps["ask"]) == ("waiting", "waiting")
    await lab.engine.answer(run.id, "", {"approved": True})
    await lab.drive(run)
    last = (await standings(lab, run))[-1]

    assert last.steps == {
        "split": "completed",
        "each": "completed",
        "each[0]/work": "completed",
        "each[1]/work": "completed",
        "ask": "completed",
        "yes": "completed",
        "no": "skipped",
    }
    assert {step: str(status) for step, status in last.steps.items()} == await lab.statuses(run)


async def test_a_failed_run_and_one_that_goes_on_stand_as_the_store_says(lab: Lab) -> None:
    lab.raises("b", ValueError("no"))
    run = await lab.run(graph({"a": {}, "b": {}}, ["a -> b"]))
    last = (await standings(lab, run))[-1]
    assert (last.status, last.steps["b"]) == ("failed", "failed")
    await lab.engine.resume(run.id)
    await lab.drive(run)
    found = await standings(lab, run)
    assert (found[-1].status, found[-1].steps) == ("completed", {"a": "completed", "b": "completed"})


async def test_there_is_no_moment_after_the_last_and_none_before_the_first(lab: Lab) -> None:
    found = await timeline(lab, await lab.run(graph({"a": {}})))
    for n in (-1, 4):
        with pytest.raises(NotFound) as refused:
            found.at(n)
        assert refused.value.code == "run.no_moment"


async def test_timelines_are_kept_for_the_length_of_a_log_and_the_oldest_goes(lab: Lab) -> None:
    found = await timeline(lab, await lab.run(graph({"a": {}})))
    kept = Timelines(most=2 * len(found.moments))
    for name in ("one", "two"):
        kept.keep(name, found)
    assert kept.get("one", 3) is found
    assert kept.get("one", 4) is None
    kept.keep("three", found)
    assert (kept.get("two", 3), kept.get("one", 3)) == (None, found)


# Two runs ------------------------------------------------------------------------------------------------------


def told(found: Comparison) -> dict[str, Any]:
    return {pair.step: (pair.inputs_equal, pair.outputs_equal) for pair in found.steps}


async def test_two_runs_are_compared_step_by_step(lab: Lab) -> None:
    def chain(word: str) -> Any:
        fields = {"use": "data.set", "with": {"fields": {"word": word}}}
        return graph({"a": {}, "b": fields, "c": {}}, ["a -> b", "b -> c"], outputs={"w": "{{ $json }}"})

    one = await lab.run(chain("x"), {"n": 1})
    same = await lab.run(chain("x"), {"n": 1})
    found = await compare(lab.engine, one.id, same.id)
    assert (found.inputs_equal, found.outputs_equal) == (True, True)
    assert told(found) == {"a": (True, True), "b": (True, True), "c": (True, True)}
    other = await lab.run(chain("y"), {"n": 1})
    found = await compare(lab.engine, one.id, other.id)
    assert told(found) == {"a": (True, True), "b": (True, False), "c": (False, False)}


async def test_steps_that_one_run_alone_has_stand_where_they_came(lab: Lab) -> None:
    one = await lab.run(graph({"a": {}, "c": {}}, ["a -> c"]))
    lab.raises("c", ValueError("no"))
    other = await lab.run(graph({"a": {}, "b": {}, "c": {}}, ["a -> b", "b -> c"]))
    found = await compare(lab.engine, one.id, other.id)

    assert [pair.step for pair in found.steps] == ["a", "b", "c"]
    by_step = {pair.step: pair for pair in found.steps}
    assert by_step["b"].a is None
    assert by_step["b"].outputs_equal is None
    last = by_step["c"].b
    assert last is not None
    assert last.status == "failed"
