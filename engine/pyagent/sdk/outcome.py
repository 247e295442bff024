"""From what a node's function returned to what the engine records: one form, with lineage.

Lineage works by marks: each item that a step is given names itself in `sources` (`mark` sees to that), so an item
passed on, filtered or sorted carries the right lineage without the node doing anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from pydantic import ValidationError

from pyagent.errors import InputError, NodeError, PyAgentError
from pyagent.sdk.commands import Call, Command, LoopView, Map, Restart, Stop, Wait
from pyagent.sdk.items import Item, Items, ItemSource, JsonObject, Result
from pyagent.sdk.node import NodeType

OnError = Literal["stop", "continue", "route"]


class NodeReturnError(NodeError):
    """A node's function returned what is neither items nor a command."""

    code = "node.returned"
    hint = "Return items, items by port, a Result or a command; see the guide `write-a-node`."


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemOutcome:
    """How one input item of an item-wise node came out: `outputs`, or `error` if it failed (SEMANTICS 20)."""

    index: int
    """Index of the item among the step's items."""
    outputs: Mapping[str, Sequence[Item]] | None = None
    error: PyAgentError | None = None


def mark(items: Items, *, port: str = "in", start: int = 0) -> Items:
    """The items as a step is given them: each names itself, `(start + its index, port)`, as its source.

    The pages stay where they are.
    """
    return items.marked(port, start)


def loop_view(entry: Items, returned: Sequence[Items]) -> LoopView:
    """What a loop's header is given in the iteration after `returned`, marked.

    Entry items name themselves as `(index, "entry")`, those that came back after iteration n as
    `(index, "returned.n")`, because neither need be among the items that the step itself was given.
    """
    marked = [mark(items, port=f"returned.{number}") for number, items in enumerate(returned, 1)]
    return LoopView(len(returned) + 1, mark(entry, port="entry"), marked)


def normalise(returned: Any, node_type: NodeType, ports_out: Sequence[str], items: Sequence[Item]) -> Result | Command:
    """What a node's function returned, as a `Result` whose outputs are lists of items, or as a command.

    `ports_out` are the node's ports in the graph (`ctx.ports_out`), `items` what the step was given, marked. None is
    no output; a list goes to the first port; plain JSON objects become items. Where the node did not say what an item
    came from: with one input item, from that; in a list as long as the input, item by item. `Items` that the node
    passes on stay as they are, unloaded.

    For an `each_item` node, `returned` is what the function returned for the only item in `items`.

    Raises `NodeReturnError`.
    """
    if node_type.each_item:
        if len(items) != 1:
            raise NodeReturnError(f"{node_type.use} works item by item, {len(items)} items were given")
        return Result(normalise_item(returned, node_type, ports_out, items[0]))
    if isinstance(returned, Wait | Map | Call | Stop | Restart):
        return returned
    only = items[0].sources if len(items) == 1 else ()
    if returned is None:
        return Result()
    if isinstance(returned, Result):
        return Result(_by_port(returned.outputs, node_type, ports_out, only), returned.more)
    if isinstance(returned, Mapping):
        return Result(_by_port(cast("Mapping[Any, Any]", returned), node_type, ports_out, only))
    found = _items(returned, node_type, only)
    if len(found) == len(items) != 1 and not isinstance(found, Items):
        found = [
            made if made.sources else Item(made.json, made.binary, given.sources)
            for made, given in zip(found, items, strict=True)
        ]
    return Result({_first(ports_out, node_type): found} if found else {})


def normalise_item(
    returned: Any, node_type: NodeType, ports_out: Sequence[str], item: Item
) -> Mapping[str, Sequence[Item]]:
    """What an item-wise function returned for `item`, as items by port.

    A mapping is items by port if its keys are output ports and its values are lists of `Item`; any other mapping is
    the new item's JSON, and its binaries are those of `item`. Raises `NodeReturnError`.
    """
    if returned is None:
        return {}
    if isinstance(returned, Item):
        return {_first(ports_out, node_type): _items([returned], node_type, item.sources)}
    if isinstance(returned, Mapping):
        values = cast("Mapping[Any, Any]", returned)
        if _is_by_port(values, ports_out):
            return _by_port(values, node_type, ports_out, item.sources)
        return {_first(ports_out, node_type): [Item(_json(values, node_type), item.binary, item.sources)]}
    if isinstance(returned, Wait | Map | Call | Stop | Restart | Result):
        raise NodeReturnError(
            f"{node_type.use} works item by item and cannot return {type(returned).__name__}",
            hint="Declare the node without each_item=True.",
        )
    found = _items(returned, node_type, item.sources)
    return {_first(ports_out, node_type): found} if found else {}


