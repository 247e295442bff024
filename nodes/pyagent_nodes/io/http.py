"""`io.http`: ask a web service, page by page if it has pages; answers become items."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Literal, Self, TypeAlias

from pydantic import ByteSize, Field, field_validator, model_validator

from pyagent.sdk import Context, Effects, Item, NodeParams, node
from pyagent.sdk.fields import Duration, FieldPath

Scalar: TypeAlias = str | int | float | bool | None


class File(NodeParams):
    """A part of a form that holds one of the item's binaries."""

    binary: str = Field(min_length=1, description="Name under which the item holds it")
    name: str = Field("", description="File name to send; empty: the binary's own")


class HttpAuth(NodeParams):
    """Who asks: a credential, and where it goes."""

    credential: str = Field(
        min_length=1,
        description="Name of the credential. Its fields: `token` (bearer), `user` and `password` (basic), `name` "
        "and `value` (header, query); `hosts`, if there, names the only hosts that get it",
    )
    as_: Literal["bearer", "basic", "header", "query"] = Field("bearer", alias="as", description="Where it goes")
    name: str = Field("", description="Name of the header or query parameter; empty: the credential's `name`")


class HttpBody(NodeParams):
    """What is sent; exactly one form of it."""

    json_: Any = Field(None, alias="json", description="Any JSON value", examples=["{{ $json }}"])
    form: dict[str, Scalar | list[Scalar]] | None = Field(None, description="Fields of a URL-encoded form")
    multipart: dict[str, Scalar | File] | None = Field(
        None, description="Fields and files of a form", examples=[{"title": "Plan", "file": {"binary": "pdf"}}]
    )
    text: str | None = Field(None, description="Text, sent as UTF-8")
    binary: str | None = Field(None, min_length=1, description="One of the item's binaries, by its name")
    media_type: str = Field("", description="Content-Type; empty: what fits the form")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set - {"media_type"}) != 1:
            raise ValueError("give one of json, form, multipart, text and binary")
        if self.media_type and self.multipart is not None:
            raise ValueError("multipart makes its own media type")
        return self


class HttpTimeouts(NodeParams):
    """How long to wait, each time."""

    connect: Duration = Field(default=timedelta(seconds=10), description="For a connection, name and TLS included")
    read: Duration = Field(default=timedelta(seconds=60), description="For the next bytes of the answer")
    whole: Duration = Field(
        default=timedelta(minutes=5), description="For a request, its redirects and all of its answer"
    )


class HttpPaging(NodeParams):
    """How to get the next page, and when to stop.

    It ends where there is no next page, where a page has no rows, and, with a warning in the log, where a page or
    address comes a second time.
    """

    by: Literal["link", "next_url", "cursor", "page", "offset"] = Field(
        description="`link`: the address with rel=next in the Link header (RFC 8288); `next_url`: an address in the "
        "body; `cursor`: a value of the body that the next request sends; `page`: a number that grows by one; "
        "`offset`: a number that grows by the page's rows"
    )
    path: FieldPath | None = Field(None, description="`next_url`, `cursor`: where it is in the body")
    name: str = Field("", description="What the cursor, page or offset is called in the request; empty: as `by` says")
    into: Literal["query", "body"] = Field("query", description="Where it is sent: in the query or the JSON body")
    start: int = Field(1, ge=0, description="Number of the first page; the first offset is 0")
    more: FieldPath | None = Field(None, description="Field of the body that says whether there are more pages")
    size: int | None = Field(None, ge=1, description="Rows of a full page; one with fewer is the last")
    pause: Duration = Field(timedelta(), description="Between two pages")
    max_pages: int = Field(100, ge=1, description="How many pages at most")
    beyond: Literal["fail", "stop"] = Field("fail", description="What if there are more pages than that")
    max_size: ByteSize = Field(ByteSize(256 * 1024 * 1024), description="How much all pages may be together")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.by in ("next_url", "cursor") and self.path is None:
            raise ValueError(f"`by: {self.by}` needs `path`: where it is in the body")
        return self


class HttpTls(NodeParams):
    """Whom to trust."""

    certificates: str = Field(default="", description="PEM file of authorities to trust besides the usual ones")
    verify: bool = Field(default=True, description="Whether the server must prove who it is; off: anybody may be it")


