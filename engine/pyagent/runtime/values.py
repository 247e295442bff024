"""What expressions of a run may read (SEMANTICS 26-28): items, ancestors, inputs, state, and the recorded time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast, overload

from pyagent.errors import ExpressionError
from pyagent.native import Blake3
from pyagent.runtime.expressions import EvaluationContext, Expressions, NodeView
from pyagent.runtime.frames import FrameState
from pyagent.runtime.lineage import inside_call, latest, origin_of, resolve
from pyagent.runtime.log import Outputs, StepKey
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Item, Items, ItemSource
from pyagent.sdk.later import in_time

_SKIPPED = "expr.skipped_node"
"""Told apart inside this module: an output that names a skipped node is null."""


ExpressionsOf = Callable[[Program], Expressions]
"""The expressions of a graph: each version has a context of its own."""


class ItemViews(Sequence[Mapping[str, Any]]):
    """Items as expressions see them, made when looked at."""

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [view(item) for item in self._items[index]]
        return view(self._items[index])

    def __len__(self) -> int:
        return len(self._items)


def view(item: Item) -> dict[str, Any]:
    """One item as expressions see it."""
    found: dict[str, Any] = {"json": item.json}
    if item.binary:
        found["binary"] = {name: ref.as_dict() for name, ref in item.binary.items()}
    return found


class Values:
    """Evaluates the templates of one run. Changes nothing."""

    def __init__(self, state: RunState, expressions: ExpressionsOf, *, run_id: str, production: bool = True) -> None:
        self._state = state
        self._expressions = expressions
        self._run_id = run_id
        self._execution = {"id": run_id, "mode": "production" if production else "test"}

    def chance(self, key: StepKey, salt: str = "") -> float:
        """A number in [0, 1) that is the same in every replay of the run."""
        return self._seed(f"{key}/{self._state.tries.get(key, 0)}/{salt}") / 2**64

    def params(
        self,
        key: StepKey,
        index: int,
        ports: Mapping[str, Items],
        items: Items,
        now: datetime,
    ) -> dict[str, Any]:
        """The node's parameters with their expressions evaluated for input item `index`.

        Raises `ExpressionError`, and `Later` where an expression takes long."""
        node = self._state.node(key)
        raw = {name: value for name, value in node.spec.params.items() if name not in node.literal}
        kept = {name: value for name, value in node.spec.params.items() if name in node.literal}
        item = items[index] if index < len(items) else None
        context = self._context(key, now, item, index, ports)
        return {**cast(dict[str, Any], self._of(key).evaluate(raw, context, field="with", waits=False)), **kept}

    def script_context(
        self, key: StepKey, index: int, ports: Mapping[str, Items], item: Item | None, now: datetime
    ) -> EvaluationContext:
        """What a script of the step can read while it works on `item`."""
        return self._context(key, now, item, index, ports)

    def writes(
        self, key: StepKey, items: Items, outputs: Outputs, now: datetime, *, waits: bool = False
    ) -> dict[str, Any]:
        """The state writes of a step that is ending: `$json` is its first output item, else its first input item.

        Raises `ExpressionError`, and unless it `waits`, `Later` where an expression takes long: to be asked again with
        the same `now`."""
        write = self._state.node(key).spec.write
        if not write:
            return {}
        made = next((found for found in outputs.values() if len(found)), items)
        item = made[0] if len(made) else None
        context = self._context(key, now, item, 0, {"in": made})
        return cast(dict[str, Any], self._of(key).evaluate(write, context, field="write", waits=waits))

    async def outputs(self, frame: str, now: datetime) -> dict[str, Any]:
        """The outputs of a graph that has ended. A template that names a skipped node is null (SEMANTICS 27); of a run
        that was to end at a node so is one that cannot be evaluated: what it reads may have been left out.

        Raises `ExpressionError`.
        """
        found = self._state.frames[frame]
        templates = found.program.graph.outputs
        context = EvaluationContext(
            now=now,
            json=cast(Any, found.inputs),
            items={"in": ItemViews(found.entry)},
            node=lambda name: self._latest(found, name),
            inputs=cast(Any, found.inputs),
            state=dict(found.channels),
            run={"id": self._run_id},
            execution=self._execution,
            workflow=self._workflow(found),
            vars={},
            seed=self._seed(f"outputs/{frame}"),
        )
        evaluate = partial(self._expressions(found.program).evaluate, context=context, waits=False)
        values: dict[str, Any] = {}
        for name, template in templates.items():
            try:
                values[name] = await in_time(partial(evaluate, template, field=f"outputs.{name}"))
            except ExpressionError as error:
                if error.code != _SKIPPED and (frame or not (self._state.started or {}).get("until")):
                    raise
                values[name] = None
        return values

    def _of(self, key: StepKey) -> Expressions:
        return self._expressions(self._state.frames[key.frame].program)

    # -- the parts of a context ---------------------------------------------------------------------------------

    def _context(
        self, key: StepKey, now: datetime, item: Item | None, index: int, ports: Mapping[str, Items]
    ) -> EvaluationContext:
        frame = self._state.frames[key.frame]
        shown: dict[str, Any] = view(item) if item is not None else {"json": {}}
        return EvaluationContext(
            now=now,
            json=shown["json"],
            binary=shown.get("binary"),
            items={port: ItemViews(items) for port, items in ports.items()} or {"in": ()},
            item_index=index,
            run_index=key.scope[-1] - 1 if key.scope else 0,
            node=lambda name: self._ancestor(key, name, item),
            inputs=cast(Any, frame.inputs),
            state=cast(Any, dict(frame.channels)),
            run={"id": self._run_id, "step": str(key)},
            execution=self._execution,
            workflow=self._workflow(frame),
            vars={},
            scope=list(key.scope),
            prev_node=self._previous(key),
            seed=self._seed(f"{key}/{index}"),
            node_id=key.node,
        )

    def _previous(self, key: StepKey) -> dict[str, Any] | None:
        for delivery in self._state.deliveries.get(key, ()):
            if delivery.edge >= 0:
                return {"name": delivery.source.node, "outputIndex": 0, "runIndex": 0}
        return None

    def _workflow(self, frame: FrameState) -> dict[str, Any]:
        graph = frame.program.graph
        return {"id": graph.id, "name": graph.name or graph.id, "active": True}

    def _ancestor(self, key: StepKey, name: str, item: Item | None) -> NodeView | None:
        program = self._state.frames[key.frame].program
        node = name if name in program.nodes else program.names.get(name)
        if node is None:
            return None
        found = resolve(self._state, key, node)
        if found is None:
            raise ExpressionError(
                f"{name!r} is not upstream of {key.node}, so it cannot be read here",
                code="expr.not_upstream",
                hint="Read only nodes from which edges lead to this one, and that this branch has run.",
            )
        step, items = found
        return NodeView(items=ItemViews(items), item=lambda: view(self._origin(key, item, step, items)))

    def _origin(self, key: StepKey, item: Item | None, wanted: StepKey, items: Items) -> Item:
        """The item of step `wanted` that the reader's item comes from, by lineage."""
        candidates: dict[int, Item] = {}
        if item is not None:
            for origin in self._trace(key, item, wanted):
                candidates[id(origin)] = origin
        if len(candidates) == 1:
            return next(iter(candidates.values()))
        if not candidates and len(items) == 1:
            return items[0]
        many = f"it comes from {len(candidates)} of them" if candidates else "its lineage is not known"
        raise ExpressionError(
            f"$('{wanted.node}').item is not one item: {many}",
            code="expr.item_ambiguous",
            hint="Use .first(), .last() or .all() instead.",
        )

    def _trace(self, key: StepKey, item: Item, wanted: StepKey) -> Sequence[Item]:
        """Follow `sources` back, one step at a time. An item's sources index the inputs of the step it is in."""
        found: list[Item] = []
        open_: list[tuple[StepKey, Item]] = [(key, item)]
        while open_:
            step, given = open_.pop()
            for source in given.sources:
                origin = origin_of(self._state, step, source)
                if origin is None:
                    parent = self._state.frames[step.frame].parent
                    if parent is not None:
                        open_.append((parent, Item({}, None, self._element_sources(step.frame, source))))
                elif origin[0] == wanted:
                    found.append(origin[1])
                else:
                    sender, item, index = origin
                    open_.append(inside_call(self._state, sender, index) or (sender, item))
        return found

    def _element_sources(self, frame: str, source: ItemSource) -> tuple[ItemSource, ...]:
        """What a map's element, or a graph called with items, began with, as items of that step's own input."""
        found = self._state.frames[frame]
        if found.passes:
            return (ItemSource(source.item),)
        expansion = self._state.expansions.get(found.parent) if found.parent else None
        if expansion is None or expansion.kind != "map":
            return ()
        return (ItemSource(expansion.starts[found.element] + source.item),)

    def _latest(self, frame: FrameState, name: str) -> NodeView | None:
        program = frame.program
        node = name if name in program.nodes else program.names.get(name)
        if node is None:
            return None
        key = latest(frame, node)
        if key is None:
            if node in frame.nodes.plan.index or node in {found.id for found in program.graph.nodes}:
                raise ExpressionError(f"{name!r} was skipped", code=_SKIPPED, hint="Its value in outputs is null.")
            raise ExpressionError(
                f"{name!r} is inside a body and cannot be read from outside",
                code="expr.not_upstream",
                hint="Read the map's own items instead.",
            )
        outputs = self._state.outcomes[key].outputs
        first = next(iter(outputs.values()), Items.of(()))
        ports = program.nodes[node].ports_out
        items = next((outputs[port] for port in ports if port in outputs), first)
        return NodeView(items=ItemViews(items), item=None)

    def _seed(self, text: str) -> int:
        return int.from_bytes(Blake3(f"{self._run_id}/{text}".encode()).digest(length=8), "big")
