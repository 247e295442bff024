"""What the memory nodes share: where an index is, models, batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from pyagent.sdk import Context, Item, Items, NodeParams
from pyagent.sdk.fields import FOLDER
from pyagent.sdk.memory import NAME, MemoryIndex, memory_folder

BATCH = 256
"""Items that are written, or embedded, at once."""

Model: TypeAlias = Annotated[str, Field(min_length=1, examples=["minilm"])]
"""An embedding model: `minilm`, `hashing` (for tests), or a folder's path."""


class IndexParams(NodeParams):
    """Which index."""

    index: str = Field("main", pattern=f"^{NAME}$", description="The index's name")
    folder: str | None = Field(
        None,
        description="Where indexes lie; left out: the folder of PYAGENT_MEMORY, or the user's data folder",
        json_schema_extra=FOLDER,
    )

    def place(self) -> Path:
        """The index's folder."""
        return memory_folder(self.index, Path(self.folder).expanduser() if self.folder else None)


async def opened(params: IndexParams, *, create: bool) -> MemoryIndex:
    """The index. Raises `NotFound`, `StoreError`, `InputError`."""
    return await MemoryIndex.open(params.place(), create=create)


async def batches(items: Items, ctx: Context) -> AsyncIterator[list[tuple[int, Item]]]:
    """The items with their numbers, some hundred at a time; ends when the step is cancelled."""
    batch: list[tuple[int, Item]] = []
    number = 0
    async for item in items:
        batch.append((number, item))
        number += 1
        if len(batch) == BATCH:
            ctx.cancel.check()
            yield batch
            batch = []
            ctx.progress(number / len(items))
    if batch:
        ctx.cancel.check()
        yield batch
