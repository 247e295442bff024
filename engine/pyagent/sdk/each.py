"""Runs an item-wise node over its items, keeping outcomes by item (SEMANTICS 20)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping
from functools import partial
from typing import Any, cast

from pyagent.errors import NodeCancelled
from pyagent.sdk.context import Context, Level
from pyagent.sdk.items import Item, Items
from pyagent.sdk.later import Later, in_time
from pyagent.sdk.node import NodeType
from pyagent.sdk.outcome import ItemOutcome, as_error, normalise_item
from pyagent.sdk.params import NodeParams


class ItemContext:
    """A step's context as one of its items sees it: its key and its log lines name the item."""

    def __init__(self, context: Context, index: int) -> None:
        self._context = context
        self._index = index

    @property
    def idempotency_key(self) -> str:
        """The step's key and the item's index: the same for every try of this item."""
        return f"{self._context.idempotency_key}:{self._index}"

    def log(self, message: str, *, level: Level = "info", **fields: Any) -> None:
        """Add a line that names the item to the run's event stream."""
        fields.setdefault("item", self._index)
        self._context.log(message, level=level, **fields)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


async def run_each(
    node_type: NodeType,
    items: Items,
    params_for: Callable[[int], NodeParams],
    ctx: Context,
    *,
    first: int = 0,
    concurrency: int | None = None,
    kept: Mapping[int, ItemOutcome] | None = None,
    settled: Container[int] = (),
    on_begin: Callable[[int], Awaitable[None]] | None = None,
    on_outcome: Callable[[ItemOutcome], Awaitable[None]] | None = None,
) -> list[ItemOutcome]:
    """Call an `each_item` node's function for each of `items` (marked) and return the outcomes in item order.

    At most `concurrency` items (without it: the node type's own number) are at work at once; they begin in item
    order. `params_for(index)` gives an item's parameters; what it raises is that item's error. `first` is the index of
    the first item among those of the step, by which `params_for` and the item's context count. Items whose successful
    outcome is in `kept` are not run again: give the outcomes of the last try, and only its failures are tried;
    failures whose index is in `settled` stand.
    `on_begin` is awaited before an item's function is called (a `once` beginning is committed there) and
    `on_outcome` after it; what they raise ends the whole call.

    An item's failure is its outcome and does not end the others; `NodeCancelled` and cancelling the task do.
    """
    kept = kept or {}
    outcomes: dict[int, ItemOutcome] = {}
    function = cast("Callable[[Item, NodeParams, Context], Awaitable[Any]]", node_type.function)
    ports_out = ctx.ports_out

    async def run(index: int, item: Item) -> None:
        before = kept.get(index)
        if before is not None and (before.error is None or index in settled):
            outcomes[index] = before
            return
        ctx.cancel.check()
        if on_begin is not None:
            await on_begin(index)
        try:
            try:
                params = params_for(first + index)
            except Later as later:
                await later.settle()
                params = await in_time(partial(params_for, first + index))
            returned = await function(item, params, cast("Context", ItemContext(ctx, first + index)))
            outcome = ItemOutcome(index=index, outputs=normalise_item(returned, node_type, ports_out, item))
        except NodeCancelled:
            raise
        except Exception as error:
            outcome = ItemOutcome(index=index, error=as_error(error, node_id=ctx.node_id, step=ctx.step))
        outcomes[index] = outcome
        if on_outcome is not None:
            await on_outcome(outcome)

    async def work(queue: Iterator[tuple[int, Item]]) -> None:
        for index, item in queue:
            await run(index, item)

    queue = enumerate(items)
    workers = min(concurrency or node_type.concurrency, len(items))
    if workers <= 1:
        await work(queue)
    else:
        tasks = [asyncio.create_task(work(queue)) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return [outcomes[index] for index in range(len(items))]
