"""Graph versions ready to run with one set of node types, and which versions of called graphs a run is pinned to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pyagent.errors import GraphError, NotFound
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import load_text
from pyagent.runtime.compile import CompiledGraph
from pyagent.runtime.library import GraphLibrary, find_graph
from pyagent.runtime.log import Entry
from pyagent.runtime.program import Program
from pyagent.sdk.registry import Registry
from pyagent.store.base import Store


class Versions:
    """Programs by the hash of their version, made once each. A run keeps to one of these, so that it has one code."""

    def __init__(self, registry: Registry, library: GraphLibrary, store: Store) -> None:
        self._registry = registry
        self._library = library
        self._store = store
        self._programs: dict[str, Program] = {}
        self._compiled: dict[tuple[str, str], CompiledGraph] = {}

    def program(self, spec: GraphSpec, version: str | None = None) -> Program:
        """The graph ready to run, under its hash or the version that a run is pinned to. Raises `GraphError`."""
        version = version or spec.hash()
        known = self._programs.get(version)
        if known is None:
            known = self._programs[version] = Program(spec, self._registry)
            known.hash = version
        return known

    def compiled(self, program: Program, trigger: str) -> CompiledGraph:
        """The program as a LangGraph graph, started by this trigger."""
        key = (program.hash, trigger)
        if key not in self._compiled:
            self._compiled[key] = CompiledGraph(program, trigger, None)
        return self._compiled[key]

    async def load(self, hash: str) -> Program:
        """The version that the store keeps under this hash. Raises `NotFound`, `GraphError`."""
        if hash not in self._programs:
            self.program(load_text((await self._store.get_graph(hash)).text).spec, hash)
        return self._programs[hash]

    def loaded(self, hash: str) -> Program:
        """A version that was loaded before."""
        return self._programs[hash]

    async def keep_newest(self, graph_id: str) -> str:
        """The hash of the graph's newest version, which is kept. Raises `NotFound`, `GraphError`."""
        document = await find_graph(self._library, self._store, graph_id)
        program = self.program(document.spec)
        await self._store.put_graph(graph_id, program.hash, document.text)
        return program.hash

    async def pin(self, program: Program) -> dict[str, str]:
        """The versions of the graphs that this one calls, and that those call, as they are now (SEMANTICS 23).

        One that is named by an expression is pinned when it is called; one that cannot be read fails its call.
        """
        pinned: dict[str, str] = {}
        open_ = [program]
        while open_:
            for graph_id in _calls(open_.pop()):
                if graph_id not in pinned:
                    with suppress(NotFound, GraphError):
                        pinned[graph_id] = await self.keep_newest(graph_id)
                        open_.append(self._programs[pinned[graph_id]])
        return pinned

    async def pinned(self, entries: Sequence[Entry]) -> dict[str, str]:
        """The versions of called graphs that the log names, loaded."""
        pinned: dict[str, str] = {}
        for entry in entries:
            if entry.kind == "run.started":
                pinned |= entry.data.get("graphs", {})
            elif entry.kind == "step.expanded" and (called := entry.data.get("graph")):
                pinned.setdefault(entry.data["graph_id"], called)
                await self.load(called)
        for hash in pinned.values():
            await self.load(hash)
        return pinned


def _calls(program: Program) -> list[str]:
    """Ids of the graphs that the graph's steps call in its own run, where no expression says so."""
    named = [
        node.spec.params.get("graph")
        for node in program.nodes.values()
        if node.type.kind in ("call", "map") and node.spec.params.get("wait", True) is not False
    ]
    return [graph for graph in named if isinstance(graph, str) and "{{" not in graph]
