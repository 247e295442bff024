"""The conformance kit finds what is wrong with a node type, and nothing in one that is right."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, field_validator

from pyagent.graph.yaml import load_text
from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, NodeType, NoParams, Registry, node
from pyagent.testing import CaseRecorder, NodeCase, declared_problems, node_problems
from pyagent.testing.effect_watch import watched_effects

CASE = NodeCase(items=[{"n": 1}, {"n": 2}])


class Tens(NodeParams):
    field: str = Field("n", description="The field")
    by: float = Field(10, description="Times what", examples=[10, 2.5])


class Undescribed(NodeParams):
    bare: str
    wrong: int = Field("many", description="A number", examples=["one"])  # type: ignore[assignment]


class Growing(NodeParams):
    words: str = Field(description="Words")

    @field_validator("words")
    @classmethod
    def _doubled(cls, value: str) -> str:
        return value + value


@node("x.tens", title="Tens", effects="none", each_item=True)
async def tens(item: Item, params: Tens, ctx: Context) -> dict[str, Any]:
    """Multiply a field."""
    value = item.json.get(params.field)
    if not isinstance(value, int | float):
        raise NodeError(f"{params.field} is no number", code="node.no_number", hint="Name a field with a number.")
    return {**item.json, params.field: value * params.by}


def made(function: Callable[..., Awaitable[Any]], **options: Any) -> NodeType:
    function.__doc__ = function.__doc__ or "Do something."
    function.__annotations__ = {"params": NoParams, **function.__annotations__}
    return node("x.made", **{"title": "Made", "effects": "none", **options})(function)


def codes(found: list[Any]) -> list[str]:
    return sorted({each.code.removeprefix("node.check.") for each in found})


async def test_a_node_that_keeps_to_everything_has_no_findings() -> None:
    assert await node_problems(tens, [CASE, NodeCase(items=[{"n": 1}], params={"by": 2.5})]) == []


def test_words_that_are_missing_and_schemas_that_do_not_hold_are_told() -> None:
    @node("x.bad", title=" ", ports_out=["a b"])
    async def bad(items: Items, params: Undescribed, ctx: Context) -> None: ...

    assert codes(declared_problems(bad)) == ["default", "description", "docstring", "example", "ports", "title"]


async def _mutates(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    for item in items:
        item.json["n"] = 0
    return list(items)


async def _forgets(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    return [Item({"count": len(items)})]


async def _invents(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    return [items[0].derive({}, 7)] if items else []


async def _chance(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    return [item.derive({"chance": random.random()}, index) for index, item in enumerate(items)]


async def _writes(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    Path("/tmp/pyagent-test-effects").write_text("x")
    return list(items)


async def _connects(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    try:
        await asyncio.open_connection("127.0.0.1", 9)
    except OSError:
        return list(items)
    return []


async def _crashes(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    return [item.derive({"n": item.json["n"] + 1}, index) for index, item in enumerate(items)]


async def _no_hint(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    raise NodeError("no", code="node.no")


async def _stubborn(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    for _ in range(60):
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue
    return list(items)


async def _no_json(items: Items, params: NoParams, ctx: Context) -> list[Item]:
    return [item.derive({"at": ctx.now}, index) for index, item in enumerate(items)]


@pytest.mark.parametrize(
    ("function", "options", "expected"),
    [
        (_mutates, {}, ["mutates"]),
        (_forgets, {}, ["lineage"]),
        (_forgets, {"makes_items": True}, []),
        (_invents, {}, ["lineage"]),
        (_chance, {}, ["effects"]),
        (_writes, {}, ["effects"]),
        (_writes, {"effects": "idempotent"}, []),
        (_connects, {}, ["effects"]),
        (_crashes, {}, ["error"]),
        (_no_hint, {}, ["error"]),
        (_no_json, {}, ["json"]),
    ],
)
async def test_what_a_node_does_wrong_is_found(
    function: Callable[..., Awaitable[Any]], options: dict[str, Any], expected: list[str]
) -> None:
    assert codes(await node_problems(made(function, **options), [CASE])) == expected


@pytest.mark.integration
async def test_a_node_that_does_not_end_when_cancelled_is_found() -> None:
    found = await node_problems(made(_stubborn, effects="idempotent"), [CASE])
    assert codes(found) == ["cancel"]


@pytest.mark.integration
async def test_a_node_that_holds_the_event_loop_up_is_warned_of() -> None:
    async def holds(items: Items, params: NoParams, ctx: Context) -> list[Item]:
        await asyncio.sleep(0.02)
        time.sleep(1.3)  # noqa: ASYNC251  the very mistake
        await asyncio.sleep(0.02)
        return list(items)

    found = await node_problems(made(holds, effects="idempotent"), [CASE])
    assert [(each.code, each.severity) for each in found] == [("node.check.blocks", "warning")]


async def test_parameters_that_do_not_come_back_from_json_are_found() -> None:
    @node("x.grows", title="Grows", effects="none")
    async def grows(items: Items, params: Growing, ctx: Context) -> list[Item]:
        """Grow."""
        return list(items)

    assert codes(await node_problems(grows, [NodeCase(params={"words": "a"}, items=[{}])])) == ["round_trip"]
    assert codes(await node_problems(grows, [NodeCase()])) == ["params"]


async def test_a_node_with_effects_once_is_run_by_request_only() -> None:
    runs = itertools.count()

    async def counts(items: Items, params: NoParams, ctx: Context) -> list[Item]:
        next(runs)
        return list(items)

    once = made(counts, effects="once")
    await node_problems(once, [CASE])
    assert next(runs) == 0
    await node_problems(once, [CASE], repeat_once=True)
    assert next(runs) > 1


async def test_cases_are_taken_from_a_graph_that_is_run() -> None:
    registry = Registry.installed()
    registry.add(tens)
    graph = load_text("""\
pyagent: 1
id: g
inputs: {by: {type: number}, numbers: {type: array}}
nodes:
  - {id: split, use: data.split@1, with: {field: numbers, into: n}}
  - {id: tens, use: x.tens@1, with: {by: "{{ $inputs.by + $json.n }}"}}
edges: [split -> tens]
""")
    recorder = CaseRecorder(registry)

    run, _ = await recorder.run(graph, {"by": 1, "numbers": [1, 2]})

    assert run.status == "completed"
    [case] = recorder.cases("x.tens@1")
    assert [item.json["n"] for item in case.items if isinstance(item, Item)] == [1, 2]
    assert [dict(each) for each in case.params_by_item] == [{"by": 2.0}, {"by": 3.0}]
    assert await node_problems(tens, [case]) == []


def test_only_what_changes_the_world_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    with watched_effects(allowed=[tmp_path / "mine"]) as seen:
        (tmp_path / "there").read_text()
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "file").write_text("x")
        assert seen == []
        (tmp_path / "other").write_text("x")
    assert seen == [f"open {tmp_path / 'other'}"]
