"""Sample cases of node types: written by hand, or taken from a graph that is run with the node's calls recorded."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyagent.errors import NodeError, PyAgentError
from pyagent.sdk.commands import Answer
from pyagent.sdk.items import Item, JsonObject
from pyagent.sdk.node import NodeType
from pyagent.sdk.params import NodeParams
from pyagent.sdk.registry import Registry
from pyagent.testing.memory_store import MemoryStore
from pyagent.testing.nodes import Given, NodeRun, TestBlobs, TestCancelToken, run_node

if TYPE_CHECKING:
    from pyagent.runtime.engine import GraphLike
    from pyagent.runtime.library import GraphLibrary
    from pyagent.store.base import Run


@dataclass(frozen=True, kw_only=True)
class NodeCase:
    """Parameters and items that a node type can be run with."""

    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What `with:` says, without expressions."""
    items: Sequence[Given] = ()
    """What arrives at the first input port."""
    ports: Mapping[str, Sequence[Given]] | None = None
    """Items by input port, instead of `items`."""
    params_by_item: Sequence[Mapping[str, Any]] = ()
    """The parameters of each item, as expressions give them, instead of `params`."""
    answer: Answer | None = None
    """What ended the wait that the node returned before."""
    loop: tuple[Sequence[Given], Sequence[Sequence[Given]]] | None = None
    """For a loop's header: its entry items, and what came back after each iteration so far."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Others of `TestContext`: `inputs`, `state`, `credentials`, `blobs`."""
    name: str = "case"

    def params_of(self, json: JsonObject, index: int) -> Mapping[str, Any]:
        """The parameters for an item."""
        if not self.params_by_item:
            return self.params
        return self.params_by_item[min(index, len(self.params_by_item) - 1)]

    @property
    def given(self) -> Sequence[Given]:
        """The items of all ports."""
        return [item for items in self.ports.values() for item in items] if self.ports is not None else self.items

    def with_items(self, items: Sequence[Given], name: str) -> NodeCase:
        """The same with other items, at the first port that had any."""
        if self.ports is None:
            return replace(self, items=items, name=name)
        first = next(iter(self.ports), "in")
        return replace(self, ports={**self.ports, first: items}, name=name)

    async def run(
        self, node_type: NodeType, cancel: TestCancelToken | None = None, work_dir: Path | None = None
    ) -> NodeRun:
        """Run the node with it. Raises what the node raises."""
        return await run_node(
            node_type,
            self.items,
            self.params_of,
            ports=self.ports,
            loop=self.loop,
            answer=self.answer,
            cancel=cancel,
            work_dir=work_dir,
            **self.options,
        )


class _Recording(Registry):
    """The node types of another registry, their calls written down."""

    def __init__(self, registry: Registry) -> None:
        super().__init__({})
        self._registry = registry
        self.calls: dict[tuple[str, str], list[_Call]] = {}

    def get(self, use: str) -> NodeType | None:
        found = self._registry.get(use)
        return replace(found, function=self._recorded(found)) if found is not None else None

    def all(self) -> list[NodeType]:
        return self._registry.all()

    def _recorded(self, node_type: NodeType) -> Any:
        async def function(given: Any, params: NodeParams, ctx: Any) -> Any:
            call = await _Call.of(given, params, ctx)
            self.calls.setdefault((node_type.use, ctx.step), []).append(call)
            return await node_type.function(given, params, ctx)

        return function


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One call of a node's function."""

    params: Sequence[Mapping[str, Any]]
    """By item; one where there is no item, or where they are the same for all."""
    item: Item | None
    """Of a node that works item by item."""
    ports: Mapping[str, Sequence[Item]]
    answer: Answer | None
    loop: tuple[Sequence[Item], Sequence[Sequence[Item]]] | None
    inputs: Mapping[str, Any]
    state: Mapping[str, Any]
    blobs: TestBlobs

    @staticmethod
    async def of(given: Any, params: NodeParams, ctx: Any) -> _Call:
        blobs = TestBlobs()
        item = _copied(given) if isinstance(given, Item) else None
        ports = {port: [_copied(one) for one in items] for port, items in ctx.ports.items()}
        loop = None
        with suppress(NodeError):  # raised where the step is no loop's header
            view = ctx.loop
            loop = ([_copied(one) for one in view.entry], [[_copied(one) for one in part] for part in view.returned])
        for one in [*([item] if item else []), *(each for items in ports.values() for each in items)]:
            for ref in (one.binary or {}).values():
                await blobs.put(await ctx.blobs.get(ref), name=ref.name, media_type=ref.media_type)
        return _Call(
            params=[_dumped(params)] if item else await _by_item(params, ctx, sum(map(len, ports.values()))),
            item=item,
            ports=ports,
            answer=ctx.answer,
            loop=loop,
            inputs=copy.deepcopy(dict(ctx.inputs)),
            state=copy.deepcopy(dict(ctx.state)),
            blobs=blobs,
        )


