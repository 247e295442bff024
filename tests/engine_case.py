"""Runs a case of `conformance/semantics_cases.yaml` through the whole engine: nodes, LangGraph, commits, a store.

A gate in the nodes ends the steps in the order that virtual time gives: a step ends when the one before it in that
order has been committed. An engine that made one step wait for another it does not depend on would never end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyagent.graph.spec import GraphSpec
from pyagent.runtime.engine import Engine
from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, Registry, Result, node
from pyagent.store.base import ENDED, Run, Store
from virtual_time import run as run_virtually


class CaseParams(NodeParams):
    """What the node of a case does."""

    ports: list[str] = ["out"]
    emit: dict[str, int | list[int]] | None = None
    more: list[bool] = []
    fail: bool = False
    effects: Literal["none", "idempotent", "once"] = "idempotent"


class Gate:
    """Lets steps end in a given order, each when the one before it has been committed."""

    def __init__(self, order: Sequence[str]) -> None:
        self.places = {step: place for place, step in enumerate(order)}
        self.open = 0
        self.moved = asyncio.Condition()

    async def enter(self, step: str) -> None:
        """Return when it is this step's turn to end."""
        place = self.places.get(step, 0)
        async with self.moved:
            await self.moved.wait_for(lambda: self.open >= place)

    async def follow(self, store: Store, run_id: str) -> None:
        """Open for the next step whenever one has been committed."""
        async for events in store.follow(0, run_id):
            async with self.moved:
                self.open += sum(event.kind in ("step.completed", "step.failed") for event in events)
                self.moved.notify_all()


def case_registry(gate: Gate | None = None) -> Registry:
    """The node types of cases."""

    async def act(items: Items, params: CaseParams, ctx: Context) -> Result:
        if gate is not None:
            await gate.enter(ctx.step)
        if params.fail:
            raise NodeError("the case says so")
        place = int(ctx.step.rpartition("@")[2].split(".")[-1]) - 1 if "@" in ctx.step else 0
        more = place < len(params.more) and params.more[place]
        if params.emit is None:
            return Result({port: list(items) for port in params.ports}, more)
        made: dict[str, list[Item]] = {}
        for port, amount in params.emit.items():
            count = amount if isinstance(amount, int) else amount[min(place, len(amount) - 1)]
            made[port] = [Item({"from": ctx.step, "n": number}) for number in range(count)]
        return Result(made, more)

    def declare(name: str, kind: Literal["trigger", "action"]) -> Any:
        return node(
            name,
            title=name,
            kind=kind,
            ports_out=lambda params: params.ports,
            effects=lambda params: params.effects,
        )(act)

    registry = Registry.installed()
    registry.add(declare("case.trigger", "trigger"))
    registry.add(declare("case.act", "action"))
    return registry


def case_graph(case: Mapping[str, Any], effects: str = "idempotent") -> GraphSpec:
    """The case as a graph."""
    ports: dict[str, dict[str, None]] = {}
    order: dict[str, None] = {case["start"]: None}
    edges: list[str] = []
    for edge in case["edges"]:
        left, right = (part.strip() for part in edge.split("->"))
        source, _, port = left.partition(".")
        ports.setdefault(source, {})[port or "out"] = None
        order |= {source: None, right: None}
        edges.append(f"{source}.{port or 'out'} -> {right}")
    nodes: list[dict[str, Any]] = []
    for name in order:
        emit = case.get("emit", {}).get(name)
        named = list(ports.get(name, {})) + [port for port in (emit or {}) if port not in ports.get(name, {})]
        params: dict[str, Any] = {"ports": named or ["out"], "effects": effects}
        if emit is not None:
            params["emit"] = emit
        if name in case.get("more", {}):
            params["more"] = case["more"][name]
        if name in case.get("fail", []):
            params["fail"] = True
        use = "case.trigger@1" if name == case["start"] else "case.act@1"
        spec: dict[str, Any] = {"id": name, "use": use, "with": params}
        if name in case.get("join", {}):
            spec["join"] = case["join"][name]
        if name in case.get("max", {}):
            spec["loop"] = {"max": case["max"][name]}
        if name in case.get("losers", []):
            spec["losers"] = "cancel"
        nodes.append(spec)
    return GraphSpec.model_validate({"pyagent": 1, "id": "case", "nodes": nodes, "edges": edges})


@dataclass(frozen=True)
class Seen:
    """What the engine did."""

    end: str
    steps: list[str]
    skipped: list[str]
    run: Run


async def run_case(case: Mapping[str, Any], store: Store, *, gated: bool = True, effects: str = "idempotent") -> Seen:
    """Run the case on the engine and say what it did, in the words of the cases."""
    virtual = run_virtually(case)
    order = [str(step) for step, _, _ in virtual.log]
    gate = Gate(order) if gated else None
    engine = Engine(store, registry=case_registry(gate))
    run = await engine.start(case_graph(case, effects), {})
    watch = asyncio.create_task(gate.follow(store, run.id)) if gate else None
    try:
        ended = await asyncio.wait_for(engine.drive(run.id), 30)
    finally:
        if watch is not None:
            watch.cancel()
    records = await store.steps(run.id)
    end = (ended.error or {}).get("code", "") if ended.status == "failed" else ended.status
    assert ended.status in ENDED
    return Seen(
        end="failed" if end == "node.failed" else end,
        steps=sorted(f"{record.step}({record.items_in})" for record in records if record.status != "skipped"),
        skipped=sorted(record.step for record in records if record.status == "skipped"),
        run=ended,
    )
