"""The one canonical style of a graph file: `pyagent graph fmt`.

Keys of the format come in its order, edges and durations in their canonical spelling, two spaces of indentation,
short collections on one line, one item of `nodes`, `edges`, `layout` and `canvas` a line; comments stay with their
entries.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel

from pyagent.errors import GraphError
from pyagent.graph.duration import format_duration, parse_duration
from pyagent.graph.parts import parse_edge
from pyagent.graph.spec import Body, Canvas, FrameSpec, GraphSpec, NodeSpec, NoteSpec, RetrySpec, Settings
from pyagent.graph.yaml_comments import Remarks, remarks
from pyagent.graph.yaml_emit import Piece, block
from pyagent.graph.yaml_tree import Path, Tree, parse

_NONE = Remarks()
_DURATIONS = frozenset({"timeout", "idle_timeout"})


def key_order(model: type[BaseModel]) -> list[str]:
    """The keys of `model` in a file, in the order of the format."""
    return [field.alias or name for name, field in model.model_fields.items()]


_GRAPH, _NODE, _SETTINGS, _RETRY, _BODY = map(key_order, (GraphSpec, NodeSpec, Settings, RetrySpec, Body))
_CANVAS, _NOTE, _FRAME = map(key_order, (Canvas, NoteSpec, FrameSpec))


def fmt(text: str, file: str | None = None) -> str:
    """`text` in the canonical style: a fixed point of this function, with the same meaning and the same comments.

    The graph need not pass its checks. Raises `GraphError` (`graph.yaml`) if the text is not YAML.
    """
    tree = parse(text.removeprefix("\ufeff"), file)
    written = _write(text.removeprefix("\ufeff"), tree, keep_aliases=True)
    try:
        same = parse(written).value == canonical(tree.value)
    except GraphError:
        same = False
    # an alias may have come before its anchor; then each is written out
    return written if same else _write(text.removeprefix("\ufeff"), tree, keep_aliases=False)


def render(data: dict[str, Any]) -> str:
    """The canonical text of a graph's data (`GraphSpec.to_data`), without comments."""
    return "\n".join(block(shape(data, ()), 0)) + "\n"


def shape(value: Any, path: Path) -> Piece:
    """The value at `path` as it is to be written."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        items = [shape(item, (*path, key)) for key, item in found.items()]
        return Piece("mapping", keys=list(found), items=items, open=is_open(path))
    if isinstance(value, (list, tuple)):
        items = [shape(item, (*path, index)) for index, item in enumerate(cast("list[Any]", value))]
        return Piece("sequence", items=items, open=is_open(path))
    return Piece("scalar", value=value)


def order_of(path: Path) -> list[str]:
    """The keys that the format knows for the mapping at `path`, in its order; empty where order is the author's."""
    match path:
        case ():
            return _GRAPH
        case ("settings",):
            return _SETTINGS
        case ("canvas",):
            return _CANVAS
        case ("canvas", "notes", _):
            return _NOTE
        case ("canvas", "frames", _):
            return _FRAME
        case _:
            pass
    if is_node(path):
        return _NODE
    if len(path) > 1 and is_node(path[:-1]):
        return {"retry": _RETRY, "body": _BODY}.get(str(path[-1]), [])
    return []


def is_node(path: Path) -> bool:
    """Whether `path` leads to a node: `nodes[i]`, or one in the body of another."""
    if len(path) < 2 or path[-2] != "nodes" or not isinstance(path[-1], int):
        return False
    rest = path[:-2]
    return not rest or (rest[-1] == "body" and is_node(rest[:-1]))


def is_open(path: Path) -> bool:
    """Whether the collection at `path` has a line for each entry however short it is."""
    match path:
        case () | ("nodes",) | ("edges",) | ("layout",) | ("canvas",):
            return True
        case ("canvas", "notes" | "frames" | "colors"):
            return True
        case _:
            pass
    if is_node(path):
        return True
    if path[-1] == "body":
        return is_node(path[:-1])
    return path[-1] in ("nodes", "edges") and len(path) > 2 and path[-2] == "body" and is_node(path[:-2])


def spelling(path: Path, value: Any) -> Any:
    """The canonical spelling of the scalar at `path`; `value` itself where there is no such thing or it is wrong."""
    if not isinstance(value, str) or not path:
        return value
    try:
        if isinstance(path[-1], int) and len(path) > 1 and path[-2] == "edges" and is_open(path[:-1]):
            return str(parse_edge(value))
        if _is_duration(path):
            return format_duration(parse_duration(value))
    except ValueError:
        pass
    return value


def _is_duration(path: Path) -> bool:
    owner, key = path[:-1], path[-1]
    if owner == ("settings",):
        return key == "timeout"
    if is_node(owner):
        return key in _DURATIONS
    if len(owner) > 1 and is_node(owner[:-1]):
        return (owner[-1] == "retry" and key in ("initial", "max")) or (owner[-1] == "cache" and key == "ttl")
    return False


def canonical(value: Any, path: Path = ()) -> Any:
    """The data at `path` in the one spelling of edges and durations; explicit defaults stay."""
    if isinstance(value, dict):
        return {key: canonical(item, (*path, key)) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [canonical(item, (*path, index)) for index, item in enumerate(cast("list[Any]", value))]
    return spelling(path, value)


def _write(text: str, tree: Tree, *, keep_aliases: bool) -> str:
    found = remarks(text, tree)
    root = Shaper(found, keep_aliases).shape(tree, ())
    if root.items and tree.items:
        # what stands at the top of the file stays there, whichever key comes first now
        first = root.items[root.keys.index(tree.keys[0].value)]
        head, first.before = first.before, []
        root.items[0].before[:0] = head
    lines = block(root, 0)
    while lines and not lines[0]:
        lines.pop(0)
    return "\n".join(lines) + "\n"


class Shaper:
    """Turns a tree into what is to be written, with the remarks that belong to it."""

    def __init__(self, found: dict[int, Remarks], keep_aliases: bool) -> None:
        self.found = found
        self.keep_aliases = keep_aliases

    def shape(self, tree: Tree, path: Path) -> Piece:
        remark = self.found.get(id(tree), _NONE)
        part = Piece(
            tree.kind,
            before=list(remark.before),
            beside=remark.beside,
            after=list(remark.after),
            open=remark.inside or is_open(path),
            anchor=tree.anchor if self.keep_aliases else None,
            alias=tree.alias if self.keep_aliases else None,
        )
        if part.alias:
            return part
        if tree.kind == "scalar":
            part.value = spelling(path, tree.value)
            return part
        if tree.kind == "sequence":
            part.items = [self.shape(item, (*path, index)) for index, item in enumerate(tree.items)]
        else:
            entries = {
                str(name.value): self.shape(item, (*path, str(name.value)))
                for name, item in zip(tree.keys, tree.items, strict=True)
            }
            known = [key for key in order_of(path) if key in entries]
            part.keys = [*known, *(key for key in entries if key not in known)]
            part.items = [entries[key] for key in part.keys]
        if not part.items and part.after:
            part.before, part.after = [*part.before, *part.after], []
        return part
