"""What an expression can read: the context of one step and item, and how items are picked from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from pyagent.errors import ExpressionError

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
Item: TypeAlias = Mapping[str, Any]
"""`{"json": …, "binary": …}`; other keys are left alone."""


MOST_ITEMS = 500_000
"""Items that `.all()` gives at most. The smallest take more than a hundred bytes each of an engine's 64 MiB; a longer
list would fill this process's memory before it fills the engine's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeView:
    """What `$('Node')` may read: the step of that node which the reader sees (SEMANTICS 27)."""

    items: Sequence[Item]
    """The items on the port that leads to the reader, else on the first."""
    item: Callable[[], Item] | None = None
    """The item that the reader's item comes from; raises ExpressionError when that is not one item.
    Left out: the only item, if there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationContext:
    """Everything that expressions of one step can read for one item. Values are read, never changed."""

    now: datetime
    """What `$now` says (aware); an entry of the run's log, so that a replay gives the same."""
    json: JsonValue = None
    """The current item's data."""
    binary: JsonValue = None
    items: Mapping[str, Sequence[Item]] = field(default_factory=dict[str, Sequence[Item]])
    """Input items per port; the first port is what `$input` reads by default."""
    item_index: int = 0
    run_index: int = 0
    node: Callable[[str], NodeView | None] | None = None
    """Finds a node by id, then name: None if the graph has no such node (`expr.unknown_node`); raises
    ExpressionError `expr.not_upstream` if it is no ancestor of the reader."""
    inputs: JsonValue = None
    state: JsonValue = None
    run: JsonValue = None
    execution: JsonValue = None
    workflow: JsonValue = None
    vars: JsonValue = None
    scope: JsonValue = None
    prev_node: JsonValue = None
    seed: int = 0
    """Begins the numbers of `Math.random()`; from 0 to 2**64 - 1."""
    node_id: str | None = None
    """The reading node, for errors."""
    deadline: float | None = None
    """When `time.monotonic()` has passed it, no further script is begun (`expr.timeout`)."""

    def items_of(self, kind: str, name: str, which: str, port: str) -> Any:
        """What `$input` (`kind` "input") or `$('name')` ("node") gives for `first`, `last`, `all` or `item`.

        `port` is a port's name or number, "" for the first. None is JavaScript's undefined. Raises
        ExpressionError `expr.unknown_node`, `expr.not_upstream` or `expr.failed`.
        """
        if kind == "input":
            if which == "item":
                return {"json": self.json} if self.binary is None else {"json": self.json, "binary": self.binary}
            items = self._input(port)
        else:
            view = self.node(name) if self.node is not None else None
            if view is None:
                raise ExpressionError(
                    f"there is no node {name!r}",
                    code="expr.unknown_node",
                    hint="Name a node of this graph by its id or its name.",
                    details={"node": name},
                )
            if which == "item":
                return _paired(name, view)
            items = view.items
        if which == "all":
            if len(items) > MOST_ITEMS:
                raise ExpressionError(
                    f"{len(items):,} items do not fit into an expression's memory",
                    code="expr.memory",
                    hint="Filter, limit or aggregate them before, or read one: .first(), .last(), .item.",
                )
            return items
        if not items:
            return None
        return items[0] if which == "first" else items[-1]

    def _input(self, port: str) -> Sequence[Item]:
        if port in self.items:
            return self.items[port]
        names = list(self.items)
        if not port:
            return self.items[names[0]] if names else ()
        if port.isdecimal() and int(port) < len(names):
            return self.items[names[int(port)]]
        raise ExpressionError(f"there is no input port {port!r}", hint=f"The ports are: {', '.join(names)}.")


def _paired(name: str, view: NodeView) -> Item:
    if view.item is not None:
        return view.item()
    if len(view.items) == 1:
        return view.items[0]
    raise ExpressionError(
        f"which of the {len(view.items)} items of {name!r} this item comes from is not known",
        hint=f"Choose one: $('{name}').first(), .last() or .all()[n].",
        details={"node": name, "items": len(view.items)},
    )
