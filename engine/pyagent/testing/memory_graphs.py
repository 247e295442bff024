"""The part of the store in memory that keeps graph versions, and which of them the world may start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pyagent.errors import NotFound
from pyagent.store import codec
from pyagent.store.base import Activation, ClaimTaken, GraphVersion, StoreUnavailable
from pyagent.store.changes import Changes
from pyagent.store.upkeep import Compacted


class MemoryGraphs:
    """Graph versions and activations; `MemoryStore` adds runs."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._open = False
        self._graphs: dict[str, GraphVersion] = {}
        self._active: dict[str, Activation] = {}
        self._changes = Changes()

    async def put_graph(self, graph_id: str, hash: str, text: str) -> None:
        """Keep a version and make it the graph's latest; the text that came first with a hash stays."""
        self._check_open()
        version = self._graphs.pop(hash, None)
        self._graphs[hash] = version or GraphVersion(graph_id=graph_id, hash=hash, text=text, created_at=self._clock())

    async def get_graph(self, hash: str) -> GraphVersion:
        """Raises `NotFound`."""
        self._check_open()
        if hash not in self._graphs:
            raise NotFound(f"There is no graph version {hash}.", code="graph.not_found", hint="Put it first.")
        return self._graphs[hash]

    async def latest_graph(self, graph_id: str) -> GraphVersion:
        """The version put last. Raises `NotFound`."""
        self._check_open()
        for version in reversed(self._graphs.values()):
            if version.graph_id == graph_id:
                return version
        raise NotFound(f"There is no graph {graph_id}.", code="graph.not_found", hint="Put it first.")

    async def graph_versions(self, graph_id: str, limit: int = 50) -> list[GraphVersion]:
        """The graph's versions, the one put last first."""
        self._check_open()
        found = [version for version in reversed(self._graphs.values()) if version.graph_id == graph_id]
        return found[: max(limit, 0)]

    async def activate(
        self, graph_id: str, graph_hash: str, *, claims: Sequence[str] = (), actor: str = "local"
    ) -> Activation:
        """Let the world start this version. Raises `NotFound` and `ClaimTaken`."""
        await self.get_graph(graph_hash)
        for other in self._active.values():
            if other.graph_id != graph_id and (taken := sorted(set(claims) & set(other.claims))):
                raise ClaimTaken(
                    f"The active graph {other.graph_id} has {taken[0]} already.",
                    details={"graph": other.graph_id, "claims": taken},
                )
        now = self._clock()
        since = self._active[graph_id].since if graph_id in self._active else now
        made = Activation(
            graph_id=graph_id, graph_hash=graph_hash, actor=actor, at=now, since=since, claims=tuple(claims)
        )
        self._active[graph_id] = made
        self._changes.notify()
        return made

    async def deactivate(self, graph_id: str) -> bool:
        """Let the world start the graph no more; False if it was not active."""
        self._check_open()
        found = self._active.pop(graph_id, None)
        self._changes.notify()
        return found is not None

    async def activations(self) -> list[Activation]:
        """What is active, by graph id."""
        self._check_open()
        return [self._active[graph_id] for graph_id in sorted(self._active)]

    async def set_problem(self, graph_id: str, node: str, problem: Mapping[str, Any] | None) -> None:
        """Keep why a trigger does not work; None: it works."""
        self._check_open()
        if (active := self._active.get(graph_id)) is not None:
            problems = {name: kept for name, kept in active.problems.items() if name != node}
            if problem is not None:
                problems[node] = json_copy(problem)
            self._active[graph_id] = replace(active, problems=problems)

    async def graph_ids(self) -> list[str]:
        """The graphs that have versions."""
        self._check_open()
        return sorted({version.graph_id for version in self._graphs.values()})

    async def faults(self) -> list[str]:
        """There are none in here."""
        self._check_open()
        return []

    async def compact(self) -> Compacted:
        """Nothing is on the disk."""
        self._check_open()
        return Compacted(before=None, after=None, notes=["This store is in memory."])

    def _check_open(self) -> None:
        if not self._open:
            raise StoreUnavailable("The store is not open.", hint="Call `await store.open()` first.")


def json_copy(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a real store would give back: no object is shared with the caller, and all of it is JSON."""
    return codec.decode_json(codec.encode_json(value))
