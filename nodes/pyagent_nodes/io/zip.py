"""`io.zip`: files that items hold become one ZIP archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath
from typing import Self

from pydantic import ByteSize, Field, model_validator

from pyagent.sdk import BlobRef, Context, Item, Items, NodeError, NodeParams, node
from pyagent.sdk.threads import in_thread
from pyagent_nodes.io._archive import ZipTooLarge
from pyagent_nodes.io._files import binary_of

_MEBIBYTE = 1024 * 1024
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that ZIP knows: the same files give the same bytes."""


class ZipParams(NodeParams):
    """Parameters of `io.zip`."""

    binary: str = Field("file", min_length=1, description="Which of the items' binaries are packed; `*`: all of them")
    path: str = Field(
        "", description="Path in the archive, item by item; left out: the file's name", examples=["{{ $json.path }}"]
    )
    name: str = Field("archive.zip", min_length=1, description="The archive's name")
    into: str = Field("file", min_length=1, description="The name under which the new item holds the archive")
    level: int = Field(6, ge=0, le=9, description="0 stores, 9 packs best")
    max_total: ByteSize = Field(ByteSize(512 * _MEBIBYTE), description="All files together, before packing")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.binary == "*" and self.path:
            raise ValueError("`path` names one file: choose one binary, or leave it out")
        if any(character in self.name for character in "/\\\0"):
            raise ValueError("`name` is a file's name without folders")
        return self


class ZipPath(NodeError):
    """A path cannot stand in an archive, or stands there already."""

    code = "node.zip_path"
    hint = "Give each item a path of its own with `path`, without `..` and without a leading slash."


@node("io.zip", title="Zip", icon="package", effects="none")
async def zip(items: Items, params: ZipParams, ctx: Context) -> list[Item]:
    """Pack the files that the items hold into one ZIP archive.

    The new item holds the archive and says `{name, size, files}`; it comes from all items. Files keep the order of
    the items and have no times: the same files give the same bytes.
    """
    raw = io.BytesIO()
    taken: set[str] = set()
    total = 0
    with zipfile.ZipFile(raw, "w") as archive:
        for index, item in enumerate(items):
            ctx.cancel.check()
            ctx.progress(index / len(items))
            given = (await ctx.params_for(params, index)).path
            for ref in _files(item, params):
                total += ref.size
                if total > params.max_total:
                    raise ZipTooLarge(
                        f"the files are larger than {params.max_total.human_readable()} together (`max_total`)"
                    )
                path = _path(given or ref.name or ref.digest[:16], taken)
                content = await ctx.blobs.get(ref)
                entry = zipfile.ZipInfo(path, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED if params.level else zipfile.ZIP_STORED
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                await in_thread(
                    lambda check, entry=entry, content=content: archive.writestr(
                        entry, content, compresslevel=params.level
                    ),
                    ctx.cancel,
                )
    content = raw.getvalue()
    ref = await ctx.blobs.put(content, name=params.name, media_type="application/zip")
    sources = tuple(source for item in items for source in item.sources)
    return [Item({"name": params.name, "size": len(content), "files": len(taken)}, {params.into: ref}, sources)]


def _files(item: Item, params: ZipParams) -> list[BlobRef]:
    return list((item.binary or {}).values()) if params.binary == "*" else [binary_of(item, params.binary)]


def _path(given: str, taken: set[str]) -> str:
    pure = PurePosixPath(given.replace("\\", "/"))
    path = str(pure)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in given or ":" in pure.parts[0]:
        raise ZipPath(f"{given!r} is no path in an archive")
    if path in taken:
        raise ZipPath(f"two files have the path {path!r}")
    taken.add(path)
    return path
