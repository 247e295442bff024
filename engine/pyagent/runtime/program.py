"""A graph made ready to run: node types looked up, ports named, the rules' plans built. Immutable once built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from pyagent.errors import GraphError, Where
from pyagent.graph.spec import Body, Edge, GraphSpec, NodeSpec
from pyagent.runtime import partial
from pyagent.runtime.rules import EdgeRule, Join, NodeRule, Plan
from pyagent.sdk.fields import literal_fields
from pyagent.sdk.node import Effects, NodeType
from pyagent.sdk.params import NodeParams, has_template, lenient
from pyagent.sdk.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeProgram:
    """One node with its type."""

    spec: NodeSpec
    type: NodeType
    params: NodeParams | None
    """The parameters, where no expression is in them."""
    effects: Effects
    literal: frozenset[str]
    """Parameters in which `{{` is no expression."""
    ports_out: tuple[str, ...]
    """The type's ports, and `error` where `on_error: route` adds it."""
    pure: bool
    """May run inside another step's task: no effects, no wait, no time limit of its own."""
    light: bool
    """May be executed by `runtime.light`: nothing is to be looked up, timed or evaluated around its call."""

    @property
    def id(self) -> str:
        return self.spec.id


@dataclass(frozen=True, kw_only=True)
class FrameProgram:
    """A set of nodes that run together: a graph from one trigger, or a body."""

    plan: Plan
    edges: tuple[EdgeRule, ...]
    leaves: tuple[str, ...]
    """Nodes without outgoing edges, in the order of the file."""
    pure: bool
    """All its nodes are pure."""
    _ports: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict[tuple[str, str], tuple[str, ...]])

    @cached_property
    def outgoing(self) -> Mapping[str, Sequence[EdgeRule]]:
        found: dict[str, list[EdgeRule]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found

    @cached_property
    def _ports_in(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for edge in self.edges:
            found.setdefault(edge.target, {})[edge.target_port] = None
        return {node: tuple(ports) for node, ports in found.items()}

    def ports_in(self, node: str) -> tuple[str, ...]:
        """The input ports of a node that edges lead to, in the order of the file."""
        return self._ports_in.get(node, ())

    def ports_towards(self, node: str, reader: str) -> tuple[str, ...]:
        """The ports of `node` from which a chain of edges leads to `reader`, in the order of the file."""
        key = (node, reader)
        if key not in self._ports:
            found: list[str] = []
            for edge in self.outgoing.get(node, ()):
                if edge.source_port not in found and self._leads(edge.target, reader):
                    found.append(edge.source_port)
            self._ports[key] = tuple(found)
        return self._ports[key]

    def _leads(self, start: str, end: str) -> bool:
        plan = self.plan
        if not plan.children and start in plan.index and end in plan.index:
            return start == end or plan.reach.leads(plan.index[start], plan.index[end])
        seen, open_ = {start}, [start]
        while open_:
            node = open_.pop()
            if node == end:
                return True
            for edge in self.outgoing.get(node, ()):
                if edge.target not in seen:
                    seen.add(edge.target)
                    open_.append(edge.target)
        return False


class Program:
    """A graph ready to run. Build one per graph version and share it between runs."""

    def __init__(self, graph: GraphSpec, registry: Registry, hash: str = "") -> None:
        """`hash`: under which a run is pinned to it, if it is known. Raises `GraphError` where the graph does not hold
        together; `graph check` says more."""
        self.graph = graph
        self.hash = hash or graph.hash()
        self.nodes: dict[str, NodeProgram] = {
            place.node.id: _node(place.node, registry, graph) for place in graph.places()
        }
        self.names: dict[str, str] = {}
        for node in self.nodes.values():
            if node.spec.name:
                self.names.setdefault(node.spec.name, node.id)
        self._roots: dict[str, FrameProgram] = {}
        self._bodies: dict[str, FrameProgram] = {}
        self._newest_part: tuple[tuple[str, str], FrameProgram] | None = None

    @cached_property
    def triggers(self) -> tuple[str, ...]:
        """Ids of the trigger nodes, in the order of the file."""
        return tuple(node.id for node in self.graph.nodes if self.nodes[node.id].type.kind == "trigger")

    def root(self, trigger: str = "", until: str = "") -> FrameProgram:
        """The graph as started by this trigger node; empty: the only one, or the implicit one (SEMANTICS 6).

        `until`: only this node and what leads to it take part (`runtime.partial`).

        Raises `GraphError` (`graph.trigger.unknown`) when there is no such trigger or several to choose from, and what
        `until_node` raises.
        """
        if until:
            return self._partial(self.trigger(trigger, until), until)
        trigger = self.trigger(trigger)
        if trigger not in self._roots:
            starts = [trigger] if trigger else _without_incoming(self.graph.nodes, self.graph.edges)
            self._roots[trigger] = self._frame(self.graph.nodes, self.graph.edges, starts)
        return self._roots[trigger]

    def _partial(self, trigger: str, until: str) -> FrameProgram:
        """The graph up to one of its nodes. The last one is kept: a graph has as many of them as nodes."""
        until = partial.outermost(self.graph, until)
        key = (trigger, until)
        if self._newest_part is not None and self._newest_part[0] == key:
            return self._newest_part[1]
        leading = partial.leading_to(until, self.graph.edges)
        nodes = [node for node in self.graph.nodes if node.id in leading]
        edges = [edge for edge in self.graph.edges if edge.target in leading]
        starts = [trigger] if trigger in leading else []
        if not trigger:
            starts = _without_incoming(nodes, edges)
        found = self._frame(nodes, edges, starts) if starts else None
        if found is None or until not in found.plan.index:
            others = [node for node in self.triggers if node in leading]
            raise partial.unreached(self.graph, trigger, until, others)
        self._newest_part = (key, found)
        return found

    def trigger(self, wanted: str = "", until: str = "") -> str:
        """The trigger node that `wanted` means; empty for the implicit one. With `until` it need not be told where one
        alone leads to that node."""
        if not wanted and until and len(self.triggers) > 1:
            leading = partial.leading_to(partial.outermost(self.graph, until), self.graph.edges)
            found = [trigger for trigger in self.triggers if trigger in leading]
            if len(found) == 1:
                return found[0]
        if wanted:
            if wanted in self.triggers:
                return wanted
            raise GraphError(
                f"the graph {self.graph.id} has no trigger {wanted!r}",
                code="graph.trigger.unknown",
                hint=f"Its triggers: {', '.join(self.triggers) or 'none, so leave it out'}.",
            )
        if len(self.triggers) > 1:
            raise GraphError(
                f"the graph {self.graph.id} has several triggers",
                code="graph.trigger.unknown",
                hint=f"Choose one: {', '.join(self.triggers)}.",
            )
        return self.triggers[0] if self.triggers else ""

    def body(self, node: str) -> FrameProgram:
        """The body of a map node. Raises `GraphError` (`graph.map.body`) when it has none."""
        if node not in self._bodies:
            body: Body | None = self.nodes[node].spec.body
            if body is None or not body.nodes:
                raise GraphError(
                    f"the node {node} has no body to run",
                    code="graph.map.body",
                    where=Where(node=node),
                    hint="Give it `body: {nodes: [...], edges: [...]}`, or `with: {graph: id}`.",
                )
            starts = _without_incoming(body.nodes, body.edges)
            self._bodies[node] = self._frame(body.nodes, body.edges, starts)
        return self._bodies[node]

    def _frame(self, nodes: Sequence[NodeSpec], edges: Sequence[Edge], starts: Sequence[str]) -> FrameProgram:
        rules = [
            NodeRule(
                id=node.id,
                join=Join(node.join.kind, node.join.count),
                loop_max=None
                if self.nodes[node.id].type.kind == "loop" and node.loop is None
                else (node.loop.max if node.loop else 1000),
                cancel_losers=node.losers == "cancel",
                done_port="done" if "done" in self.nodes[node.id].ports_out else None,
            )
            for node in nodes
        ]
        named = tuple(self._edge(edge) for edge in edges)
        sources = {edge.source for edge in named}
        return FrameProgram(
            plan=Plan.build(rules, named, starts),
            edges=named,
            leaves=tuple(node.id for node in nodes if node.id not in sources),
            pure=all(self.nodes[node.id].pure for node in nodes),
        )

    def _edge(self, edge: Edge) -> EdgeRule:
        source, target = self.nodes.get(edge.source), self.nodes.get(edge.target)
        if source is None or target is None:
            missing = edge.source if source is None else edge.target
            raise GraphError(
                f"the edge {edge} names no node {missing!r}",
                code="graph.edge.unknown_node",
                hint="Add a node with this id, or remove the edge.",
            )
        first_out = source.ports_out[0] if source.ports_out else "out"
        first_in = target.type.ports_in[0] if target.type.ports_in else "in"
        return EdgeRule(edge.source, edge.source_port or first_out, edge.target, edge.target_port or first_in)


def _without_incoming(nodes: Sequence[NodeSpec], edges: Sequence[Edge]) -> list[str]:
    targets = {edge.target for edge in edges}
    return [node.id for node in nodes if node.id not in targets]


def _node(spec: NodeSpec, registry: Registry, graph: GraphSpec) -> NodeProgram:
    node_type = registry.get(str(spec.use))
    if node_type is None:
        raise GraphError(
            f"there is no node type {spec.use}",
            code="graph.node.unknown_type",
            where=Where(node=spec.id),
            hint="`pyagent node list` shows the installed types.",
        )
    static: NodeParams | None = None
    literal = literal_fields(node_type.params)
    if not has_template({name: value for name, value in spec.params.items() if name not in literal}):
        try:
            static = node_type.validate_params(spec.params)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise GraphError(
                f"parameter {place or '(all)'}: {first['msg']}",
                code="graph.param.invalid",
                where=Where(node=spec.id, field=f"with.{place}"),
                hint=f"`pyagent node show {node_type.name}` lists the parameters.",
            ) from error
    guess: Any = static if static is not None else lenient(node_type.params, spec.params)
    ports = node_type.ports_out_for(guess)
    if spec.on_error == "route" and "error" not in ports:
        ports = (*ports, "error")
    effects = spec.effects or node_type.effects_for(guess)
    waits = node_type.kind in ("map", "call")
    pure = (
        effects == "none"
        and not waits
        and spec.timeout is None
        and spec.idle_timeout is None
        and (spec.retry is None or spec.retry.attempts == 1)
    )
    light = (
        node_type.kind == "action"
        and spec.timeout is None
        and spec.idle_timeout is None
        # Of these, items are recorded one by one, or a try that failed is.
        and (spec.retry is None or spec.retry.attempts == 1 or not (effects == "none" or node_type.each_item))
        and not (effects == "once" and node_type.each_item)
        and not (spec.disabled or spec.write or spec.always_output)
        and (static is not None or not (callable(node_type.effects) or callable(node_type.ports_out)))
    )
    return NodeProgram(
        spec=spec,
        type=node_type,
        params=static,
        literal=literal,
        effects=effects,
        ports_out=ports,
        pure=pure,
        light=light,
    )
