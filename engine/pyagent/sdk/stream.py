"""Nodes that give their items piece by piece: async generator functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from pyagent.sdk.context import Context
from pyagent.sdk.items import Item, Items, Outputs

if TYPE_CHECKING:
    from pyagent.sdk.node import NodeType


def gathering(
    function: Callable[..., AsyncIterator[Any]], node_type: Callable[[], NodeType]
) -> Callable[..., Awaitable[Outputs | None]]:
    """The async generator function of a node as one that returns: what it yields goes to `ctx.gather`.

    A piece is what an item-wise function may return: an item, a JSON object, a list of them, items by port.
    """

    @wraps(function)
    async def gathered(given: Item | Items, params: Any, ctx: Context) -> Outputs | None:
        item = given if isinstance(given, Item) else Item({}, None, given[0].sources if len(given) == 1 else ())
        async with aclosing(cast("AsyncGenerator[Any]", function(given, params, ctx))) as pieces:
            return await ctx.gather(_by_port(pieces, node_type(), ctx.ports_out, item)) or None

    return gathered


async def _by_port(
    pieces: AsyncIterator[Any], node_type: NodeType, ports_out: Sequence[str], item: Item
) -> AsyncIterator[tuple[str, Sequence[Item]]]:
    from pyagent.sdk.outcome import normalise_item

    async for piece in pieces:
        for port, items in normalise_item(piece, node_type, ports_out, item).items():
            yield port, items
