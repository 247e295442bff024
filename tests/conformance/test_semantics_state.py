"""SEMANTICS 16 through the engine: state channels, reducers, writes that meet."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers

REDUCED: list[tuple[str, str, list[Any], Any]] = [
    ("replace", "number", [1, 5, 3], 3),
    ("append", "array", [1, [2, 3], 4], [1, 2, 3, 4]),
    ("add", "number", [1, 5, 3], 9),
    ("add", "string", ["a", "b"], "ab"),
    ("merge", "object", [{"a": 1, "b": 1}, {"b": 2}], {"a": 1, "b": 2}),
    ("union", "array", [1, [2, 1], 2], [1, 2]),
    ("max", "number", [1, 5, 3], 5),
    ("min", "number", [4, 1, 3], 1),
    ("first", "string", ["a", "b"], "a"),
]


@pytest.mark.parametrize(("reducer", "kind", "values", "result"), REDUCED)
async def test_writes_meet_by_the_channels_reducer(
    lab: Lab, reducer: str, kind: str, values: list[Any], result: Any
) -> None:
    names = [f"w{number}" for number in range(len(values))]
    nodes = {name: {"write": {"c": f"{{{{ $inputs.values[{number}] }}}}"}} for number, name in enumerate(names)}
    run = await lab.run(
        graph(
            {**nodes, "end": {"value": "{{ $state.c }}"}},
            [f"{left} -> {right}" for left, right in zip([*names], [*names[1:], "end"], strict=True)],
            state={"c": {"type": kind, "reduce": reducer}},
        ),
        {"values": values},
    )

    assert run.status == "completed", run.error
    assert lab.values["end"] == result


async def test_a_channel_begins_with_its_default(lab: Lab) -> None:
    await lab.run(graph({"end": {"value": "{{ $state.c }}"}}, state={"c": {"type": "number", "default": 3}}))

    assert lab.values["end"] == 3


async def test_two_writes_to_a_replace_channel_on_parallel_branches_are_an_error(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"start": {}, "a": {"write": {"c": 1}}, "b": {"write": {"c": 2}}},
            ["start -> a", "start -> b"],
            state={"c": {"type": "number"}},
        )
    )

    assert run.status == "failed"
    assert (run.error or {})["code"] == "run.concurrent_write"


async def test_two_writes_of_which_one_is_upstream_of_the_other_are_none(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"a": {"write": {"c": 1}}, "between": {}, "b": {"write": {"c": 2}}},
            ["a -> between", "between -> b"],
            state={"c": {"type": "number"}},
            outputs={"c": "{{ $state.c }}"},
        )
    )

    assert await lab.outputs(run) == {"c": 2}


async def test_a_loop_may_write_a_replace_channel_in_each_iteration(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"split": SPLIT, "loop": {"use": "flow.loop"}, "work": {"write": {"c": "{{ $json.n }}"}}, "end": {}},
            ["split -> loop", "loop.loop -> work", "work -> loop", "loop.done -> end"],
            state={"c": {"type": "number"}},
            outputs={"c": "{{ $state.c }}"},
        ),
        numbers(1, 2, 3),
    )

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"c": 3}


async def test_a_map_and_a_branch_beside_it_that_write_a_replace_channel_are_an_error(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {
                "split": SPLIT,
                "each": {"use": "flow.map", "body": {"inner": {"write": {"c": 1}}}},
                "b": {"write": {"c": 2}},
            },
            ["split -> each", "split -> b"],
            state={"c": {"type": "number"}},
        ),
        numbers(1),
    )

    assert run.status == "failed"
    assert (run.error or {})["code"] == "run.concurrent_write"


@pytest.mark.parametrize(
    ("kind", "reducer", "value"),
    [
        ("number", "add", "x"), ("number", "replace", "x"), ("array", "replace", {}), ("object", "merge", [1]),
        ("integer", "replace", 1.5),
    ],
)  # fmt: skip
@pytest.mark.parametrize("inside", [False, True])
async def test_a_write_that_does_not_fit_the_channel_fails_the_run_and_names_the_node(
    lab: Lab, kind: str, reducer: str, value: Any, inside: bool
) -> None:
    writer: dict[str, Any] = {"write": {"c": "{{ $inputs.value }}"}}
    nodes = {"each": {"use": "flow.map", "body": {"writer": writer}}} if inside else {"writer": writer}
    run = await lab.run(graph(nodes, state={"c": {"type": kind, "reduce": reducer}}), {"value": value})

    assert run.status == "failed"
    assert (run.error or {})["code"] == "run.state_write"
    assert "writer" in str(run.error)


async def test_a_write_is_visible_with_its_steps_commit_and_not_before(lab: Lab) -> None:
    gate = lab.gate("writer")
    run = await lab.engine.start(
        graph(
            {"writer": {"write": {"c": 1}}, "early": {"value": "{{ $state.c }}"}, "late": {"value": "{{ $state.c }}"}},
            ["writer -> late"],
            state={"c": {"type": "number"}},
        )
    )
    driving = lab.driving(run)
    await lab.until(run, "step.completed", "early")
    gate.set()
    await driving

    assert lab.values == {"writer": None, "early": None, "late": 1}


async def test_a_write_expression_that_fails_fails_the_step_by_its_policy(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"writer": {"write": {"c": "{{ $json.a.b.c }}"}, "on_error": "route"}, "end": {}, "bad": {}},
            ["writer -> end", "writer.error -> bad"],
            state={"c": {"type": "number"}},
        )
    )

    assert run.status == "completed", run.error
    assert lab.calls == ["writer", "bad"]
