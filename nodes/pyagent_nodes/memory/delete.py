"""`memory.delete`: memories are taken out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NotFound, node
from pyagent_nodes.memory._common import IndexParams, batches, opened


class DeleteParams(IndexParams):
    """Parameters of `memory.delete`."""

    id: str = Field(min_length=1, description="The memory's id", examples=["{{ $json.id }}"])


@node("memory.delete", title="Forget", icon="eraser", effects="idempotent")
async def delete(items: Items, params: DeleteParams, ctx: Context) -> AsyncIterator[Item]:
    """Take a memory out of an index for each item, and pass the items on. What is not there is no error.

    It is found no more when this ends; its bytes leave the disk when its segment is written again.
    """
    deleted = 0
    async for batch in batches(items, ctx):
        wanted: dict[Path, tuple[DeleteParams, list[str]]] = {}
        for number, _ in batch:
            each = await ctx.params_for(params, number)
            wanted.setdefault(each.place(), (each, []))[1].append(each.id)
        for each, ids in wanted.values():
            try:
                deleted += await (await opened(each, create=False)).delete(ids)
            except NotFound:
                continue
        for _, item in batch:
            yield item
    ctx.log("deleted memories", count=deleted)