def join_outcomes(
    outcomes: Sequence[ItemOutcome],
    items: Sequence[Item],
    *,
    ports_out: Sequence[str],
    on_error: OnError = "stop",
    node_id: str = "",
    attempt: int = 1,
) -> Result:
    """The outcomes of an item-wise node as one result, in item order.

    A failed item is raised (`stop`), passes on the first port with an `error` field (`continue`), or goes to the port
    `error` (`route`).
    """
    outputs: dict[str, list[Item]] = {port: [] for port in ports_out}
    for outcome in sorted(outcomes, key=lambda found: found.index):
        if outcome.error is None:
            for port, made in (outcome.outputs or {}).items():
                outputs.setdefault(port, []).extend(made)
        elif on_error == "stop":
            raise outcome.error
        else:
            failed = failed_item(outcome.error, items[outcome.index], on_error, node_id=node_id, attempt=attempt)
            outputs.setdefault("error" if on_error == "route" else ports_out[0], []).append(failed)
    return Result({port: found for port, found in outputs.items() if found})


def failed_item(
    error: PyAgentError, item: Item, on_error: Literal["continue", "route"], *, node_id: str, attempt: int
) -> Item:
    """The item that stands for a failure (SEMANTICS 20): `{…, error}`, or `{error, input}` for the port `error`."""
    said: JsonObject = {"code": error.code, "message": error.message, "node": node_id, "attempt": attempt}
    if error.hint:
        said["hint"] = error.hint
    json: JsonObject = {**item.json, "error": said} if on_error == "continue" else {"error": said, "input": item.json}
    return Item(json, item.binary, item.sources)


def as_error(error: Exception, *, node_id: str = "", step: str = "") -> PyAgentError:
    """Any exception of a node as an error with a code and a place."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(["with", *map(str, first["loc"])])
        found: PyAgentError = InputError(
            f"{place}: {first['msg']}",
            code="input.params",
            hint="Correct the node's parameter, or what its expression gives.",
            details={"errors": [{"field": list(one["loc"]), "message": one["msg"]} for one in error.errors()]},
        )
        found.where = replace(found.where, field=place)
    elif isinstance(error, PyAgentError):
        found = error
    else:
        found = NodeError(
            f"{type(error).__name__}: {error}".removesuffix(": "),
            code="node.crashed",
            hint="The node raised an error that it does not declare; its log may say more.",
        )
        found.__cause__ = error
    where = found.where
    found.where = replace(where, node=where.node or node_id or None, step=where.step or step or None)
    return found


def _is_by_port(values: Mapping[Any, Any], ports_out: Sequence[str]) -> bool:
    for port, made in values.items():
        if port not in ports_out:
            return False
        if isinstance(made, Items):
            continue
        if not isinstance(made, list | tuple):
            return False
        for item in cast("Sequence[Any]", made):
            if not isinstance(item, Item):
                return False
    return bool(values)


def _by_port(
    outputs: Mapping[Any, Any], node_type: NodeType, ports_out: Sequence[str], sources: tuple[ItemSource, ...]
) -> dict[str, Sequence[Item]]:
    found: dict[str, Sequence[Item]] = {}
    for port, made in outputs.items():
        if port not in ports_out:
            raise NodeReturnError(
                f"{node_type.use} put items on {port!r}, its ports are {', '.join(ports_out)}",
                hint="Declare the port in ports_out, or return a list for the first port.",
            )
        if items := _items(made, node_type, sources):
            found[port] = items
    return found


def _items(made: Any, node_type: NodeType, sources: tuple[ItemSource, ...]) -> Sequence[Item]:
    if made is None:
        return []
    if isinstance(made, Items):
        return made
    if isinstance(made, str | bytes | Mapping | Item) or not isinstance(made, Sequence):
        raise NodeReturnError(f"{node_type.use} returned {type(cast('Any', made)).__name__} where a list of items goes")
    found: list[Item] = []
    for item in cast("Sequence[Any]", made):
        if isinstance(item, Item):
            if type(item.json) is not dict:
                _json(item.json, node_type)
            found.append(item if item.sources or not sources else Item(item.json, item.binary, sources))
        else:
            found.append(Item(_json(item, node_type), None, sources))
    return found


def _json(value: Any, node_type: NodeType) -> JsonObject:
    if not isinstance(value, dict):
        if isinstance(value, Mapping):
            return dict(cast("Mapping[str, Any]", value))
        raise NodeReturnError(f"{node_type.use} returned {type(value).__name__} where an item's JSON object goes")
    return cast("JsonObject", value)


def _first(ports_out: Sequence[str], node_type: NodeType) -> str:
    if not ports_out:
        raise NodeReturnError(f"{node_type.use} has no output port, and returned items")
    return ports_out[0]
