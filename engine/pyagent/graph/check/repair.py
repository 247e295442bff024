"""What makes each kind of problem go, where that can be known: the checks' table of quick fixes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

from pyagent.graph.check.catalogue import ParamProblem
from pyagent.graph.check.context import ERROR_PORT, Check, Level
from pyagent.graph.fixes import Fix, empty_value, free_id, put, rename_key, take_out
from pyagent.graph.problems import closest
from pyagent.graph.spec import Edge, NodeSpec
from pyagent.graph.yaml_tree import Path


def duplicate_id(check: Check, node: NodeSpec, path: Path) -> Fix:
    """Another id for the later of two nodes; edges go on to mean the first."""
    name = free_id(node.id, check.taken_ids)
    check.taken_ids.add(name)
    return put(f"Give it the id {name}", path, name)


def unknown_type(check: Check, node: NodeSpec, versions: Collection[str], path: Path) -> Fix | None:
    """The newest installed version of the type, else the type that is most like it."""
    newest = max(versions, key=lambda use: int(use.partition("@")[2]), default=None)
    use = newest or check.closest(str(node.use), check.uses)
    return put(f"Use {use}", path, use) if use else None


def parameter(node: NodeSpec, whole: dict[str, Any], problem: ParamProblem, path: Path) -> Fix | None:
    """A missing parameter begins with its default or an empty value; an unknown one is renamed or taken out; a wrong
    one is the choice that is most like it, or left to its default. `path` is that of `with`, `whole` the parameters'
    schema."""
    here, name = (*path, *problem.path), str(problem.path[-1]) if problem.path else ""
    described = _described(whole, problem.path)
    if problem.kind == "missing":
        return put(f"Add {name}", here, empty_value(described or {}, whole))
    if problem.kind == "unknown":
        given = node.params if len(problem.path) == 1 else {}
        close = closest(name, [known for known in problem.known if known not in given])
        return rename_key(here, close, given[name]) if close else take_out(f"Remove {name}", here)
    if described is None or len(problem.path) != 1:
        return None
    value = node.params.get(name)
    choices = [choice for choice in described.get("enum", ()) if isinstance(choice, str)]
    if isinstance(value, str) and (close := closest(value, choices)):
        return put(f"Use {close}", here, close)
    return take_out(f"Leave {name} to its default", here) if name not in whole.get("required", ()) else None


def _described(whole: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """What the schema says of the value at `path`; None if it says nothing."""
    here = whole
    for part in path:
        while isinstance(reference := here.get("$ref"), str):
            here = cast("dict[str, Any]", whole.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}))
        inside: Any = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        if not isinstance(inside, dict):
            return None
        here = cast("dict[str, Any]", inside)
    return here


def without_node(level: Level, node: str) -> Fix:
    """The node goes, and its edges with it."""
    edges = [
        level.edge_path(position) for position, edge in enumerate(level.edges) if node in (edge.source, edge.target)
    ]
    return take_out(f"Remove {node}", level.node_path(node), *edges)


def unknown_channel(check: Check, name: str, value: Any, path: Path) -> Fix:
    """The channel that is meant, else it is declared."""
    if close := check.closest(name, check.spec.state):
        return rename_key(path, close, value)
    return declared("state", name)


def declared(kind: str, name: str) -> Fix:
    """An input or a state channel is declared, of any type."""
    if kind == "state":
        return put(f"Declare the state channel {name}", ("state", name), {"type": "any"})
    return put(f"Declare the input {name}", ("inputs", name), {})


def port(node: NodeSpec, edge: Edge, side: str, ports: Sequence[str], node_path: Path, path: Path) -> Fix:
    """The port that is most like it, else the first; without any port the edge goes."""
    name = edge.source_port if side == "output" else edge.target_port
    if side == "output" and name == ERROR_PORT and ports:
        return put(f"Route the errors of {node.id}", (*node_path, "on_error"), "route")
    if not ports:
        return take_out("Remove the edge", path)
    close = closest(str(name), ports)
    changed = replace(edge, **{"source_port" if side == "output" else "target_port": close})
    return put(f"Use the port {close or ports[0]}", path, str(changed))


def several_entries(level: Level, entry: str, entries: Sequence[int]) -> Fix:
    """A cycle that is entered at several nodes is entered at the first of them only."""
    others = [level.edge_path(position) for position in entries if level.edges[position].target != entry]
    return take_out(f"Enter the loop at {entry} only", *others)


def count(node: NodeSpec, coming: int, path: Path) -> Fix:
    """`N of M` with the M that there is, and an N that can be met."""
    wanted = min(max(node.join.count, 1), coming)
    return (
        put(f"Wait for {wanted} of {coming}", path, f"{wanted} of {coming}")
        if coming > 1
        else take_out("Wait for all", path)
    )


def named_in(text: str, old: str, new: str, path: Path) -> Fix | None:
    """Another node is named in a template."""
    if re.search(r"[\\'\"`{}]", new):
        return None
    changed = re.sub(rf"(['\"`]){re.escape(old)}\1", lambda found: f"{found[1]}{new}{found[1]}", text)
    if changed == text and re.fullmatch(r"[A-Za-z_]\w*", old) and re.fullmatch(r"[A-Za-z_]\w*", new):
        changed = re.sub(rf"(\$node\s*\.\s*){re.escape(old)}\b", rf"\g<1>{new}", text)
    return put(f"Read {new}", path, changed) if changed != text else None


def key_in(text: str, root: str, old: str, new: str, path: Path) -> Fix | None:
    """Another key of `$inputs` or `$state` is read in a template."""
    start = re.escape(root)
    changed = text
    if re.fullmatch(r"[A-Za-z_]\w*", new):
        changed = re.sub(rf"({start}\s*\??\.\s*){re.escape(old)}\b", rf"\g<1>{new}", text)
    changed = re.sub(
        rf"({start}\s*(?:\?\.)?\[\s*)(['\"`]){re.escape(old)}\2",
        lambda found: f"{found[1]}{found[2]}{new}{found[2]}",
        changed,
    )
    return put(f"Read {root}.{new}", path, changed) if changed != text else None
