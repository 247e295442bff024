"""Graph versions ready to run with one set of node types, and which versions of called graphs a run is pinned to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar, cast

from pyagent.errors import GraphError, NotFound, RunError
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import load_text
from pyagent.native import blake3_hex
from pyagent.runtime.compile import CompiledGraph
from pyagent.runtime.library import GraphLibrary, find_graph
from pyagent.runtime.log import Entry, encode
from pyagent.runtime.program import Program
from pyagent.sdk.registry import Registry
from pyagent.store.base import Store

K = TypeVar("K")
V = TypeVar("V")

KEPT = 64
"""Versions that stay ready though no run uses them: one who edits a graph makes a new one with each change."""


SEMANTICS = 1
"""The newest version of the rules that this program knows."""


def version_of(spec: GraphSpec, *, production: bool) -> str | None:
    """The version that a run is pinned to, None for the graph's hash: a test run keeps to the graph's pins, too, which
    the hash leaves out."""
    if production or not spec.pins:
        return None
    return blake3_hex(encode({"graph": spec.hash(), "pins": spec.to_data().get("pins", {})}))


class RulesNewer(RunError):
    """The run goes by rules that this program does not know yet; a newer one can go on with it."""

    code = "run.rules_newer"
    hint = "A newer PyAgent began this run: upgrade this one, or let that one drive it."


class Recent(Generic[K, V]):
    """What was made lately; of more than `KEPT` the one that was asked for longest ago goes."""

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._found: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        """The value, made if it is not there."""
        value = self._found.pop(key, _NOTHING)
        made = self._make(key) if value is _NOTHING else cast(V, value)
        self._found[key] = made
        while len(self._found) > KEPT:
            del self._found[next(iter(self._found))]
        return made

    def get(self, key: K) -> V | None:
        """The value, if it is there."""
        return self[key] if key in self._found else None

    def __len__(self) -> int:
        return len(self._found)


_NOTHING = object()


class Versions:
    """Programs by the hash of their version, made once each with one set of node types."""

    def __init__(self, registry: Registry, library: GraphLibrary, store: Store) -> None:
        self.library = library
        self.store = store
        self._registry = registry
        self._specs: dict[str, GraphSpec] = {}
        """Of the programs that are being made."""
        self._programs: Recent[str, Program] = Recent(self._made)
        self._hashes: Recent[int, tuple[GraphSpec, str]] = Recent(self._hashed)
        """Hashes of models by the model's `id()`, which is its own as long as it is kept here."""
        self._hashing: GraphSpec | None = None
        self._compiled: Recent[tuple[Program, str], CompiledGraph] = Recent(lambda key: CompiledGraph(*key, None))

    def program(self, spec: GraphSpec, version: str | None = None) -> Program:
        """The graph ready to run, under its hash or the version that a run is pinned to. Raises `GraphError`."""
        version = version or self.hash(spec)
        self._specs[version] = spec
        try:
            return self._programs[version]
        finally:
            del self._specs[version]

    def ready(self, version: str) -> Program | None:
        """The program of a version that is ready."""
        return self._programs.get(version)

    def hash(self, spec: GraphSpec) -> str:
        """The graph's hash, reckoned once for each model."""
        self._hashing = spec
        try:
            return self._hashes[id(spec)][1]
        finally:
            self._hashing = None

    def _hashed(self, _: int) -> tuple[GraphSpec, str]:
        spec = cast(GraphSpec, self._hashing)
        return spec, spec.hash()

    def _made(self, version: str) -> Program:
        return Program(self._specs[version], self._registry, version)

    def compiled(self, program: Program, trigger: str) -> CompiledGraph:
        """The program as a LangGraph graph, started by this trigger."""
        return self._compiled[program, trigger]

    def of_run(self) -> RunVersions:
        """For one run: what it uses stays, whatever else is made meanwhile."""
        return RunVersions(self)


class RunVersions:
    """The versions that one run uses: its own, and those of the graphs that it calls. It keeps to one code of nodes."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._programs: dict[str, Program] = {}

    def compiled(self, program: Program, trigger: str) -> CompiledGraph:
        """The program as a LangGraph graph, started by this trigger."""
        return self._versions.compiled(program, trigger)

    def program(self, spec: GraphSpec, version: str | None = None) -> Program:
        """The graph ready to run, under its hash or the version that a run is pinned to. Raises `GraphError`."""
        program = self._versions.program(spec, version)
        return self._programs.setdefault(program.hash, program)

    async def load(self, hash: str) -> Program:
        """The version that the store keeps under this hash. Raises `NotFound`, `GraphError`."""
        if hash in self._programs:
            return self._programs[hash]
        if (made := self._versions.ready(hash)) is not None:
            self._programs[hash] = made
        else:
            self.program(load_text((await self._versions.store.get_graph(hash)).text).spec, hash)
        return self._programs[hash]

    def loaded(self, hash: str) -> Program:
        """A version that was loaded before."""
        return self._programs[hash]

    async def keep_newest(self, graph_id: str, version: Callable[[GraphSpec], str | None] | None = None) -> str:
        """The hash of the graph's newest version, which is kept; `version` names it otherwise. Raises `NotFound`,
        `GraphError`."""
        store = self._versions.store
        document = await find_graph(self._versions.library, store, graph_id)
        program = self.program(document.spec, version(document.spec) if version is not None else None)
        await store.put_graph(graph_id, program.hash, document.text)
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
        """The versions of called graphs that the log names, loaded. Raises `RulesNewer`."""
        pinned: dict[str, str] = {}
        for entry in entries:
            if entry.kind == "run.started":
                if (rules := entry.data.get("semantics", SEMANTICS)) > SEMANTICS:
                    raise RulesNewer(f"the run goes by version {rules} of the rules; this program knows {SEMANTICS}")
                pinned |= entry.data.get("graphs", {})
            elif called := entry.called_graph:
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
