"""Large payloads by their digest: whole or in ranges, streamed piece by piece."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncGenerator
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from pyagent.server.context import ServerContext, context_of
from pyagent.server.errors import Refused
from pyagent.server.openapi import content, errors
from pyagent.store.base import Store

PIECE = 256 * 1024
"""Bytes that are in memory at once."""
router = APIRouter(prefix="/api/v1/blobs", tags=["blobs"])
Server = Annotated[ServerContext, Depends(context_of)]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_NAME = Query(max_length=200, description="File name to save it under; its ending says what it is")
_ANSWERS = {
    **content("application/octet-stream", binary=True),
    206: {"description": "The range", "content": {"application/octet-stream": {"schema": {"type": "string"}}}},
    304: {"description": "It has not changed: it never does"},
    **errors(404, 416),
}


class BadRange(Refused):
    """The range lies outside of the content."""

    code = "server.range"
    hint = "`Content-Range` of this answer says how large it is."


@router.head("/{digest}", response_class=Response, responses=_ANSWERS)
async def look_at_blob(digest: Digest, request: Request, server: Server, name: Annotated[str, _NAME] = "") -> Response:
    """What `GET` would say of a payload, without it."""
    return await read_blob(digest, request, server, name)


@router.get("/{digest}", response_class=Response, responses=_ANSWERS)
async def read_blob(digest: Digest, request: Request, server: Server, name: Annotated[str, _NAME] = "") -> Response:
    """A payload by its digest, as it is; `Range` asks for a part of it."""
    store = server.engine.store
    size = await store.blob_size(digest)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": disposition(name or digest[:16]),
        # Whatever it is, it is nothing that this address vouches for.
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if digest in [
        tag.strip().removeprefix("W/").strip('"') for tag in request.headers.get("if-none-match", "").split(",")
    ]:
        return Response(status_code=304, headers=headers)
    begin, end, status = 0, size, 200
    if (asked := request.headers.get("range")) and request.headers.get("if-range", f'"{digest}"') == f'"{digest}"':
        found = range_of(asked, size)
        if found == ():
            raise BadRange(f"the content has {size} bytes", details={"size": size})
        if found is not None:
            begin, end, status = *found, 206
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - begin)
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(_pieces(store, digest, begin, end), status, headers, media_type)


async def _pieces(store: Store, digest: str, begin: int, end: int) -> AsyncGenerator[bytes]:
    while begin < end:
        piece = await store.read_blob(digest, begin, min(begin + PIECE, end))
        if not piece:
            return
        begin += len(piece)
        yield piece


def range_of(asked: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """The bytes from and up to which a `Range` asks for; None: for all of them; empty: for none that there are.

    Several ranges at once, and what is no range, ask for all (RFC 9110, 14.2).
    """
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        begin = max(size - int(last), 0)
        return (begin, size) if begin < size else ()
    if last and int(last) < int(first):
        return None
    begin = int(first)
    return (begin, min(int(last) + 1, size) if last else size) if begin < size else ()


def disposition(name: str) -> str:
    """A `Content-Disposition` that saves under this name, and nowhere else."""
    plain = re.sub(r"[\x00-\x1f\x7f/\\]", "_", name).strip(". ") or "blob"
    simple = re.sub(r"[^\w.() -]", "_", plain.encode("ascii", "replace").decode().replace("?", "_"))
    return f"attachment; filename=\"{simple}\"; filename*=UTF-8''{quote(plain, safe='')}"


__all__ = ["BadRange", "disposition", "range_of", "router"]
