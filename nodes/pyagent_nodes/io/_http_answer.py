"""An answer: its body in memory or a file, what kind of body it is, and the items it becomes."""

from __future__ import annotations

import asyncio
import codecs
import mimetypes
import os
import re
import tempfile
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal
from urllib.parse import unquote

import httpx
import orjson

from pyagent.sdk import Context, Item, JsonObject
from pyagent.sdk.charsets import charset
from pyagent.sdk.fields import MISSING, read_field, with_field
from pyagent_nodes.io._http_errors import HttpContent, HttpEncoding
from pyagent_nodes.io._http_request import Request
from pyagent_nodes.io.http import HttpParams

_IN_MEMORY = 1 << 20
"""Larger bodies go to a file as they come."""
_LONG = 256 * 1024
"""Bodies that are parsed in a thread."""
_TEXT = re.compile(
    r"text/.*|application/(javascript|ecmascript|xml|x-www-form-urlencoded|graphql|sql|yaml|x-yaml|toml|x-ndjson"
    r"|jsonl|x-sh)|.*\+(xml|yaml)"
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}encoding=["']([\w.:-]+)|<meta[^>]{0,200}charset=["']?([\w.:-]+)""", re.I)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip

Kind = Literal["json", "text", "binary", "nothing"]


@dataclass(kw_only=True)
class Answer:
    """Status, headers and body of one response."""

    status: int
    reason: str
    url: str
    """Where it came from in the end, without secrets."""
    shown: str
    headers: httpx.Headers
    request: Request
    size: int = 0
    _memory: bytearray = field(default_factory=bytearray)
    _path: Path | None = None
    _file: BinaryIO | None = None

    @classmethod
    def of(cls, response: httpx.Response, request: Request) -> Answer:
        """Of a response whose body is not read yet."""
        return cls(
            status=response.status_code,
            reason=response.reason_phrase,
            url=request.login.hide(str(request.url)),
            shown=request.shown,
            headers=response.headers,
            request=request,
        )

    async def add(self, piece: bytes, ctx: Context) -> None:
        """Take the next piece of the body."""
        self.size += len(piece)
        self._memory += piece
        if len(self._memory) < _IN_MEMORY:
            return
        if self._file is None:
            folder = await asyncio.to_thread(lambda: ctx.work_dir)
            self._path, self._file = await asyncio.to_thread(_temporary, folder)
        await asyncio.to_thread(self._file.write, self._memory)
        self._memory = bytearray()

    def discard(self) -> None:
        """Remove the body's file; more than once does no harm."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    @property
    def fraction(self) -> float | None:
        """How much of the body is there, if the server says how long it is."""
        told = self.headers.get("content-length", "")
        return min(1.0, self.size / int(told)) if told.isascii() and told.isdigit() and int(told) else None

    @property
    def media_type(self) -> str:
        """The media type without its parameters; empty if the server says none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def excerpt(self, most: int) -> str:
        """The beginning of a body, for an error; of what is no text nothing."""
        if self.media_type and not _TEXT.fullmatch(self.media_type) and "json" not in self.media_type:
            return ""
        return self.request.login.hide(bytes(self._memory[:most]).decode("utf-8", "replace")).replace("\0", "")

    def kind(self, params: HttpParams) -> Kind:
        """What the body is taken for."""
        if params.as_ != "auto":
            return params.as_
        if not self.size:
            return "nothing"
        found = self.media_type
        if found in ("application/json", "text/json") or found.endswith("+json") or params.split is not None:
            return "json"
        if _TEXT.fullmatch(found) or (params.encoding and not found):
            return "text"
        if found or self._file is not None:
            return "binary"
        try:
            self._memory.decode()
        except UnicodeDecodeError:
            return "binary"
        return "text"

    async def value(self, params: HttpParams) -> Any:
        """The body as JSON or text; None for no body. Raises `HttpContent`, `HttpEncoding`."""
        kind = self.kind(params)
        empty = self.status in (204, 205, 304) or self.request.method == "HEAD"
        if not self.size and (kind == "nothing" or empty):
            return None
        if self._file is not None:
            return await asyncio.to_thread(self._parse, kind, params)
        return await asyncio.to_thread(self._parse, kind, params) if self.size > _LONG else self._parse(kind, params)

    def _content(self) -> bytes:
        if self._file is None or self._path is None:
            return bytes(self._memory)
        self._file.write(self._memory)
        self._file.flush()
        self._memory = bytearray()
        return self._path.read_bytes()

    def _parse(self, kind: Kind, params: HttpParams) -> Any:
        content = self._content()
        text = self._decode(content, params.encoding, kind)
        if kind != "json":
            return text
        try:
            # Not the standard library's: what this refuses (NaN, halves of characters) the store could not keep.
            return orjson.loads(text)
        except ValueError as error:
            said = " ".join(self.request.login.hide(text[:120]).split())
            raise HttpContent(
                f"{self.shown} sent what is not JSON: {error}; it begins with {said!r}"
                if text.strip()
                else f"{self.shown} sent nothing where JSON was expected",
                details={"media_type": self.media_type},
            ) from error

    def _decode(self, content: bytes, encoding: str, kind: Kind) -> str:
        for mark, name in _MARKS:
            if content.startswith(mark):
                encoding = name
                break
        encoding = encoding or self._said(content, kind)
        try:
            return content.decode(charset(encoding)).removeprefix("\ufeff")
        except LookupError as error:
            raise HttpEncoding(f"{self.shown} names an encoding that does not exist: {encoding[:60]!r}") from error
        except UnicodeDecodeError as error:
            raise HttpEncoding(
                f"{self.shown} is not {encoding} text: byte {error.start} does not fit",
                details={"encoding": encoding, "byte": error.start},
            ) from error

    def _said(self, content: bytes, kind: Kind) -> str:
        """The encoding by the header, by the text itself (HTML, XML), or utf-8."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        if said := message.get_content_charset():
            return said
        if kind == "text" and (found := _DECLARED.search(content[:2048])):
            return (found[1] or found[2]).decode("ascii")
        return "utf-8"

    async def blob(self, item: Item, params: HttpParams, ctx: Context) -> tuple[JsonObject, Item]:
        """Keep the body as a blob: what is known of it, and the item that holds it."""
        name = self._name()
        media_type = self.media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        if self._file is None or self._path is None:
            ref = await ctx.blobs.put(bytes(self._memory), name=name, media_type=media_type)
        else:
            self._file.write(self._memory)
            self._file.close()
            ref = await ctx.blobs.put(self._path, name=name, media_type=media_type)
        said: JsonObject = {
            "url": self.url, "status": self.status, "name": name, "size": self.size, "media_type": media_type,
        }  # fmt: skip
        return said, Item({}, {**((item.binary or {}) if params.into else {}), params.binary: ref}, item.sources)

    def _name(self) -> str:
        message = Message()
        message["content-disposition"] = self.headers.get("content-disposition", "")
        given = message.get_filename() or unquote(PurePosixPath(self.request.url.path).name)
        name = re.sub(r"[\x00-\x1f\x7f]", "", given.replace("\\", "/").rpartition("/")[2]).strip(". ")
        return name[:200] or "download"

    def head(self) -> JsonObject:
        """`{url, status, headers}`; header names are in lower case, repeated ones are joined."""
        hide = self.request.login.hide
        return {
            "url": self.url,
            "status": self.status,
            "headers": {name: hide(value) for name, value in self.headers.items()},
        }


def rows_of(value: Any, params: HttpParams) -> list[Any] | None:
    """The rows in a JSON body: the list at `split`, or the body if it is a list; None if there are none.

    Raises `HttpContent` where `split` names no list.
    """
    if params.split is not None:
        rows = read_field(value, params.split)
        if rows is MISSING or rows is None:
            raise HttpContent(f"the answer has no field {params.split} (`split`)")
        if not isinstance(rows, list):
            raise HttpContent(f"the answer's {params.split} (`split`) is no list")
        return rows
    return value if isinstance(value, list) else None


async def items_of(answer: Answer, value: Any, item: Item, params: HttpParams, ctx: Context) -> list[Item]:
    """The items of one answer whose body, if it is no binary, is `value`."""
    whole = params.full or params.method == "HEAD"
    made = Item({}, item.binary if params.into else None, item.sources)
    kind = answer.kind(params)
    if kind == "binary" and params.method != "HEAD":
        value, made = await answer.blob(item, params, ctx)
    if whole:
        rows: list[Any] = [{**answer.head(), "body": value}]
    elif kind == "json" and (found := rows_of(value, params)) is not None and (params.into is None or params.split):
        rows = found
    else:
        rows = [
            value if params.into is not None or kind == "binary" else {"content": value} if kind == "text" else value
        ]
        if rows == [None] and params.into is None:
            rows = [{}]
    return [Item(_json(row, item, params), made.binary, made.sources) for row in rows]


def _json(row: Any, item: Item, params: HttpParams) -> JsonObject:
    if params.into is not None:
        return with_field(item.json, params.into, row)
    return row if isinstance(row, dict) else {"value": row}


def _temporary(folder: Path) -> tuple[Path, BinaryIO]:
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".http-", suffix=".part")
    return Path(name), os.fdopen(descriptor, "wb")
