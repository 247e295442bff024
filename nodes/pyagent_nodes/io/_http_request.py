"""From parameters to HTTP requests: address, headers, credential, body."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

from pyagent.sdk import BlobRef, Context, Item, NodeError
from pyagent.sdk.fields import with_field
from pyagent_nodes.io._http_errors import HttpBadAddress, HttpBadRequest, HttpCredential
from pyagent_nodes.io.http import File, HttpAuth, HttpBody, HttpParams

_ONLY_AT_HOME = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that stay with the origin they were meant for."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A credential, made ready: what is added to requests to its origin."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()

    def hide(self, text: str) -> str:
        """The text without the secrets, for errors and items."""
        for secret in (one for one in self.secrets if len(one) >= 4):
            for form in {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}:
                text = text.replace(form, "••••")
        return text


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; redirects and pages make others of it."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    login: Login
    home: tuple[str, str, int | None]
    """The origin that the credential is for."""
    content: bytes | BlobRef | None = None

    def build(self, client: httpx.AsyncClient, ctx: Context) -> httpx.Request:
        """The request as httpx sends it, with the credential if it goes home."""
        headers, url = dict(self.headers), self.url
        if origin(self.url) == self.home:
            headers.update(self.login.headers)
            if self.login.query:
                url = url.copy_merge_params(self.login.query)
        else:
            headers = {name: value for name, value in headers.items() if name.lower() not in _ONLY_AT_HOME}
        content = self.content
        if isinstance(content, BlobRef):
            headers["Content-Length"] = str(content.size)
            content = ctx.blobs.iter(content)
        try:
            return client.build_request(
                self.method,
                url,
                headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()],
                content=content,
            )
        except UnicodeEncodeError as error:
            raise HttpBadRequest("a header holds characters that headers cannot carry") from error

    def to(self, url: httpx.URL, method: str | None = None) -> Request:
        """The same request elsewhere; with another method, without its body."""
        if method is None or method == self.method:
            return replace(self, url=url)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("content-")}
        return replace(self, url=url, method=method, headers=headers, content=None)

    @property
    def shown(self) -> str:
        """The address for messages: without query, which may hold secrets."""
        return shown(self.url)


def shown(url: httpx.URL) -> str:
    """Origin and path of an address."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}{url.path}"[:300]


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454)."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def parse_url(text: str) -> httpx.URL:
    """The address. Raises `HttpBadAddress`; what it says does not show a login."""
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise HttpBadAddress(f"the address is not valid: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise HttpBadAddress(f"the address {shown(url)!r} does not begin with http:// or https:// and a host")
    if url.userinfo:
        raise HttpBadAddress(f"the address of {url.host} holds a login")
    return url.copy_with(fragment=None)


async def first_request(item: Item, params: HttpParams, ctx: Context) -> Request:
    """The request for the first page. Raises `HttpError`, and `NotFound` for a missing credential."""
    url = parse_url(params.url)
    query = {name: value for name, value in params.query.items() if value is not None}
    if query:
        url = url.copy_merge_params(query)
    login = await _login(params.auth, url, ctx) if params.auth is not None else Login()
    given = {name.lower() for name in params.headers}
    trace = {name: value for name, value in ctx.trace.items() if params.trace and name not in given}
    headers = {**trace, **params.headers}
    content: bytes | BlobRef | None = None
    if params.body is not None:
        content, media_type = await _body(params.body, item, ctx)
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = media_type
    if not any(name.lower() == "accept" for name in headers):
        headers["Accept"] = "application/json, */*;q=0.8"
    return Request(method=params.method, url=url, headers=headers, login=login, home=origin(url), content=content)


def with_body_field(request: Request, params: HttpParams, name: str, value: Any) -> Request:
    """The request with a field of its JSON body set, as a next page asks for it."""
    assert params.body is not None
    body = params.body.json_ if isinstance(params.body.json_, dict) else {}
    return replace(request, content=_json(with_field(body, name, value)))


def goes_to(credential: Mapping[str, str], host: str) -> bool:
    """Whether a credential may be sent to a host: all, or those that its `hosts` name."""
    hosts = credential.get("hosts", "").replace(",", " ").lower().split()
    return not hosts or any(
        host == known or (known.startswith("*.") and host.endswith(known.removeprefix("*"))) for known in hosts
    )


async def _login(auth: HttpAuth, url: httpx.URL, ctx: Context) -> Login:
    found = await ctx.credential(auth.credential)

    def get(name: str) -> str:
        value = found.get(name, "")
        if not value:
            raise HttpCredential(f"the credential {auth.credential!r} has no field {name!r}, which `{auth.as_}` needs")
        return value

    if not goes_to(found, url.host):
        raise HttpCredential(f"the credential {auth.credential!r} is not for {url.host}: its `hosts` do not name it")
    if auth.as_ == "bearer":
        token = get("token")
        return Login(headers={"Authorization": f"Bearer {token}"}, secrets=(token,))
    if auth.as_ == "basic":
        import base64

        user, password = get("user"), found.get("password", "")
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Login(headers={"Authorization": f"Basic {pair}"}, secrets=(pair, password) if password else (pair,))
    name, value = auth.name or get("name"), get("value")
    if auth.as_ == "header":
        return Login(headers={name: value}, secrets=(value,))
    return Login(query={name: value}, secrets=(value,))


async def _body(body: HttpBody, item: Item, ctx: Context) -> tuple[bytes | BlobRef, str]:
    if body.form is not None:
        fields = {name: value for name, value in body.form.items() if value is not None}
        encoded = str(httpx.QueryParams(fields)).encode()
        return encoded, body.media_type or "application/x-www-form-urlencoded"
    if body.multipart is not None:
        return await _multipart(body.multipart, item, ctx)
    if body.text is not None:
        return body.text.encode(), body.media_type or "text/plain; charset=utf-8"
    if body.binary is not None:
        ref = _held(item, body.binary)
        return ref, body.media_type or ref.media_type or "application/octet-stream"
    return _json(body.json_), body.media_type or "application/json"


async def _multipart(fields: Mapping[str, Any], item: Item, ctx: Context) -> tuple[bytes, str]:
    data: dict[str, str] = {}
    files: dict[str, tuple[str, bytes, str]] = {}
    for name, value in fields.items():
        if isinstance(value, File):
            ref = _held(item, value.binary)
            file_name = value.name or ref.name or value.binary
            media_type = ref.media_type or mimetypes.guess_type(file_name)[0] or "application/octet-stream"
            files[name] = (file_name, await ctx.blobs.get(ref), media_type)
        elif value is not None:
            data[name] = json.dumps(value) if isinstance(value, bool) else str(value)
    if not files:  # httpx takes a form without files for a URL-encoded one
        parts = [(name, (None, value.encode())) for name, value in data.items()]
        made = httpx.Request("POST", "http://x", files=parts)
    else:
        made = httpx.Request("POST", "http://x", data=data, files=files)
    return made.read(), made.headers["Content-Type"]


def _held(item: Item, name: str) -> BlobRef:
    ref = (item.binary or {}).get(name)
    if ref is None:
        raise NodeError(
            f"the item holds no binary {name!r}",
            code="node.binary_missing",
            hint=f"It holds: {', '.join(item.binary or {}) or 'none'}.",
        )
    return ref


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise HttpBadRequest(f"`body.json` is not JSON: {error}") from error
