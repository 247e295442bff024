"""A place to try the rules through the whole engine: graphs of scripted nodes on a SQLite file.

A node `lab.act` (or `lab.each`, item by item) does what the test said for its id with `lab.on(...)`, else passes its
items on. The lab notes every call and lets tests wait for it, so that no test sleeps.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pyagent.graph.spec import GraphSpec
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.log import Entry
from pyagent.sdk import Context, Item, Items, NodeParams, Registry, node
from pyagent.store import open_store
from pyagent.store.base import Event, Run, StepRecord, Store

PATIENCE = 20.0
"""Seconds after which a test that waits for an event has failed."""
Act = Callable[[Items, Context], Awaitable[Any]]
ActOnItem = Callable[[Item, Context], Awaitable[Any]]


class LabParams(NodeParams):
    """What a scripted node declares; `value` is whatever the test wants evaluated."""

    ports: list[str] = ["out"]
    effects: Literal["none", "idempotent", "once"] = "idempotent"
    value: Any = None


class Lab:
    """One store, an engine on it, and what the scripted nodes did."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.acts: dict[str, Act] = {}
        self.item_acts: dict[str, ActOnItem] = {}
        self.calls: list[str] = []
        """Steps whose nodes were called, in order; `step#index` for items."""
        self.ended: list[str] = []
        """Steps whose nodes have returned, raised or been cancelled."""
        self.values: dict[str, Any] = {}
        """The evaluated `value` of each step's last try."""
        self._moved = asyncio.Condition()
        self._tasks: list[asyncio.Task[Any]] = []
        self.registry = self._registry()
        self.engine = self.another_engine()

    def another_engine(self, *, lease: timedelta = timedelta(seconds=10), **options: Any) -> Engine:
        """One more engine on the same store, with the same nodes."""
        return Engine(
            options.pop("store", self.store),
            registry=self.registry,
            library=GraphLibrary([self.folder]),
            lease=lease,
            **options,
        )

    def on(self, node_id: str) -> Callable[[Act], Act]:
        """Say what a node does: `async def act(items, ctx)`."""

        def keep(act: Act) -> Act:
            self.acts[node_id] = act
            return act

        return keep

    def on_item(self, node_id: str) -> Callable[[ActOnItem], ActOnItem]:
        """Say what an item-wise node does: `async def act(item, ctx)`."""

        def keep(act: ActOnItem) -> ActOnItem:
            self.item_acts[node_id] = act
            return act

        return keep

    def gate(self, node_id: str) -> asyncio.Event:
        """Let the node pass its items on only when the event is set."""
        opened = asyncio.Event()

        @self.on(node_id)
        async def wait(items: Items, ctx: Context) -> Items:
            await opened.wait()
            return items

        return opened

    def raises(self, node_id: str, *errors: BaseException | None) -> None:
        """Let the node's tries raise these, in order; None, and tries after the last, pass the items on."""
        left = list(errors)

        @self.on(node_id)
        async def act(items: Items, ctx: Context) -> Items:
            if left and (error := left.pop(0)) is not None:
                raise error
            return items

    def _registry(self) -> Registry:
        lab = self

        async def act(items: Items, params: LabParams, ctx: Context) -> Any:
            await lab._note(lab.calls, ctx.step)
            lab.values[ctx.step] = params.value
            try:
                chosen = lab.acts.get(ctx.node_id)
                return {params.ports[0]: items} if chosen is None else await chosen(items, ctx)
            finally:
                lab.ended.append(ctx.step)

        async def each(item: Item, params: LabParams, ctx: Context) -> Any:
            index = ctx.idempotency_key.rpartition(":")[2]
            await lab._note(lab.calls, f"{ctx.step}#{index}")
            lab.values[f"{ctx.step}#{index}"] = params.value
            chosen = lab.item_acts.get(ctx.node_id)
            return {params.ports[0]: [item]} if chosen is None else await chosen(item, ctx)

        def declare(name: str, function: Any, **more: Any) -> Any:
            return node(
                name,
                title=name,
                ports_out=lambda params: params.ports,
                effects=lambda params: params.effects,
                **more,
            )(function)

        registry = Registry.installed()
        registry.add(declare("lab.act", act, ports_in=("in", "*")))
        registry.add(declare("lab.each", each, each_item=True))
        registry.add(declare("lab.trigger", act, kind="trigger"))
        return registry

    async def _note(self, where: list[str], step: str) -> None:
        where.append(step)
        async with self._moved:
            self._moved.notify_all()

    async def called(self, step: str, times: int = 1) -> None:
        """Return when the step's node has been called so often."""
        async with self._moved:
            await asyncio.wait_for(self._moved.wait_for(lambda: self.calls.count(step) >= times), PATIENCE)

    def tries(self) -> dict[str, int]:
        """How often each step's node was called."""
        return dict(Counter(self.calls))

    # -- runs ---------------------------------------------------------------------------------------------------

    async def run(self, graph: Any, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
        """Run a graph until it ends or waits."""
        return await asyncio.wait_for(self.engine.run(graph, inputs, **options), PATIENCE)

    async def drive(self, run: Run | str, engine: Engine | None = None) -> Run:
        """Drive a run until it ends or waits."""
        run_id = run if isinstance(run, str) else run.id
        return await asyncio.wait_for((engine or self.engine).drive(run_id), PATIENCE)

    def driving(self, run: Run, engine: Engine | None = None) -> asyncio.Task[Run]:
        """Drive a run beside the test."""
        task = asyncio.create_task(self.drive(run, engine))
        self._tasks.append(task)
        return task

    async def crash(self, task: asyncio.Task[Run], run: Run) -> None:
        """Let the run's worker die: nothing more of it is committed, and its lease has run out."""
        journal = self.engine._drivers[run.id].journal
        await self.store.renew(journal.lease, timedelta(0))
        journal.lease = replace(journal.lease, token=-1)
        task.cancel()
        with suppress(BaseException):
            await task

    async def outputs(self, run: Run | str) -> Any:
        """The run's outputs."""
        return await self.engine.outputs(run if isinstance(run, str) else run.id)

    async def steps(self, run: Run) -> dict[str, StepRecord]:
        """The rows of the run's steps."""
        return {record.step: record for record in await self.store.steps(run.id)}

    async def statuses(self, run: Run) -> dict[str, str]:
        """The status of each step."""
        return {step: record.status for step, record in (await self.steps(run)).items()}

    async def log(self, run: Run, kind: str = "") -> list[Entry]:
        """The run's log, or its entries of one kind."""
        return [entry for entry in await self.engine.log(run.id) if kind in ("", entry.kind)]

    async def events(self, run: Run, kind: str = "") -> list[Event]:
        """The run's events, or those of one kind."""
        return [found for found in await self.store.read_events(0, run.id, 100_000) if kind in ("", found.kind)]

    async def until(self, run: Run, kind: str, step: str = "") -> Event:
        """The run's first event of this kind; waits for it."""

        async def find() -> Event:
            async for events in self.store.follow(0, run.id):
                for found in events:
                    if found.kind == kind and (not step or found.step == step):
                        return found
            raise AssertionError("the stream ended")

        return await asyncio.wait_for(find(), PATIENCE)

    async def close(self) -> None:
        """End what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def file(self, graph: GraphSpec) -> GraphSpec:
        """Put a graph into the library's folder."""
        from pyagent.graph.yaml import dump

        (self.folder / f"{graph.id}.yaml").write_text(dump(graph), encoding="utf-8")
        return graph


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Lab]:
    """A lab on a SQLite file in the folder."""
    graphs = folder / "graphs"
    graphs.mkdir(exist_ok=True)
    store = open_store(f"sqlite:///{folder}/lab.db")
    await store.open()
    lab = Lab(store, graphs)
    try:
        yield lab
    finally:
        await lab.close()
        await store.close()


