"""SEMANTICS 23 through the engine: state channels that are others in the version a run goes on with."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import InputError
from pyagent.runtime.log import Entry
from pyagent.store.base import Run

IDS = {"type": "array", "reduce": "append"}
BY_ID = {
    "type": "object",
    "reduce": "merge",
    "migrate": "{{ Object.fromEntries($state.seen.map(id => [id, $inputs.n])) }}",
}


def service(seen: Any, write: Any, **channels: Any) -> Any:
    """Notes what it sees, asks, and begins anew."""
    return graph(
        {
            "note": {"write": {"seen": write} if seen else {}},
            "ask": {"use": "flow.approve"},
            "anew": {"use": "flow.restart", **channels.pop("anew", {})},
        },
        ["note -> ask", "ask.approved -> anew"],
        state={**({"seen": seen} if seen else {}), **channels},
        outputs={"state": "{{ $state }}"},
        id="service",
    )


def old(**channels: Any) -> Any:
    return service(IDS, "{{ 'a' + $json.n }}", **channels)


def new(seen: Any = BY_ID, write: Any = "{{ ({z: 0}) }}", **channels: Any) -> Any:
    return service(seen, write, **channels)


async def begun_anew(lab: Lab, run: Run) -> tuple[Run, dict[str, Any]]:
    """The run after its approval, and what its successor began with, by its first entry."""
    await lab.engine.answer(run.id, "", {"approved": True})
    ended = await lab.drive(run, lab.another_engine())
    if ended.continued_as is None:
        return ended, {}
    return ended, (await started(lab, ended.continued_as)).data.get("state", {})


async def started(lab: Lab, run_id: str) -> Entry:
    """The run's first entry."""
    return (await lab.engine.log(run_id))[0]


async def test_a_successor_on_a_newer_version_begins_with_the_migrated_state(lab: Lab) -> None:
    lab.file(old())
    run = await lab.run("service", {"n": 1})
    lab.file(new())
    ended, began = await begun_anew(lab, run)

    assert began == {"seen": {"a1": 1}}
    after = await lab.drive(await lab.store.get_run(ended.continued_as or ""), lab.another_engine())
    assert after.status == "waiting"
    state, entries = await lab.engine.replay(after.id)
    for entry in entries:
        state.apply(entry)
    assert dict(state.frames[""].channels) == {"seen": {"a1": 1, "z": 0}}


async def test_the_step_that_begins_anew_writes_before_its_state_is_migrated(lab: Lab) -> None:
    lab.file(old(anew={"write": {"seen": "last"}}))
    run = await lab.run("service", {"n": 1})
    lab.file(new(anew={"write": {"seen": {"never": 1}}}))

    assert (await begun_anew(lab, run))[1] == {"seen": {"a1": 1, "last": 1}}


async def test_a_migrated_value_is_not_migrated_again_by_a_later_version(lab: Lab) -> None:
    lab.file(old())
    run = await lab.run("service", {"n": 1})
    lab.file(new())
    ended, _ = await begun_anew(lab, run)
    run = await lab.drive(await lab.store.get_run(ended.continued_as or ""))
    lab.file(new(more={"type": "number", "default": 2}))

    assert (await begun_anew(lab, run))[1] == {"seen": {"a1": 1, "z": 0}}


@pytest.mark.parametrize(
    ("seen", "why", "do"),
    [
        ({"type": "object"}, "no `migrate`", "Write state.seen.migrate"),
        ({"type": "object", "migrate": "{{ $state.seen.map(1) }}"}, "failed", "Correct state.seen.migrate"),
        (
            {"type": "object", "migrate": "{{ $state.seen.length }}"},
            "gave integer, the channel is declared object",
            "Correct state.seen.migrate",
        ),
    ],
)
async def test_state_that_cannot_be_migrated_fails_the_step_and_the_run_goes_on_when_it_can(
    lab: Lab, seen: Any, why: str, do: str
) -> None:
    lab.file(old())
    run = await lab.run("service", {"n": 1})
    lab.file(new(seen))
    failed, _ = await begun_anew(lab, run)
    error = failed.error or {}

    assert (failed.status, failed.continued_as, error["code"]) == ("failed", None, "run.state_migration")
    assert why in error["message"]
    assert do in error["hint"]
    assert error["where"]["field"].startswith("state.seen")
    lab.file(new())
    await lab.engine.resume(run.id)
    again = await lab.drive(run, lab.another_engine())
    assert (await started(lab, again.continued_as or "")).data["state"] == {"seen": {"a1": 1}}


