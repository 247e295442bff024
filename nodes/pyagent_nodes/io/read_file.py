"""`io.read_file`: files become items."""

from __future__ import annotations

import asyncio
import glob
import json
import mimetypes
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ByteSize, Field

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import PATH, FieldPath, with_field
from pyagent_nodes.io._files import BadEncoding, WrongKind, file_error, resolve


class ReadFileParams(NodeParams):
    """Parameters of `io.read_file`."""

    path: str = Field(
        min_length=1,
        description="The file; `~` is your home, relative paths start at the run's own directory. With `glob`: "
        "a pattern, `**` matching directories at any depth",
        json_schema_extra=PATH,
    )
    glob: bool = Field(False, description="Read every file that matches, in the order of their names")
    as_: Literal["text", "json", "binary", "none"] = Field(
        "text", alias="as", description="What the content is; `none`: it is not read, to list what is there"
    )
    encoding: str = Field("utf-8", description="For text and JSON")
    max_size: ByteSize = Field(ByteSize(16 * 1024 * 1024), description="Largest file to read", examples=["16 MiB"])
    max_files: int = Field(10_000, ge=1, description="With `glob`: how many matches at most")
    into: FieldPath = Field("content", description="Text and JSON: the field that gets the content")
    binary: str = Field("file", min_length=1, description="Binary: the name under which the item holds it")


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    content: bytes
    modified: float


# Like an HTTP GET: it may be repeated, and what it gives depends on the world.
@node("io.read_file", title="Read files", icon="file-input", effects="idempotent", each_item=True)
async def read_file(item: Item, params: ReadFileParams, ctx: Context) -> list[Item]:
    """Read a file, or all that match a pattern, into one item each: `{path, name, size, modified, content}`.

    Binary content becomes a blob that the item holds under the name `binary`. `as: none` gives all but the content.
    """
    base = await asyncio.to_thread(lambda: ctx.work_dir)
    path = resolve(params.path, base)
    if not params.glob:
        return [await _read(path, params, item, ctx)]
    paths = await asyncio.to_thread(_matches, path, params.max_files)
    if params.as_ == "none":
        listed = await asyncio.to_thread(lambda: [_listed(found) for found in paths])
        return [Item(fields, item.binary, item.sources) for fields in listed if fields is not None]
    made: list[Item] = []
    for number, found in enumerate(paths):
        ctx.cancel.check()
        ctx.progress(number / len(paths), found.name)
        made.append(await _read(found, params, item, ctx))
    return made


def _matches(pattern: Path, most: int) -> list[Path]:
    found: list[Path] = []
    for name in glob.iglob(str(pattern), recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
        if Path(name).is_file():
            found.append(Path(name))
            if len(found) > most:
                raise NodeError(
                    f"{pattern} matches more than {most} files",
                    code="node.file_count",
                    hint="Narrow the pattern, or raise `max_files`.",
                )
    return sorted(found)


async def _read(path: Path, params: ReadFileParams, item: Item, ctx: Context) -> Item:
    try:
        if params.as_ == "none":
            about = await asyncio.to_thread(_about, path)
            return Item(_fields(path, about.st_size, about.st_mtime), item.binary, item.sources)
        file = await asyncio.to_thread(_content, path, int(params.max_size))
    except OSError as error:
        raise file_error(error, path) from error
    fields = _fields(path, len(file.content), file.modified)
    if params.as_ == "binary":
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        ref = await ctx.blobs.put(file.content, name=path.name, media_type=media_type)
        return Item({**fields, "media_type": media_type}, {**(item.binary or {}), params.binary: ref}, item.sources)
    text = _text(file.content, path, params.encoding)
    return Item(
        with_field(fields, params.into, _json(text, path) if params.as_ == "json" else text), item.binary, item.sources
    )


def _fields(path: Path, size: int, modified: float) -> JsonObject:
    at = datetime.fromtimestamp(modified, UTC).isoformat()
    return {"path": str(path), "name": path.name, "size": size, "modified": at}


def _about(path: Path) -> os.stat_result:
    about = path.stat()
    _require_file(path, about)
    return about


def _listed(path: Path) -> JsonObject | None:
    """None for what went while we looked."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return _fields(path, about.st_size, about.st_mtime)


def _require_file(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        kind = "a directory" if stat.S_ISDIR(about.st_mode) else "no regular file"
        raise WrongKind(f"{path} is {kind}")


def _content(path: Path, most: int) -> _File:
    # Not blocking: opening a named pipe would wait for its writer for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        about = os.fstat(descriptor)
        _require_file(path, about)
        # Read one byte more than allowed: the size that was asked for above may have changed since.
        content = file.read(most + 1) if about.st_size <= most else b""
    if about.st_size > most or len(content) > most:
        raise NodeError(
            f"{path} is larger than {ByteSize(most).human_readable()}",
            code="node.file_size",
            hint="Raise `max_size`, or read it in a program of its own.",
            details={"size": about.st_size},
        )
    return _File(content=content, modified=about.st_mtime)


def _text(content: bytes, path: Path, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise BadEncoding(f"there is no encoding {encoding!r}") from error
    except UnicodeDecodeError as error:
        raise BadEncoding(
            f"{path} is not {encoding} text: byte {error.start} does not fit",
            hint="Name another `encoding`, or read it as binary.",
        ) from error
    return text.removeprefix("\ufeff")


def _json(text: str, path: Path) -> object:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NodeError(
            f"{path} is not JSON: {error}", code="node.file_json", hint="Correct the file, or read it as text."
        ) from error


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON value")