class HttpParams(NodeParams):
    """Parameters of `io.http`."""

    url: str = Field(min_length=1, description="Where: http:// or https://", examples=["https://api.example.org/v1"])
    method: Literal["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"] = Field("GET", description="How")
    query: dict[str, Scalar | list[Scalar]] = Field({}, description="Added to the address; null leaves one out")
    headers: dict[str, str] = Field({}, description="Headers; secrets belong into `auth`")
    auth: HttpAuth | None = Field(None, description="Who asks")
    body: HttpBody | None = Field(None, description="What is sent")
    idempotency_header: str = Field(
        "",
        description="Header that gets a key which is the same for every try, for services that then do a POST or "
        "PATCH once only; the node may then be repeated",
        examples=["Idempotency-Key"],
    )
    as_: Literal["auto", "json", "text", "binary"] = Field(
        "auto", alias="as", description="What the answer is; `auto`: as its Content-Type says"
    )
    encoding: str = Field("", description="Encoding of a text; empty: what the answer says, else utf-8")
    split: FieldPath | None = Field(None, description="The list in a JSON answer whose elements become items")
    into: FieldPath | None = Field(
        None, description="Field of the item that gets the answer; left out: the answer is the new item"
    )
    binary: str = Field("file", min_length=1, description="Binary answers: the name under which the item holds it")
    full: bool = Field(False, description="Give `{url, status, headers, body}` instead of the body alone")
    success: list[str | int] = Field(
        ["2xx"], min_length=1, description="Statuses that are no error: numbers, `2xx` for all of them, `xxx` for any"
    )
    redirects: int = Field(5, ge=0, le=50, description="How many redirects to follow; the body goes along (307, 308)")
    retry_after: Duration = Field(
        timedelta(minutes=1),
        description="How long to wait in all where the server is busy (429, 503) and says when to come again",
    )
    timeouts: HttpTimeouts = Field(HttpTimeouts(), description="How long to wait")
    max_size: ByteSize = Field(ByteSize(16 * 1024 * 1024), description="Largest answer", examples=["1 GiB"])
    paging: HttpPaging | None = Field(None, description="For answers in pages: how to get them all")
    tls: HttpTls = Field(HttpTls(), description="Whom to trust")
    trace: bool = Field(
        True, description="Send `traceparent` (W3C), where the run is part of a trace: the service can go on with it"
    )

    @field_validator("success")
    @classmethod
    def _statuses(cls, value: list[str | int]) -> list[str | int]:
        for one in value:
            text = str(one).lower()
            if len(text) != 3 or any(sign not in "0123456789x" for sign in text) or text[0] in "06789":
                raise ValueError(f"{one!r} is no status: write e.g. 404, 2xx or xxx")
        return value

    @field_validator("headers")
    @classmethod
    def _framing(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in ("content-length", "transfer-encoding", "connection"):
                raise ValueError(f"the node itself sets {name}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.split is not None and (self.full or self.as_ in ("text", "binary")):
            raise ValueError("`split` needs a JSON body: leave out `full`, and `as` text or binary")
        if self.paging is not None:
            if self.as_ == "binary":
                raise ValueError("binary answers have no pages")
            if self.paging.into == "body" and (self.body is None or "json_" not in self.body.model_fields_set):
                raise ValueError("`paging.into: body` needs `body: {json: …}`")
        return self


def must_not_repeat(params: HttpParams) -> bool:
    """Whether doing the request twice may do twice what it does; a method that is still an expression may."""
    safe = params.method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
    return not safe and not params.idempotency_header


def _effects(params: HttpParams) -> Effects:
    return "once" if must_not_repeat(params) else "idempotent"


@node("io.http", title="HTTP request", icon="globe", effects=_effects, each_item=True, concurrency=4)
async def http(item: Item, params: HttpParams, ctx: Context) -> list[Item]:
    """Send an HTTP request for each item, four at a time, and make items of the answers.

    A JSON object becomes the new item, a list one item for each element (`split` names a list inside), text goes to
    `content`, anything else to a blob, whose item says `{url, status, name, size, media_type}`. With `into` the item
    stays and gets the answer as a field. HEAD, and `full`, give `{url, status, headers, body}`.

    Addresses of this machine and its networks are refused unless the setting PYAGENT_ALLOW_PRIVATE names them, after
    a redirect too; proxies of the environment are not used. A redirect to another origin loses credentials and
    cookies. A POST or PATCH whose answer is lost is `unknown` unless `idempotency_header` is set.
    """
    from pyagent_nodes.io._http_paging import all_pages

    working = asyncio.create_task(all_pages(item, params, ctx))
    asked = asyncio.create_task(ctx.cancel.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        ctx.cancel.check()
        return await working
    finally:
        asked.cancel()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
