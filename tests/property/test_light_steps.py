"""Pure steps leave the same records whether `runtime.light` executes them or `runtime.step` does."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings

from property.test_rules_agree import agreed
from pyagent.graph.spec import GraphSpec
from pyagent.runtime import lanes
from pyagent.runtime.engine import Engine
from pyagent.runtime.frames import Changes
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import StepKey
from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Registry, Result, Stop, node
from pyagent.testing import MemoryStore
from reference.generator import Play, plays
from reference.interpreter import Step

EXAMPLES = int(os.environ.get("PYAGENT_ENGINE_EXAMPLES", "300"))
_OF_TIME = ("at", "started_at", "ended_at", "seconds")


class PlayParams(NodeParams):
    ports: list[str]
    seen: Any = None


def registry_of(play: Play) -> Registry:
    async def act(items: Items, params: PlayParams, ctx: Context) -> Result:
        name, _, scope = ctx.step.partition("@")
        step: Step = (name, tuple(map(int, scope.split("."))) if scope else ())
        ctx.log("here", items=len(items))
        if step in play.fails:
            raise NodeError("the play says so")
        entry = play.entry(step)
        made = [item.json | {name: params.seen} for item in items][:1] or [{name: 0}]
        return Result({port: [Item(made[0])] * count for port, count in entry.counts.items() if count}, entry.more)

    registry = Registry({})
    for name, kind in (("play.trigger", "trigger"), ("play.act", "action")):
        declare: Any = node(
            name,
            title=name,
            kind=kind,  # type: ignore[arg-type]
            ports_out=["a", "b", "c", "d", "out", "done", "loop", "p", "q", "r"],
            effects="none",
        )
        registry.add(declare(act))
    return registry


async def records(graph: GraphSpec, registry: Registry, inputs: dict[str, Any]) -> dict[str, Any]:
    """All that a run leaves, but for its times."""
    store = MemoryStore()
    await store.open()
    engine = Engine(store, registry=registry)
    run = await engine.run(graph, inputs)
    return {
        "run": (run.status, (run.error or {}).get("code"), run.outputs, run.log_length),
        "log": [_timeless(entry.as_dict()) for entry in await engine.log(run.id)],
        "events": [
            (event.kind, event.step, _timeless(dict(event.data))) for event in await store.read_events(0, run.id)
        ],
        "steps": [
            (row.step, row.node, row.scope, row.status, row.attempt, row.items_in, dict(row.items_out), row.wait)
            for row in await store.steps(run.id)
        ],
    }


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(found) for name, found in value.items() if name not in _OF_TIME}  # type: ignore[misc]
    return [_timeless(found) for found in value] if isinstance(value, list) else value  # type: ignore[misc]


async def never(live: LiveRun, key: StepKey, aside: object = None) -> Changes | None:
    return None


async def breathless(live: LiveRun) -> None:
    """When the event loop gets its turn depends on the clock, and with it which of two branches goes on."""


async def one_by_one(live: LiveRun, keys: Sequence[StepKey], among: lanes.Lanes | None) -> None:
    """When the next of several begins depends on whether the one before may wait."""
    for key in keys:
        await lanes.run_step(live, key, among)


def both(graph: GraphSpec, registry: Registry, inputs: dict[str, Any] | None = None) -> Sequence[dict[str, Any]]:
    with patch.object(LiveRun, "breathe", breathless), patch.object(lanes, "_beside", one_by_one):
        light = asyncio.run(records(graph, registry, inputs or {}))
        with patch.object(lanes, "run_light", never):
            return light, asyncio.run(records(graph, registry, inputs or {}))


@settings(agreed, max_examples=EXAMPLES)
@given(plays())
def test_random_graphs_of_pure_nodes_leave_the_same_records_either_way(play: Play) -> None:
    if len(play.graph.triggers) != 1:
        return
    registry = registry_of(play)
    chance = random.Random(play.order)
    back = {place for place, edge in enumerate(play.graph.edges) if edge.target == edge.source}
    nodes: list[dict[str, Any]] = []
    for found in play.graph.nodes:
        incoming = [
            edge for place, edge in enumerate(play.graph.edges) if edge.target == found.id and place not in back
        ]
        count = isinstance(found.join, int) or found.join.isdigit()
        nodes.append(
            {
                "id": found.id,
                "use": "play.trigger@1" if found.id in play.graph.triggers else "play.act@1",
                "with": {"ports": [], "seen": chance.choice([1, "{{ $itemIndex }}", "{{ $json }}"])},
                "join": f"{found.join} of {len(incoming)}" if count else found.join,
                "losers": "cancel" if found.losers else "ignore",
                **({"loop": {"max": found.max}} if found.max is not None else {}),
            }
        )
    edges = [f"{edge.source}.{edge.port} -> {edge.target}" for edge in play.graph.edges]
    graph = {"pyagent": 1, "id": "play", "nodes": nodes, "edges": edges, "settings": {"max_steps": play.max_steps}}
    light, ordinary = both(GraphSpec.model_validate(graph), registry)
    assert light == ordinary


class Odd(NodeParams):
    what: str


@node("odd.act", title="Odd", effects="none")
async def odd(items: Items, params: Odd, ctx: Context) -> Any:
    match params.what:
        case "raise":
            raise ValueError("odd")
        case "late":
            await asyncio.sleep(0)
            raise ValueError("odd")
        case "wait":
            await asyncio.sleep(0)
            return list(items)
        case "cancel":
            raise asyncio.CancelledError
        case "stop":
            return Stop(status="completed")
        case "number":
            return [Item({"n": 2**70})]
        case "wrong":
            return 7
        case "nothing":
            return None
        case "json":
            return [{"plain": True}, {"plain": False}]
        case _:
            return items


@node("odd.each", title="Each", effects="none", each_item=True)
async def each(item: Item, params: Odd, ctx: Context) -> Any:
    if params.what == "raise" and item.json.get("plain"):
        raise ValueError("odd")
    return {**item.json, "each": params.what}


WHATS = ["raise", "late", "wait", "cancel", "stop", "number", "wrong", "nothing", "json", "pass", "{{ nobody }}"]


@pytest.mark.parametrize("on_error", ["stop", "continue", "route"])
@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("use", ["odd.act", "odd.each"])
def test_what_is_out_of_the_ordinary_leaves_the_same_records_either_way(use: str, what: str, on_error: str) -> None:
    registry = Registry({})
    registry.add(odd)
    registry.add(each)
    graph = {
        "pyagent": 1,
        "id": "odd",
        "nodes": [
            {"id": "first", "use": "odd.act@1", "with": {"what": "json"}},
            {"id": "strange", "use": f"{use}@1", "with": {"what": what}, "on_error": on_error},
            {"id": "after", "use": "odd.act@1", "with": {"what": "pass"}},
            {"id": "wrong", "use": "odd.act@1", "with": {"what": "pass"}},
        ],
        "edges": ["first -> strange", "strange -> after", *(["strange.error -> wrong"] if on_error == "route" else [])],
        "outputs": {"after": "{{ $('after').all() }}"},
    }
    light, ordinary = both(GraphSpec.model_validate(graph), registry)
    assert light == ordinary


def test_a_map_over_pure_nodes_leaves_the_same_records_either_way() -> None:
    registry = Registry.installed()
    registry.add(odd)
    body = {
        "nodes": [
            {"id": "one", "use": "odd.act@1", "with": {"what": "pass"}},
            {"id": "two", "use": "odd.act@1", "with": {"what": "wait"}},
        ],
        "edges": ["one -> two"],
    }
    graph = {
        "pyagent": 1,
        "id": "mapped",
        "nodes": [
            {"id": "split", "use": "data.split@1", "with": {"field": "numbers", "into": "n"}},
            {"id": "each", "use": "flow.map@1", "body": body},
        ],
        "edges": ["split -> each"],
    }
    light, ordinary = both(GraphSpec.model_validate(graph), registry, {"numbers": list(range(30))})
    assert sorted(light["steps"]) == sorted(ordinary["steps"])
    assert sorted(map(str, light["log"])) == sorted(map(str, ordinary["log"]))
    assert light["run"] == ordinary["run"]
