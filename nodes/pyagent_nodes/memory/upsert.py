"""`memory.upsert`: items become memories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import Field

from pyagent.sdk import Context, Item, Items, node
from pyagent.sdk.embedding import embed
from pyagent.sdk.memory import Memory
from pyagent_nodes.memory._common import IndexParams, Model, batches, opened


class UpsertParams(IndexParams):
    """Parameters of `memory.upsert`."""

    text: str = Field(description="What is searched by words", examples=["{{ $json.text }}"])
    id: str | None = Field(
        None,
        min_length=1,
        description="Its name; one that is there already is replaced. Left out: made of the text, so that the same "
        "text is there once",
    )
    tags: list[str] = Field(default_factory=list, description="Words to filter by")
    time: datetime | None = Field(None, description="A time to filter by; left out: when the step began")
    links: list[str] = Field(default_factory=list, description="Ids of memories that it points to")
    data: dict[str, Any] | None = Field(None, description="What is handed back with it; left out: the item")
    vector: list[float] | None = Field(None, description="Its vector, where you have made one")
    model: Model | None = Field(
        None, description="Makes vectors of texts without one: `minilm`, `hashing` (for tests), or a folder's path"
    )


# The same ids hold the same afterwards, however often.
@node("memory.upsert", title="Remember", icon="brain", effects="idempotent")
async def upsert(items: Items, params: UpsertParams, ctx: Context) -> AsyncIterator[Item]:
    """Put a memory for each item into an index, or replace those with the same ids, and pass the items on with
    `memory`, its id.

    Items are written in batches of some hundred, each whole or not at all; a batch that was written stays, even if the
    machine dies. All vectors of an index come from one model.
    """
    async for batch in batches(items, ctx):
        given = [(item, await ctx.params_for(params, number)) for number, item in batch]
        vectors: dict[int, bytes] = {}
        for model in sorted({each.model for _, each in given if each.model and each.vector is None}):
            wanted = [at for at, (_, each) in enumerate(given) if each.model == model and each.vector is None]
            made = await embed([given[at][1].text for at in wanted], model, ctx.cancel)
            vectors |= dict(zip(wanted, made, strict=True))
        memories: dict[Path, list[tuple[Memory, UpsertParams]]] = {}
        named: list[tuple[Item, str]] = []
        for at, (item, each) in enumerate(given):
            id = each.id or blake2b(each.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
            memory = Memory(
                id=id,
                text=each.text,
                tags=each.tags,
                time=each.time or ctx.now,
                links=each.links,
                data=item.json if each.data is None else each.data,
                vector=each.vector if each.vector is not None else vectors.get(at),
            )
            memories.setdefault(each.place(), []).append((memory, each))
            named.append((item, id))
        for group in memories.values():
            index = await opened(group[0][1], create=True)
            await index.upsert([memory for memory, _ in group])
        for item, id in named:
            yield Item({**item.json, "memory": id}, item.binary, item.sources)
