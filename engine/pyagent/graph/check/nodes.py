"""Checks of ids, node types, parameters, ports, and what one node says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyagent.graph.check import repair
from pyagent.graph.check.catalogue import NodeTypeInfo, ParamProblem
from pyagent.graph.check.context import ERROR_PORT, Check, Level
from pyagent.graph.check.expressions import templates
from pyagent.graph.fixes import put, take_out
from pyagent.graph.json_types import fits
from pyagent.graph.problems import nearest
from pyagent.graph.spec import Edge, NodeSpec

_REDUCIBLE = {
    "append": {"array", "any"},
    "union": {"array", "any"},
    "add": {"number", "integer", "any"},
    "merge": {"object", "any"},
    "max": {"number", "integer", "string", "any"},
    "min": {"number", "integer", "string", "any"},
}


def check_ids(check: Check) -> None:
    """No id stands twice, bodies included."""
    seen: dict[str, int] = {}
    for place in check.spec.places():
        path = (*place.path, "id")
        line = check.tree.locate(path)[0]
        if place.node.id in seen:
            check.report(
                "graph.id.duplicate",
                f"the id `{place.node.id}` stands twice; first in line {seen[place.node.id]}",
                path,
                hint="Ids are unique in the whole file, bodies included. Rename one of them.",
                node=place.node.id,
                fix=repair.duplicate_id(check, place.node, path),
            )
        seen.setdefault(place.node.id, line)


def check_nodes(check: Check) -> None:
    """Types are installed, parameters fit them, bodies stand where they are run."""
    for level in check.levels:
        for position, node in enumerate(level.nodes):
            path = (*level.path, "nodes", position)
            found = check.type_of(node)
            if found is None:
                _unknown_type(check, node, (*path, "use"))
                continue
            for problem in found.param_problems(node.params):
                _param(check, node, problem, (*path, "with"))
            if found.live:
                _static(check, node, (*path, "with"))
            _body(check, node, found, path)
            _own_words(check, level, node, found, path)


def _unknown_type(check: Check, node: NodeSpec, path: tuple[str | int, ...]) -> None:
    versions = sorted(use for use in check.uses if use.partition("@")[0] == node.use.type)
    hint = f"Installed: {', '.join(f'`{use}`' for use in versions)}." if versions else ""
    hint = hint or check.nearest(str(node.use), check.uses)
    if not hint.startswith(("Installed", "Did you mean")):
        more = "`pyagent node list` shows what is installed; docs/guides/write-a-node.md says how to add one."
        hint = f"{hint} {more}".strip()
    what = "that version of the node type" if versions else "node type"
    check.report(
        "graph.node.unknown_type",
        f"no {what} `{node.use}` is installed",
        path,
        hint=hint,
        node=node.id,
        fix=repair.unknown_type(check, node, versions, path),
    )


def _param(check: Check, node: NodeSpec, problem: ParamProblem, path: tuple[str | int, ...]) -> None:
    name = ".".join(map(str, problem.path))
    if problem.kind == "missing":
        message, hint = f"the parameter `{name}` is missing", f"Add `{problem.path[-1]}:` to `with`."
    elif problem.kind == "unknown":
        message = f"`{node.use}` has no parameter `{name}`"
        shown = f"`pyagent node show {node.use.type}` lists the parameters."
        none = "It takes none." if len(problem.path) == 1 else shown
        hint = nearest(str(problem.path[-1]), problem.known) or none
    else:
        message = f"the parameter `{name}`: {problem.message}" if name else problem.message
        hint = f"`pyagent node show {node.use.type}` lists the parameters."
    # without any `with` the problem is the node's
    place = path if "with" in _keys(check, path[:-1]) else path[:-1]
    check.report(
        f"graph.param.{problem.kind}",
        message,
        (*place, *problem.path),
        hint=hint,
        node=node.id,
        key=problem.kind == "unknown",
        fix=repair.parameter(node, check.schema_of(node), problem, path),
    )


def _static(check: Check, node: NodeSpec, path: tuple[str | int, ...]) -> None:
    for place, _ in templates(node.params, path):
        check.report(
            "graph.trigger.expression",
            f"`{node.use}` starts runs, so no expression has a value in its parameters yet",
            place,
            hint="Write the value itself.",
            node=node.id,
        )


def _keys(check: Check, path: tuple[str | int, ...]) -> list[Any]:
    here = check.tree
    for part in path:
        found = here.entry(part)
        if found is None:
            return []
        here = found[1]
    return [key.value for key in here.keys]


def _body(check: Check, node: NodeSpec, found: NodeTypeInfo, path: tuple[str | int, ...]) -> None:
    if found.kind != "map":
        if node.body is not None:
            message = f"`{node.use}` runs no body"
            check.report(
                "graph.map.body",
                message,
                (*path, "body"),
                hint="Only `flow.map` has one.",
                node=node.id,
                fix=take_out("Remove the body", (*path, "body")),
            )
        return
    graph = node.params.get("graph")
    hint = "Give it `body: {nodes: […], edges: […]}`, or the id of a graph in `with: {graph: …}`."
    if node.body is not None and graph is not None:
        message = "a body and a graph by id are both given"
        check.report(
            "graph.map.body",
            message,
            (*path, "body"),
            hint="Keep one of them.",
            node=node.id,
            key=True,
            fix=take_out("Keep the body", (*path, "with", "graph")),
        )
    elif graph is None and (node.body is None or not node.body.nodes):
        check.report("graph.map.body", f"`{node.id}` has nothing to run for its items", path, hint=hint, node=node.id)


def _own_words(check: Check, level: Level, node: NodeSpec, found: NodeTypeInfo, path: tuple[str | int, ...]) -> None:
    effects = check.effects(node)
    if node.cache is not None and effects != "none":
        check.report(
            "graph.cache.effects",
            f"a step with effects `{effects}` cannot be cached",
            (*path, "cache"),
            hint="Remove `cache`, or say `effects: none` if the node only computes.",
            node=node.id,
            key=True,
            fix=take_out("Remove cache", (*path, "cache")),
        )
    elif node.cache is not None:
        _not_yet(check, "cache", (*path, "cache"), "each step is executed", node.id)
    if node.retry is not None and node.retry.attempts > 1 and found.kind in ("map", "call"):
        _not_yet(check, "retry", (*path, "retry"), "it is tried once; retry its inner nodes", node.id)
    if node.runs_on is not None:
        _not_yet(check, "runs_on", (*path, "runs_on"), "every peer may run the node", node.id)
    if found.kind == "trigger" and level.owner is not None:
        hint = "Body nodes without incoming edges get the element; take the trigger out."
        fix = repair.without_node(level, node.id)
        check.report("graph.trigger.in_body", "a body has no trigger", path, hint=hint, node=node.id, fix=fix)
    graph = node.params.get("graph")
    if found.kind == "call" and graph == check.spec.id:
        certain = level.owner is None and (node.id,) in [start[:1] for start in check.starts(level)]
        check.report(
            "graph.call.recursion",
            f"`{node.id}` calls its own graph{', always' if certain else ''}",
            (*path, "with", "graph"),
            hint="Use a loop, or make sure that a branch ends the recursion.",
            severity="error" if certain else "warning",
            node=node.id,
        )


def _not_yet(check: Check, name: str, path: tuple[str | int, ...], instead: str, node: str | None = None) -> None:
    check.report(
        "graph.setting.unsupported",
        f"`{name}` has no effect in this version: {instead}",
        path,
        hint="It is part of the format; take it out if you rely on it.",
        severity="warning",
        node=node,
        key=True,
        fix=take_out(f"Remove {name}", path),
    )


def check_state(check: Check) -> None:
    """Channels' reducers and defaults fit their types; nodes write channels that are declared."""
    for name, channel in check.spec.state.items():
        path = ("state", name)
        allowed = _REDUCIBLE.get(channel.reduce)
        if allowed is not None and channel.type not in allowed:
            check.report(
                "graph.state.reducer",
                f"`{channel.reduce}` does not work on {channel.type}",
                (*path, "reduce"),
                hint=f"It works on {', '.join(sorted(allowed - {'any'}))}.",
                fix=take_out("Let the last write count", (*path, "reduce")),
            )
        if channel.default is not None and not fits(channel.type, channel.default):
            message = f"the default of `{name}` is not of type {channel.type}"
            fix = take_out("Remove the default", (*path, "default"))
            hint = "Change the default or the type."
            check.report("graph.state.default", message, (*path, "default"), hint=hint, fix=fix)
        if not next(templates(channel.migrate, ()), None) and not fits(channel.type, channel.migrate):
            message = f"what `{name}` is migrated to is not of type {channel.type}"
            fix = take_out("Remove migrate", (*path, "migrate"))
            hint = "Change the value or the type."
            check.report("graph.state.migrate", message, (*path, "migrate"), hint=hint, fix=fix)
    for place in check.spec.places():
        for name, value in place.node.write.items():
            if name not in check.spec.state:
                path = (*place.path, "write", name)
                check.report(
                    "graph.state.unknown_channel",
                    f"no state channel `{name}` is declared",
                    path,
                    hint=nearest(name, check.spec.state) or "Declare it in `state`.",
                    node=place.node.id,
                    key=True,
                    fix=repair.unknown_channel(check, name, value, path),
                )