def _dumped(params: NodeParams) -> Mapping[str, Any]:
    return params.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def _by_item(params: NodeParams, ctx: Any, count: int) -> Sequence[Mapping[str, Any]]:
    found = [_dumped(params)]
    with suppress(PyAgentError, ValueError):  # an item's expression may fail; the node need not ask for it
        found += [_dumped(await ctx.params_for(params, index)) for index in range(1, count)]
    return found if any(each != found[0] for each in found) else found[:1]


def _copied(item: Item) -> Item:
    """The item as a case holds it: of its own, and without lineage."""
    return Item(copy.deepcopy(item.json), dict(item.binary) if item.binary else None)


def _case(name: str, calls: Sequence[_Call]) -> NodeCase:
    first = calls[0]
    blobs = TestBlobs()
    for call in calls:
        blobs.contents.update(call.blobs.contents)
    options = {"inputs": first.inputs, "state": first.state, "blobs": blobs}
    if first.item is not None:
        return NodeCase(
            name=name,
            items=[call.item for call in calls if call.item is not None],
            params_by_item=[call.params[0] for call in calls],
            options=options,
        )
    return NodeCase(
        name=name,
        params=first.params[0],
        params_by_item=first.params if len(first.params) > 1 else (),
        ports=first.ports or None,
        answer=first.answer,
        loop=first.loop,
        options=options,
    )


class CaseRecorder:
    """Runs graphs in memory and gathers cases of the node types they use."""

    def __init__(self, registry: Registry | None = None, library: GraphLibrary | None = None) -> None:
        self._recording = _Recording(registry or Registry.installed())
        self._library = library

    async def run(
        self, graph: GraphLike, inputs: Mapping[str, Any], sends: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[Run, Any]:
        """Run a graph to its end; returns the run and its outputs. `sends` are what it waits for, in order.

        Each is `{"signal": name, "key": …, "value": …}` or `{"answer": value, "step": node}`. Raises `PyAgentError`.
        """
        from pyagent.runtime.engine import Engine

        store = MemoryStore()
        await store.open()
        engine = Engine(store, registry=self._recording, library=self._library)
        run = await engine.run(graph, inputs)
        for sent in sends:
            if "signal" in sent:
                await engine.signal(sent["signal"], sent.get("value"), key=sent.get("key", ""))
            else:
                await engine.answer(run.id, sent.get("step", ""), sent["answer"])
            run = await engine.drive(run.id)
        return run, await engine.outputs(run.id)

    def cases(self, use: str) -> list[NodeCase]:
        """The cases of a node type (`domain.name@version`), one for each time that a step of it ran."""
        found: list[NodeCase] = []
        for (name, step), calls in self._recording.calls.items():
            if name == use:
                # a node that works item by item is called once for each item of the step
                groups = [calls] if calls[0].item is not None else [[call] for call in calls]
                found += [_case(f"{step} #{number}", group) for number, group in enumerate(groups, 1)]
        return found
