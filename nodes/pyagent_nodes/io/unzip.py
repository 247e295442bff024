"""`io.unzip`: the files of a ZIP archive become items."""

from __future__ import annotations

import fnmatch
import mimetypes
from pathlib import PurePosixPath

from pydantic import ByteSize, Field

from pyagent.sdk import Context, Item, JsonObject, NodeParams, node
from pyagent.sdk.threads import in_thread
from pyagent_nodes.io._archive import ZipLimits, ZipReader, ZipTooLarge
from pyagent_nodes.io._files import binary_of

_MEBIBYTE = 1024 * 1024


class UnzipParams(NodeParams):
    """Parameters of `io.unzip`."""

    binary: str = Field("file", min_length=1, description="Which of the item's binaries is the archive")
    match: str = Field("*", min_length=1, description="Only files whose path matches", examples=["*.csv", "data/*"])
    into: str = Field("file", min_length=1, description="The name under which each new item holds its file")
    names: str = Field(
        "auto", description="Encoding of names that are not marked as UTF-8; `auto`: UTF-8 if they fit it, else cp437"
    )
    max_size: ByteSize = Field(ByteSize(256 * _MEBIBYTE), description="Largest archive")
    max_files: int = Field(1_000, ge=1, description="Most files in it")
    max_file: ByteSize = Field(ByteSize(128 * _MEBIBYTE), description="Largest file, unpacked")
    max_total: ByteSize = Field(ByteSize(512 * _MEBIBYTE), description="All files together, unpacked")
    max_ratio: int = Field(
        200, ge=1, description="How many times larger than packed a file of 1 MiB or more may be; bombs are far above"
    )


@node("io.unzip", title="Unzip", icon="folder-archive", effects="none", each_item=True)
async def unzip(item: Item, params: UnzipParams, ctx: Context) -> list[Item]:
    """Unpack a ZIP archive into one item for each file: `{path, name, size, media_type}` and the file as a binary.

    Nothing is written to the disk. An archive that holds links, encrypted files, paths that lead out of it, or more
    than the limits allow is refused as a whole. Folders and times are left out.
    """
    ref = binary_of(item, params.binary)
    if ref.size > params.max_size:
        raise ZipTooLarge(f"{ref.name or 'the archive'} is larger than {params.max_size.human_readable()} (`max_size`)")
    content = await ctx.blobs.get(ref)
    limits = ZipLimits(
        files=params.max_files, total=int(params.max_total), file=int(params.max_file), ratio=params.max_ratio
    )
    reader = await in_thread(lambda check: ZipReader(content, limits, ref.name, params.names), ctx.cancel)
    wanted = [member for member in reader.members if fnmatch.fnmatchcase(member.path, params.match)]
    made: list[Item] = []
    for number, member in enumerate(wanted):
        ctx.progress(number / len(wanted), member.path)
        unpacked = await in_thread(lambda check, member=member: reader.read(member, check), ctx.cancel)
        name = PurePosixPath(member.path).name
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = await ctx.blobs.put(unpacked, name=name, media_type=media_type)
        said: JsonObject = {"path": member.path, "name": name, "size": len(unpacked), "media_type": media_type}
        made.append(Item(said, {params.into: kept}, item.sources))
    return made
