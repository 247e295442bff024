"""Takes out of a file what does not fit the format, so that the rest can be checked in the same go."""

from __future__ import annotations

from pydantic import ValidationError

from pyagent.graph.check.context import ANY
from pyagent.graph.problems import node_at, value_at
from pyagent.graph.spec import FORMAT, GraphSpec
from pyagent.graph.yaml import validate
from pyagent.graph.yaml_format import is_node
from pyagent.graph.yaml_tree import Path, Tree

_ROUNDS = 8


def salvage(tree: Tree) -> tuple[GraphSpec | None, frozenset[str], bool]:
    """The graph that is left, ids and names of nodes that were taken out, and whether all nodes and edges are left.

    `ANY` is among the ids where whole lists of nodes were taken out. None if nothing is left. Changes `tree`: what does
    not fit is no longer in it, and the rest keeps its places.
    """
    lost: set[str] = set()
    complete = True
    for _ in range(_ROUNDS):
        try:
            return validate(tree.value), frozenset(lost), complete
        except ValidationError as error:
            targets = {_target(tree, details["loc"], details["type"]) for details in error.errors(include_url=False)}
        # from the end, so that positions in lists still hold
        for path in sorted(targets, key=_order, reverse=True):
            if path == ():
                return None, frozenset(lost), False
            if is_node(path) or path[-1] in ("nodes", "edges", "body") or path[-2:-1] == ("edges",):
                complete = False
            lost |= _lost(tree, path)
            _remove(tree, path)
    return None, frozenset(lost), False


def paths_of(tree: Tree) -> dict[int, Path]:
    """Where each value of the tree stands, by its identity."""
    found: dict[int, Path] = {}
    rest: list[tuple[Tree, Path]] = [(tree, ())]
    while rest:
        here, path = rest.pop()
        if id(here) in found:
            continue
        found[id(here)] = path
        keys = range(len(here.items)) if here.kind == "sequence" else [str(key.value) for key in here.keys]
        rest.extend((item, (*path, key)) for key, item in zip(keys, here.items, strict=True))
    return found


def path_before(path: Path, tree: Tree, places: dict[int, Path]) -> Path:
    """Where what is at `path` now stood when `places` were noted; what is not there is beside what is."""
    here = tree
    for length, part in enumerate(path):
        entry = here.entry(part)
        if entry is None:
            return (*places[id(here)], *path[length:])
        here = entry[1]
    return places[id(here)]


def _lost(tree: Tree, path: Path) -> set[str]:
    """What the nodes are called that go with the value at `path`."""
    if path[-1] == "nodes" or path[-1] == "body":
        return {ANY}
    if not is_node(path):
        return set()
    inside = ANY if value_at(tree, (*path, "body")) else None
    names = (node_at(tree, path), value_at(tree, (*path, "name")), inside)
    return {found for found in names if isinstance(found, str)}


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)


def _target(tree: Tree, location: Path, kind: str) -> Path:
    """What to take out for an error at `location`: the value, or the node or object that cannot be without it."""
    here = tree
    path: Path = ()
    for part in location:
        found = here.entry(part)
        if found is None:
            break
        here, path = found[1], (*path, part)
    if path in (("pyagent",), ("id",)) or (kind == "missing" and not path):
        return location[:1]
    if kind == "missing" or (len(path) > 1 and is_node(path[:-1]) and path[-1] in ("id", "use")):
        return path if kind == "missing" else path[:-1]
    return path


def _remove(tree: Tree, path: Path) -> None:
    if path in (("pyagent",), ("id",)):
        # the graph cannot be without these: any value that fits will do
        tree.value[path[0]] = FORMAT if path[0] == "pyagent" else "graph"
        return
    here = tree
    for part in path[:-1]:
        found = here.entry(part)
        if found is None:
            return
        here = found[1]
    last = path[-1]
    if here.kind == "sequence" and isinstance(last, int) and last < len(here.items):
        del here.items[last], here.value[last]
    elif here.kind == "mapping":
        for position, key in enumerate(here.keys):
            if key.value == last:
                del here.keys[position], here.items[position], here.value[last]
                break