def check_edges(check: Check) -> None:
    """Edges join nodes of one level by ports that these have; pins and what is drawn are those of nodes."""
    for level in check.levels:
        for position, edge in enumerate(level.edges):
            path = level.edge_path(position)
            if _ends(check, level, edge, path):
                _ports(check, level, edge, path)
        _error_ports(check, level)
    for node in check.spec.pins:
        _leads_nowhere(check, "graph.pin.unknown_node", "pin", ("pins", node))
    for node in check.spec.layout:
        _leads_nowhere(check, "graph.layout.unknown_node", "place", ("layout", node))
    for node in check.spec.canvas.colors:
        _leads_nowhere(check, "graph.layout.unknown_node", "color", ("canvas", "colors", node))


def _leads_nowhere(check: Check, code: str, what: str, path: tuple[str, ...]) -> None:
    node = path[-1]
    if node in check.level_of or check.was_lost(node):
        return
    check.report(
        code,
        f"a {what} names no node `{node}`",
        path,
        hint=check.nearest(node, check.level_of) or "Remove it.",
        severity="warning",
        key=True,
        fix=take_out(f"Remove the {what}", path),
    )


def _ends(check: Check, level: Level, edge: Edge, path: tuple[str | int, ...]) -> bool:
    good = True
    for end in dict.fromkeys((edge.source, edge.target)):
        if end in level.index:
            continue
        good = False
        if end in check.level_of:
            other = check.level_of[end].owner
            check.report(
                "graph.map.edge_crosses",
                f"`{end}` is {'in the body of `' + other + '`' if other else 'outside of this body'}",
                path,
                hint="No edge crosses a body: what its last nodes put out is the result of the map node.",
                node=end,
                fix=take_out("Remove the edge", path),
            )
        elif not check.was_lost(end):
            hint = check.nearest(end, level.index) or "Add a node with this id, or remove the edge."
            fix = take_out("Remove the edge", path)
            check.report("graph.edge.unknown_node", f"no node has the id `{end}`", path, hint=hint, fix=fix)
    return good


