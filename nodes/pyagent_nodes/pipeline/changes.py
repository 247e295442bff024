"""Keeps patches as blobs and describes what of them is in force."""

from __future__ import annotations

import asyncio

from pyagent.sdk import Context
from pyagent_nodes.pipeline import patches
from pyagent_nodes.pipeline.shapes import Blob, FileChange, Patch


async def describe_patch(
    ctx: Context,
    files: list[patches.FilePatch],
    texts: dict[str, str],
    reverted: list[str],
    *,
    notes: list[str] | None = None,
    round: int = 0,
    seconds: float = 0,
    blob: Blob | None = None,
) -> Patch:
    """Keep a patch as blobs and describe what of it is in force. `texts`: the originals by path."""
    if blob is None:
        ref = await ctx.blobs.put(patches.encode(files), name="patch.json", media_type="application/json")
        blob = Blob.of(ref)
    unified = await asyncio.to_thread(patches.unified, texts, files, reverted)
    diff = await ctx.blobs.put(unified.encode(), name="changes.patch", media_type="text/x-diff; charset=utf-8")
    changes: list[FileChange] = []
    for file in files:
        hunks, added, removed = patches.counts(file, reverted)
        if hunks:
            changes.append(FileChange(path=file.path, hunks=hunks, added=added, removed=removed))
    return Patch(
        blob=blob, diff=Blob.of(diff), files=changes, reverted=reverted, notes=notes or [], round=round,
        seconds=seconds,
    )  # fmt: skip
