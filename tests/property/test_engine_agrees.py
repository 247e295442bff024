"""The whole engine does what the reference interpreter says, on random graphs with random interleavings.

The engine runs the graph with nodes that take a random number of turns of the event loop; the order in which steps
ended, as its log has it, is then given to the reference. `PYAGENT_ENGINE_EXAMPLES` sets the number of graphs.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from hypothesis import given, settings

from property.test_rules_agree import agreed
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.engine import Engine
from pyagent.runtime.log import Entry as LogEntry
from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Registry, Result, node
from pyagent.store.base import ENDED, Run, StepRecord
from pyagent.testing import MemoryStore
from reference.generator import Play, plays
from reference.interpreter import Entry, History, Step, spell
from reference.shape import Shape

EXAMPLES = int(os.environ.get("PYAGENT_ENGINE_EXAMPLES", "300"))


class PlayParams(NodeParams):
    ports: list[str]
    effects: str


def registry_of(play: Play, chance: random.Random) -> Registry:
    """Node types that end each step as the play says, after some turns of the event loop."""

    async def act(items: Items, params: PlayParams, ctx: Context) -> Result:
        name, _, scope = ctx.step.partition("@")
        step: Step = (name, tuple(map(int, scope.split("."))) if scope else ())
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        if step in play.fails:
            raise NodeError("the play says so")
        entry = play.entry(step)
        return Result({port: [Item({})] * count for port, count in entry.counts.items() if count}, entry.more)

    registry = Registry({})
    for name, kind in (("play.trigger", "trigger"), ("play.act", "action")):
        declare: Any = node(
            name,
            title=name,
            kind=kind,  # type: ignore[arg-type]
            ports_out=lambda params: params.ports,
            effects=lambda params: params.effects,
        )
        registry.add(declare(act))
    return registry


def spec_of(play: Play, chance: random.Random) -> GraphSpec:
    """The play's graph as a graph file; a graph of several triggers gets one in front of them."""
    back = Shape(play.graph).back
    triggers = play.graph.triggers
    nodes: list[dict[str, Any]] = []
    for found in play.graph.nodes:
        incoming = [
            edge for place, edge in enumerate(play.graph.edges) if edge.target == found.id and place not in back
        ]
        ports = sorted({edge.port for edge in play.graph.edges if edge.source == found.id}) or ["out"]
        spec: dict[str, Any] = {
            "id": found.id,
            "use": "play.trigger@1" if found.id in triggers else "play.act@1",
            "with": {"ports": ports, "effects": chance.choice(["none", "idempotent", "once"])},
            "losers": "cancel" if found.losers else "ignore",
        }
        if isinstance(found.join, int) or found.join.isdigit():
            spec["join"] = f"{found.join} of {len(incoming)}"
        else:
            spec["join"] = found.join
        if found.max is not None:
            spec["loop"] = {"max": found.max}
        nodes.append(spec)
    edges = [f"{edge.source}.{edge.port} -> {edge.target}" for edge in play.graph.edges]
    return GraphSpec.model_validate(
        {"pyagent": 1, "id": "play", "nodes": nodes, "edges": edges, "settings": {"max_steps": play.max_steps}}
    )


async def run_on_engine(play: Play, chance: random.Random) -> tuple[Run, list[StepRecord], list[LogEntry]]:
    store = MemoryStore()
    await store.open()
    engine = Engine(store, registry=registry_of(play, chance))
    run = await engine.run(spec_of(play, chance), {})
    return run, await store.steps(run.id), await engine.log(run.id)


@settings(agreed, max_examples=EXAMPLES)
@given(plays())
def test_the_engine_does_what_the_reference_says_of_its_log(play: Play) -> None:
    if len(play.graph.triggers) != 1:
        return
    chance = random.Random(play.order)

    run, records, log = asyncio.run(run_on_engine(play, chance))

    assert run.status in ENDED
    history = History(play.graph, play.max_steps)
    expected = history.begin()
    skipped = set(expected.skipped)
    failed = False
    for entry in log:
        if entry.kind != "step.ended" or entry.step is None:
            continue
        if entry.data["status"] == "failed":
            failed = True
            continue
        if expected.failures:
            break
        step: Step = (entry.step.node, entry.step.scope)
        if entry.data["status"] == "cancelled":
            if entry.data["reason"] != "loser":
                break
            expected = history.end(Entry(step))
        else:
            expected = history.end(play.entry(step))
        skipped |= set() if expected.failures else expected.skipped
    told = {record.step for record in records if record.status != "skipped"}
    known = {spell(step) for step in history.started}
    if not expected.failures:
        assert {record.step for record in records if record.status == "skipped"} == set(map(spell, skipped))
    if failed:
        assert run.status == "failed"
        assert told <= known
    elif expected.failures:
        assert (run.error or {})["code"] in {code for code, _ in expected.failures}
    else:
        assert run.status == "completed"
        assert expected.ended
        assert told == known
        items = {record.step: record.items_in for record in records if record.status == "completed"}
        for step, deliveries in history.started.items():
            if deliveries and spell(step) in items:
                edges = play.graph.edges
                sent = sum(history.entries[sender].counts[edges[place].port] for place, sender in deliveries)
                assert items[spell(step)] == sent
