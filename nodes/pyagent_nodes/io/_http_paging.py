"""Page after page: which request comes next, and when it is enough."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any

import httpx

from pyagent.sdk import Context, Item
from pyagent.sdk.fields import read_field
from pyagent.sdk.http_client import BadCoding, BodyTooLarge
from pyagent_nodes.io._http_answer import Answer, items_of, rows_of
from pyagent_nodes.io._http_errors import HttpContent, HttpEncoding, HttpPages, HttpUnknown
from pyagent_nodes.io._http_request import Request, first_request, parse_url, with_body_field
from pyagent_nodes.io._http_send import Sender
from pyagent_nodes.io.http import HttpPaging, HttpParams, must_not_repeat

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~-]+\*?(?:\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s\";,]+))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.IGNORECASE)


async def all_pages(item: Item, params: HttpParams, ctx: Context) -> list[Item]:
    """Ask for the first page, and with `paging` for those after it; the items of all."""
    request = await first_request(item, params, ctx)
    async with Sender.open(params, ctx) as sender:
        try:
            if params.paging is None:
                answer = await sender.send(_keyed(request, params, ctx, 0))
                return await _items(answer, item, params, ctx)
            return await _Pages(params, params.paging, ctx, sender).read(request, item)
        except (BadCoding, BodyTooLarge, HttpContent, HttpEncoding) as error:
            if not must_not_repeat(params):
                raise
            # It was done: a failure would let the node's `retry` do it again.
            raise HttpUnknown(f"the {params.method} was done, but: {error.message}", details=error.details) from error


async def _items(answer: Answer, item: Item, params: HttpParams, ctx: Context) -> list[Item]:
    try:
        value = None if answer.kind(params) == "binary" else await answer.value(params)
        return await items_of(answer, value, item, params, ctx)
    finally:
        answer.discard()


def _keyed(request: Request, params: HttpParams, ctx: Context, page: int) -> Request:
    if not params.idempotency_header:
        return request
    key = ctx.idempotency_key if not page else f"{ctx.idempotency_key}:{page}"
    return replace(request, headers={**request.headers, params.idempotency_header: key})


@dataclass
class _Pages:
    """The pages of one item."""

    params: HttpParams
    paging: HttpPaging
    ctx: Context
    sender: Sender

    async def read(self, request: Request, item: Item) -> list[Item]:
        """All pages' items, in order."""
        items: list[Item] = []
        seen: set[bytes] = set()
        size = rows_before = 0
        first = request
        if self.paging.by == "page":
            request = self._with(first, self.paging.start)
        elif self.paging.by == "offset":
            request = self._with(first, 0)
        for page in range(self.paging.max_pages):
            seen.add(_mark(request))
            answer = await self.sender.send(_keyed(request, self.params, self.ctx, page))
            size += answer.size
            try:
                if size > self.paging.max_size:
                    raise HttpPages(
                        f"the pages are more than {self.paging.max_size} bytes together (`paging.max_size`)",
                        hint="Raise `paging.max_size`, or ask for less.",
                    )
                if answer.kind(self.params) == "binary":
                    raise HttpContent(f"page {page + 1} is {answer.media_type}; pages are JSON or text")
                value = await answer.value(self.params)
                rows = rows_of(value, self.params) if answer.kind(self.params) == "json" else None
                # Where pages are counted, a server that does not count gives the same page for ever.
                if self.paging.by in ("page", "offset") and rows:
                    if (mark := _content_mark(rows)) in seen:
                        self.ctx.log(f"page {page + 1} repeats an earlier one: it is the end", level="warning")
                        return items
                    seen.add(mark)
                items += await items_of(answer, value, item, self.params, self.ctx)
            finally:
                answer.discard()
            self.ctx.progress(None, f"page {page + 1}, {len(items)} items")
            rows_before += len(rows or ())
            following = self._next(first, request, answer, value, rows, page, rows_before)
            if following is None:
                return items
            if _mark(following) in seen:
                self.ctx.log(f"after page {page + 1} an earlier one would follow: it is the end", level="warning")
                return items
            request = following
            await self.sender.pause(self.paging.pause.total_seconds())
        if self.paging.beyond == "fail":
            raise HttpPages(f"there are more than {self.paging.max_pages} pages", details={"items": len(items)})
        self.ctx.log(f"there are more than {self.paging.max_pages} pages; the others are left", level="warning")
        return items

    def _next(
        self,
        first: Request,
        request: Request,
        answer: Answer,
        value: Any,
        rows: list[Any] | None,
        page: int,
        rows_before: int,
    ) -> Request | None:
        """The request for the page after `answer`, or None."""
        paging = self.paging
        if paging.more is not None and not read_field(value, paging.more, None):
            return None
        if rows is not None and (not rows or (paging.size is not None and len(rows) < paging.size)):
            return None
        match paging.by:
            case "link":
                link = _next_link(answer.headers.get_list("link"))
                return None if link is None else self._to(request, link)
            case "next_url":
                link = read_field(value, paging.path or "", None)
                if link in (None, "", False):
                    return None
                if not isinstance(link, str):
                    raise HttpPages(f"{paging.path} is no address", hint="Name the field of the next address.")
                return self._to(request, link)
            case "cursor":
                cursor = read_field(value, paging.path or "", None)
                if cursor in (None, "", False):
                    return None
                if not isinstance(cursor, str | int | float):
                    raise HttpPages(f"{paging.path} is no cursor", hint="Name the field of the next cursor.")
                return self._with(first, cursor)
            case "page" | "offset":
                if rows is None and paging.more is None:
                    raise HttpPages(
                        "the answer is no list, so its pages have no end",
                        hint="Name the list in `split`, or in `paging.more` the field that says whether there is more.",
                    )
                return self._with(first, paging.start + page + 1 if paging.by == "page" else rows_before)

    def _with(self, request: Request, value: str | float) -> Request:
        """The request with the cursor, page or offset set."""
        name = self.paging.name or self.paging.by
        if self.paging.into == "body":
            return with_body_field(request, self.params, name, value)
        return request.to(request.url.copy_set_param(name, value))

    def _to(self, request: Request, link: str) -> Request:
        try:
            url = request.url.join(link)
        except httpx.InvalidURL as error:
            raise HttpPages(f"the next page's address is not valid: {error}", hint="The server is at fault.") from error
        return request.to(parse_url(str(url)))


def _next_link(values: list[str]) -> str | None:
    """The address of the relation `next` in Link headers (RFC 8288)."""
    for value in values:
        for found in _LINK.finditer(value[:16_384]):
            relation = _REL.search(found[2])
            if relation is not None and "next" in (relation[1] or relation[2]).lower().split():
                return found[1]
    return None


def _mark(request: Request) -> bytes:
    content = request.content if isinstance(request.content, bytes) else b""
    return hashlib.sha256(str(request.url).encode() + b"\n" + content).digest()


def _content_mark(value: Any) -> bytes:
    import orjson

    return hashlib.sha256(orjson.dumps(value)).digest()