async def test_channels_that_come_go_or_are_renamed(lab: Lab) -> None:
    lab.file(old(gone={"type": "number", "default": 1}, wide={"type": "integer", "default": 1}))
    run = await lab.run("service", {"n": 1})
    renamed = {"type": "array", "migrate": "{{ $state.seen }}"}
    come = {"type": "string", "default": "new"}
    wide = {"type": "number", "default": 2}
    lab.file(new(None, come=come, renamed=renamed, literal={"type": "array", "migrate": []}, wide=wide))
    ended, began = await begun_anew(lab, run)

    assert began == {"renamed": ["a1"], "literal": []}
    state, entries = await lab.engine.replay(ended.continued_as or "")
    for entry in entries:
        state.apply(entry)
    # What was only declared is declared anew.
    assert dict(state.frames[""].channels) == {"come": "new", "renamed": ["a1"], "literal": [], "wide": 2}


async def test_a_value_that_was_never_written_needs_no_migration(lab: Lab) -> None:
    lab.file(old(other={"type": "number", "default": 3}))
    run = await lab.run("service", {"n": 1})
    lab.file(new(other={"type": "string", "default": "x"}))

    assert (await begun_anew(lab, run))[1] == {"seen": {"a1": 1}}


def chain(seen: Any, end: str, **more: Any) -> Any:
    return graph(
        {"a": {"write": {"seen": "{{ 'a' + $json.n }}"}}, "b": {"write": more}, "end": {"value": end}},
        ["a -> b", "b -> end"],
        state={"seen": seen, "count": {"type": "number", "reduce": "add"}},
        outputs={"state": "{{ $state }}"},
        id="chain",
    )


async def test_a_fork_on_a_newer_version_goes_on_with_the_migrated_state(lab: Lab) -> None:
    source = await lab.run(chain(IDS, "{{ 1 }}", count="{{ 2 }}"), {"n": 1})
    lab.calls.clear()
    fork = await lab.engine.fork(source.id, "end", graph=chain(BY_ID, "{{ $state.seen }}", count="{{ 2 }}"))
    first, *kept = await lab.engine.log(fork.id)

    assert first.data["state"] == {"seen": {"a1": 1}}
    assert [(str(entry.step), entry.data.get("writes")) for entry in kept] == [("a", None), ("b", {"count": 2})]
    ended = await lab.drive(fork)
    assert (ended.status, lab.calls, lab.values["end"]) == ("completed", ["end"], {"a1": 1})
    assert await lab.outputs(ended) == {"state": {"seen": {"a1": 1}, "count": 2}}


async def test_a_fork_without_a_migration_is_refused_before_anything_is_made(lab: Lab) -> None:
    source = await lab.run(chain(IDS, "{{ 1 }}"), {"n": 1})
    with pytest.raises(InputError) as refused:
        await lab.engine.fork(source.id, "end", graph=chain({"type": "string"}, "{{ 2 }}"))

    assert refused.value.code == "run.state_migration"
    assert refused.value.hint
    assert [run.id for run in await lab.store.list_runs()] == [source.id]


async def test_a_fork_before_the_write_needs_no_migration(lab: Lab) -> None:
    source = await lab.run(chain(IDS, "{{ 1 }}"), {"n": 1})
    fork = await lab.drive(await lab.engine.fork(source.id, "a", graph=chain({"type": "string"}, "{{ $state.seen }}")))

    assert (fork.status, lab.values["end"]) == ("completed", "a1")