def _ports(check: Check, level: Level, edge: Edge, path: tuple[str | int, ...]) -> None:
    source, target = (level.nodes[level.index[end]] for end in (edge.source, edge.target))
    ports = check.ports_out(source)
    if ports is not None and (not ports or (edge.source_port and edge.source_port not in ports)):
        _port(check, level, edge, "output", ports, path)
    found = check.type_of(target)
    if found is None:
        return
    inputs = tuple(found.ports_in)
    if not inputs or (edge.target_port and edge.target_port not in inputs and "*" not in inputs):
        _port(check, level, edge, "input", inputs, path)


def _port(check: Check, level: Level, edge: Edge, side: str, ports: Sequence[str], path: tuple[str | int, ...]) -> None:
    end, port = (edge.source, edge.source_port) if side == "output" else (edge.target, edge.target_port)
    node = level.nodes[level.index[end]]
    if not ports:
        message, hint = f"`{node.id}` ({node.use}) has no {side}", "Remove the edge, or take another node."
    else:
        message = f"`{node.id}` ({node.use}) has no {side} port `{port}`"
        hint = nearest(str(port), ports)
        if port == ERROR_PORT and side == "output":
            hint = "Say `on_error: route` on the node; that adds the port."
    fix = repair.port(node, edge, side, ports, level.node_path(end), path)
    check.report("graph.port.unknown", message, path, hint=hint, node=node.id, fix=fix)


def _error_ports(check: Check, level: Level) -> None:
    connected = {edge.source for edge in level.edges if edge.source_port == ERROR_PORT}
    for node in level.nodes:
        if node.on_error == "route" and node.id not in connected:
            first = check.ports_out(node)
            if first == (ERROR_PORT,) and _leaves(level.edges, node.id):
                continue
            check.report(
                "graph.error_port.unconnected",
                f"errors of `{node.id}` are routed, but nothing is connected to its `error` port",
                (*level.node_path(node.id), "on_error"),
                hint=f"Add an edge `{node.id}.error -> …`, or say `on_error: stop` or `continue`.",
                node=node.id,
                fix=put("Stop the run at an error", (*level.node_path(node.id), "on_error"), "stop"),
            )


def _leaves(edges: Iterable[Edge], node: str) -> bool:
    return any(edge.source == node and edge.source_port is None for edge in edges)