def graph(nodes: Mapping[str, Any], edges: Sequence[str] = (), id: str = "lab", **more: Any) -> GraphSpec:
    """A graph. A node is a mapping of its fields; `use` left out is `lab.act`, without a version `@1`.

    The fields `effects`, `ports` and `value` of scripted nodes may stand beside the others.
    """
    data = {"pyagent": 1, "id": id, "nodes": _nodes(nodes), "edges": list(edges), **more}
    return GraphSpec.model_validate(data)


def _nodes(nodes: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, given in nodes.items():
        fields = dict(given or {})
        use = fields.pop("use", "lab.act")
        if use.startswith("lab."):
            params = {key: fields.pop(key) for key in ("ports", "value") if key in fields}
            if "effects" in fields:
                params["effects"] = fields.pop("effects")
            fields["with"] = {**params, **fields.get("with", {})}
        if "body" in fields:
            inner, inner_edges = fields["body"] if isinstance(fields["body"], tuple) else (fields["body"], [])
            fields["body"] = {"nodes": _nodes(inner), "edges": list(inner_edges)}
        found.append({"id": name, "use": use if "@" in use else f"{use}@1", **fields})
    return found


def numbers(*values: int) -> dict[str, Any]:
    """Inputs for a graph that begins with `split`."""
    return {"list": [{"n": value} for value in values]}


SPLIT: dict[str, Any] = {"use": "data.split", "with": {"field": "list"}}
"""A node that turns the input `list` into items."""