async def test_a_fork_on_a_version_that_only_adds_up_otherwise_keeps_the_value(lab: Lab) -> None:
    def counted(reduce: str) -> Any:
        steps = {name: {"write": {"n": 2}} for name in ("a", "b", "c")}
        number = {"type": "number", "reduce": reduce}
        return graph(steps, ["a -> b", "b -> c"], state={"n": number}, outputs={"n": "{{ $state.n }}"})

    source = await lab.run(counted("add"))
    fork = await lab.drive(await lab.engine.fork(source.id, "c", graph=counted("max")))

    assert (await lab.outputs(source), await lab.outputs(fork)) == ({"n": 6}, {"n": 4})


async def test_the_outcome_given_to_a_fork_writes_as_the_new_version_says(lab: Lab) -> None:
    def made(seen: Any, write: str) -> Any:
        return graph(
            {"a": {"write": {"seen": "{{ $json.n }}"}}, "b": {"write": {"seen": write}}, "end": {}},
            ["a -> b", "b -> end"],
            state={"seen": seen},
            outputs={"seen": "{{ $state.seen }}"},
        )

    source = await lab.run(made({"type": "array", "reduce": "append"}, "{{ $json.n }}"), {"n": 1})
    changed = made({"type": "number", "reduce": "add", "migrate": "{{ $state.seen.length }}"}, "{{ $json.n * 10 }}")
    fork = await lab.drive(await lab.engine.fork(source.id, "b", items=[{"n": 5}], graph=changed))

    assert await lab.outputs(fork) == {"seen": 51}


async def test_an_outcome_for_a_step_that_does_not_follow_from_what_is_kept_is_refused(lab: Lab) -> None:
    source = await lab.run(graph({"a": {}, "b": {}}, ["a -> b"]), {"n": 1})
    with pytest.raises(InputError) as refused:
        await lab.engine.fork(source.id, "b", items=[{"n": 5}], graph=graph({"a": {"value": 1}, "b": {}}, ["a -> b"]))

    assert refused.value.code == "run.fork_items"


def mapped(seen: Any, end: Any) -> Any:
    return graph(
        {
            "split": SPLIT,
            "map": {"use": "flow.map", "body": ({"in": {"write": {"seen": "{{ $json.n }}"}}}, [])},
            "side": {},
            "end": {"value": end},
        },
        ["split -> map", "split -> side", "map -> end"],
        state={"seen": seen},
    )


COUNTED = {"type": "number", "reduce": "add", "migrate": "{{ $state.seen.length }}"}


async def test_what_a_maps_elements_wrote_is_migrated_with_the_rest(lab: Lab) -> None:
    source = await lab.run(mapped(IDS, "{{ 1 }}"), numbers(1, 2))
    lab.calls.clear()
    fork = await lab.drive(await lab.engine.fork(source.id, "end", graph=mapped(COUNTED, "{{ $state.seen }}")))

    assert (fork.status, lab.calls, lab.values["end"]) == ("completed", ["end"], 2)


async def test_what_elements_of_an_open_map_wrote_cannot_be_migrated(lab: Lab) -> None:
    lab.raises("in", None, RuntimeError("no"))
    source = await lab.run(mapped(IDS, "{{ 1 }}"), numbers(1, 2))
    assert source.status == "failed"
    with pytest.raises(InputError) as refused:
        await lab.engine.fork(source.id, "side", graph=mapped(COUNTED, "{{ $state.seen }}"))

    assert refused.value.code == "run.state_migration"
    assert "Fork at map" in (refused.value.hint or "")
    fork = await lab.drive(await lab.engine.fork(source.id, "map", graph=mapped(COUNTED, "{{ $state.seen }}")))
    assert (fork.status, lab.values["end"]) == ("completed", 3)
