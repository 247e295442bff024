"""What all checks share: the graph seen level by level, and the list of problems."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pyagent.errors import GraphError, Where
from pyagent.graph.check.catalogue import Catalogue, Expressions, NodeTypeInfo
from pyagent.graph.fixes import Fix
from pyagent.graph.problems import Problem, Severity, closest, proposal
from pyagent.graph.spec import Edge, GraphSpec, NodeSpec
from pyagent.graph.topology import Topology
from pyagent.graph.yaml_tree import Path, Tree, field_of

ERROR_PORT = "error"
ANY = "*"
"""Among the ids of lost nodes: whole lists of nodes were lost."""
MAX_LOOKED_AT = 50_000
"""Names that one check compares to propose one: half a second."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """The nodes and edges that run together: the graph's own, or those of one body."""

    path: Path
    """Where its `nodes` and `edges` stand: `()` or `(…, "body")`."""
    owner: str | None
    """The node whose body it is."""
    parent: Level | None
    nodes: tuple[NodeSpec, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each node; of equal ids the first."""
        found: dict[str, int] = {}
        for position, node in enumerate(self.nodes):
            found.setdefault(node.id, position)
        return found

    @cached_property
    def known_edges(self) -> tuple[int, ...]:
        """Positions of the edges whose ends are both here."""
        return tuple(
            position
            for position, edge in enumerate(self.edges)
            if edge.source in self.index and edge.target in self.index
        )

    @cached_property
    def following(self) -> dict[str, list[str]]:
        """Targets by source."""
        found: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for position in self.known_edges:
            found[self.edges[position].source].append(self.edges[position].target)
        return found

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """Sources by target."""
        found: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for position in self.known_edges:
            found[self.edges[position].target].append(self.edges[position].source)
        return found

    @cached_property
    def incoming(self) -> dict[str, list[int]]:
        """Positions of the edges that lead to a node."""
        found: dict[str, list[int]] = {node.id: [] for node in self.nodes}
        for position in self.known_edges:
            found[self.edges[position].target].append(position)
        return found

    def node_path(self, node: str) -> Path:
        """Path of the node in the file."""
        return (*self.path, "nodes", self.index[node])

    def edge_path(self, position: int) -> Path:
        """Path of the edge in the file."""
        return (*self.path, "edges", position)


@dataclass(kw_only=True)
class Check:
    """One check of one file, under way."""

    spec: GraphSpec
    tree: Tree
    text: str
    file: str | None
    catalogue: Catalogue
    expressions: Expressions | None
    lost: frozenset[str] = frozenset()
    """Ids and names of nodes that are in the file but do not fit the format."""
    problems: list[Problem] = field(default_factory=list[Problem])
    looked_at: int = 0
    """Names that were compared to propose one."""

    @cached_property
    def taken_ids(self) -> set[str]:
        """Every id of the file, and those that fixes have given."""
        return {place.node.id for place in self.spec.places()}

    def closest(self, word: str, known: Collection[str]) -> str | None:
        """The known name that may be meant. Where thousands of names are looked for among thousands, the first are."""
        if (word, id(known)) not in self._closest:
            self.looked_at += len(known)
            found = closest(word, known) if self.looked_at <= MAX_LOOKED_AT else None
            self._closest[(word, id(known))] = found
        return self._closest[(word, id(known))]

    @cached_property
    def _closest(self) -> dict[tuple[str, int], str | None]:
        return {}

    def nearest(self, word: str, known: Collection[str]) -> str:
        """A sentence that proposes the closest known name, or lists a few; empty if there is none."""
        return proposal(self.closest(word, known), known)

    def was_lost(self, node: str) -> bool:
        """Whether a node of this id or name may be in the file although it is not in the graph."""
        return node in self.lost or ANY in self.lost

    def report(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        hint: str = "",
        severity: Severity = "error",
        node: str | None = None,
        key: bool = False,
        place: tuple[int, int] | None = None,
        fix: Fix | None = None,
    ) -> None:
        """Add a problem at `path`, or at the `place` (line, column) inside of it. `fix` makes it go."""
        line, column = place or self.tree.locate(path, key=key)
        where = Where(file=self.file, line=line, column=column, node=node, field=field_of(path) or None)
        self.problems.append(
            Problem(code=code, severity=severity, message=message, hint=hint, where=where, path=path, fix=fix)
        )

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The graph's own level, then those of bodies, outer ones first."""
        root = Level(path=(), owner=None, parent=None, nodes=self.spec.nodes, edges=self.spec.edges)
        return tuple(_levels(root))

    @cached_property
    def level_of(self) -> dict[str, Level]:
        """The level of each node."""
        found: dict[str, Level] = {}
        for level in self.levels:
            for node in level.index:
                found.setdefault(node, level)
        return found

    @cached_property
    def rank(self) -> dict[str, int]:
        """Place of each node in the order of the file, bodies included."""
        found: dict[str, int] = {}
        for position, place in enumerate(self.spec.places()):
            found.setdefault(place.node.id, position)
        return found

    @cached_property
    def types(self) -> dict[str, NodeTypeInfo | None]:
        """The type of each node; None if it is not installed."""
        found: dict[str, NodeTypeInfo | None] = {}
        for place in self.spec.places():
            use = str(place.node.use)
            if use not in found:
                found[use] = self.catalogue.get(use)
        return found

    def type_of(self, node: NodeSpec) -> NodeTypeInfo | None:
        """The node's type, None if it is not installed."""
        return self.types[str(node.use)]

    @cached_property
    def uses(self) -> list[str]:
        """Every installed type as `type@version`."""
        return list(self.catalogue.uses())

    def schema_of(self, node: NodeSpec) -> dict[str, Any]:
        """JSON Schema of the node's parameters; empty if its type is not installed."""
        use = str(node.use)
        if use not in self._schemas:
            found = self.type_of(node)
            self._schemas[use] = found.schema() if found else {}
        return self._schemas[use]

    @cached_property
    def _schemas(self) -> dict[str, dict[str, Any]]:
        return {}

    def is_literal(self, node: NodeSpec, parameter: str) -> bool:
        """Whether the parameter is taken as it is written, so that `{{` in it is no expression."""
        said: dict[str, Any] = self.schema_of(node).get("properties", {}).get(parameter, {})
        return said.get("expressions") is False

    @cached_property
    def _ports(self) -> dict[str, tuple[str, ...] | None]:
        return {}

    def ports_out(self, node: NodeSpec) -> tuple[str, ...] | None:
        """The node's output ports, `error` included where it is routed; None if they cannot be known."""
        if node.id not in self._ports:
            found = self.type_of(node)
            known = None if found is None else found.ports_out(node.params)
            ports = None if known is None else tuple(known)
            if ports is not None and node.on_error == "route" and ERROR_PORT not in ports:
                ports = (*ports, ERROR_PORT)
            self._ports[node.id] = ports
        return self._ports[node.id]

    def effects(self, node: NodeSpec) -> str | None:
        """What a try of the node may do to the world; None if its type is not installed and it does not say."""
        if node.id not in self._effects:
            found = self.type_of(node)
            self._effects[node.id] = node.effects or (found.effects(node.params) if found else None)
        return self._effects[node.id]

    @cached_property
    def _effects(self) -> dict[str, str | None]:
        return {}

    def source_port(self, level: Level, edge: Edge) -> str:
        """The port an edge starts from; an omitted one is the first."""
        if edge.source_port is not None:
            return edge.source_port
        ports = self.ports_out(level.nodes[level.index[edge.source]])
        return ports[0] if ports else "out"

    def starts(self, level: Level) -> list[tuple[str, ...]]:
        """What runs of the level begin with: a trigger each, or all nodes without incoming edges (SEMANTICS 6)."""
        if level.owner is None:
            triggers = [node.id for node in level.nodes if (t := self.type_of(node)) and t.kind == "trigger"]
            if triggers:
                return [(trigger,) for trigger in dict.fromkeys(triggers)]
        return [tuple(node for node in level.index if not level.incoming[node])]

    def shapes(self, level: Level) -> list[Topology]:
        """The level as each of its starts reaches it, without those whose loops are not allowed."""
        return [shape for shape, _ in self.outlines(level) if shape is not None]

    def outlines(self, level: Level) -> list[tuple[Topology | None, GraphError | None]]:
        """For each start of the level its shape, or why it has none."""
        if level.path not in self._outlines:
            found: list[tuple[Topology | None, GraphError | None]] = []
            for start in self.starts(level):
                try:
                    found.append((self.topology(level, start), None))
                except GraphError as error:
                    found.append((None, error))
            self._outlines[level.path] = found
        return self._outlines[level.path]

    @cached_property
    def _outlines(self) -> dict[Path, list[tuple[Topology | None, GraphError | None]]]:
        return {}

    def topology(self, level: Level, start: tuple[str, ...]) -> Topology:
        """The level as `start` reaches it; raises `GraphError` for loops that are not allowed.

        Its edges are numbered as in `level.known_edges`.
        """
        edges = [
            (edge.source, self.source_port(level, edge), edge.target)
            for edge in (level.edges[position] for position in level.known_edges)
        ]
        return Topology.build(list(level.index), edges, start, self._done_ports(level))

    def _done_ports(self, level: Level) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for node in level.nodes:
            ports = self.ports_out(node)
            if ports is not None and "done" not in ports:
                found[node.id] = None
        return found


def _levels(level: Level) -> Iterator[Level]:
    yield level
    for position, node in enumerate(level.nodes):
        if node.body is not None:
            yield from _levels(
                Level(
                    path=(*level.path, "nodes", position, "body"),
                    owner=node.id,
                    parent=level,
                    nodes=node.body.nodes,
                    edges=node.body.edges,
                )
            )
