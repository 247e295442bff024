"""`io.write_file`: items become files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, NodeError, NodeParams, node
from pyagent.sdk.fields import PATH
from pyagent_nodes.io._files import BadEncoding, WrongKind, binary_of, file_error, resolve


class WriteFileParams(NodeParams):
    """Parameters of `io.write_file`."""

    path: str = Field(
        min_length=1,
        description="The file; `~` is your home, relative paths start at the run's own directory, which goes with it",
        json_schema_extra=PATH,
    )
    as_: Literal["text", "json", "binary"] = Field("text", alias="as", description="What is written")
    content: Any = Field(
        None, description="Text, or any JSON value; JSON left out: the whole item", examples=["{{ $json.report }}"]
    )
    binary: str = Field("file", min_length=1, description="Binary: which of the item's binaries")
    encoding: str = Field("utf-8", description="For text")
    indent: int | None = Field(2, ge=0, le=16, description="For JSON: spaces a level; null: all on one line")
    exists: Literal["replace", "keep", "fail"] = Field("replace", description="What if the file is there already")
    make_dirs: bool = Field(True, description="Make the directories on the way")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.as_ == "binary" and self.content is not None:
            raise ValueError("binary content comes from the item: name it with `binary`, not with `content`")
        return self


# Overwriting a file with the same content may be repeated.
@node("io.write_file", title="Write a file", icon="file-output", effects="idempotent", each_item=True)
async def write_file(item: Item, params: WriteFileParams, ctx: Context) -> Item:
    """Write a file whole or not at all, and pass the item on with `path`, `size` and `written`.

    The content goes to a temporary file beside it, which then takes its name: no reader ever sees half a file, and
    a crash leaves the old one. The file's permissions stay.
    """
    base = await asyncio.to_thread(lambda: ctx.work_dir)
    path = resolve(params.path, base)
    content = await _bytes(item, params, ctx)
    try:
        written = await asyncio.to_thread(_write, path, content, params)
    except OSError as error:
        raise file_error(error, path) from error
    # Once is enough: not for each of many items.
    if path.is_relative_to(base) and all(source.item == 0 for source in item.sources):
        ctx.log(f"{params.path} is in the run's own directory and goes when the run ends: a full path keeps a file")
    said = {"path": str(path), "size": len(content), "written": written}
    return Item({**item.json, **said}, item.binary, item.sources)


async def _bytes(item: Item, params: WriteFileParams, ctx: Context) -> bytes:
    if params.as_ == "binary":
        return await ctx.blobs.get(binary_of(item, params.binary))
    if params.as_ == "json":
        value = item.json if params.content is None else params.content
        try:
            return (json.dumps(value, ensure_ascii=False, indent=params.indent, allow_nan=False) + "\n").encode()
        except (TypeError, ValueError) as error:
            raise NodeError(
                f"the content is not JSON: {error}", code="node.file_content", hint="Correct `content`."
            ) from error
    if not isinstance(params.content, str):
        raise NodeError(
            f"`content` is {type(params.content).__name__}, not text",
            code="node.file_content",
            hint="Give text, or write it `as: json`.",
        )
    try:
        return params.content.encode(params.encoding)
    except LookupError as error:
        raise BadEncoding(f"there is no encoding {params.encoding!r}") from error
    except UnicodeEncodeError as error:
        raise BadEncoding(f"{params.encoding} has no {params.content[error.start]!r}") from error


def _write(path: Path, content: bytes, params: WriteFileParams) -> bool:
    """Write the file; False if it was there and stays."""
    path = path.resolve()  # a symbolic link stays one: its target is replaced
    if path.is_dir():
        raise WrongKind(f"{path} is a directory")
    if params.make_dirs:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fchmod(descriptor, _mode(path))
            os.fsync(descriptor)
        if params.exists == "replace":
            temporary.replace(path)
        else:
            # A link, unlike a rename, fails when somebody else was faster.
            try:
                os.link(temporary, path)
            except FileExistsError:
                # The same content: an earlier try of this step wrote it.
                if params.exists == "fail" and path.read_bytes() != content:
                    raise NodeError(
                        f"{path} exists", code="node.file_exists", hint="Name another, or set `exists`."
                    ) from None
                return False
        _sync(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return True


def _mode(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mode & 0o7777
    return 0o666 & ~_umask()


def _umask() -> int:
    # Reading the umask means setting it, which other threads would notice: Linux shows it too.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _sync(directory: Path) -> None:
    """Make the new name durable, where directories can be synced."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
