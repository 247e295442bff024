"""What comes to a webhook: who sends it, its body within bounds, and what a run is given of it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request

from pyagent.errors import InputError, NotFound, PyAgentError, Where
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.credentials import read_credential
from pyagent.runtime.inputs import text_value
from pyagent.sdk.charsets import charset
from pyagent.sdk.items import BlobRef, JsonObject
from pyagent.sdk.sources import Endpoint
from pyagent.store.blobs import digest_of
from pyagent.vault import VaultFailed

BODY_SECONDS = 60.0
"""How long a body may take to come."""
MAX_FIELDS = 1000
MAX_FILES = 100
MAX_KEY = 200
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


class WebhookRefused(PyAgentError):
    """A webhook does not take the request (`webhook.*`)."""

    code = "webhook.refused"

    def __init__(
        self, message: str, *, status: int, code: str, hint: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body as a run sees it."""

    value: Any
    """JSON, the fields of a form, a text, or null."""
    files: Mapping[str, BlobRef] = field(default_factory=dict[str, BlobRef])
    """What is no text, by the name of its field; `body` where it is the whole body."""
    blobs: Sequence[tuple[str, bytes]] = ()
    kind: str = ""
    """Its media type."""


def check_origin(endpoint: Endpoint, request: Request) -> str | None:
    """The origin that the answer is for, if the request comes from a page. Raises `WebhookRefused`."""
    headers = request.headers
    origin = headers.get("origin")
    host = headers.get("host", "").lower()
    if origin is None:
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and "*" not in endpoint.origins:
            raise _origin("another site")
        return None
    if origin.lower() in (f"http://{host}", f"https://{host}"):
        return origin
    if "*" in endpoint.origins or origin.lower() in endpoint.origins:
        return origin
    raise _origin(origin)


def _origin(origin: str) -> WebhookRefused:
    return WebhookRefused(
        f"requests from pages of {origin} are not taken",
        status=403,
        code="webhook.origin",
        hint="Name the site in the webhook's `origins`.",
    )


async def check_sender(endpoint: Endpoint, headers: Headers, body: bytes | None) -> None:
    """Whether the request proves who sends it; a signature needs the body. Raises `WebhookRefused`.

    Called without a body first, so that a stranger's is not read.
    """
    kind = endpoint.authentication
    if kind == "none" or (kind == "signature") is (body is None):
        return
    try:
        credential = await read_credential(endpoint.credential)
        right = _proves(endpoint, headers, body or b"", credential)
    except (NotFound, KeyError, VaultFailed) as error:
        missing = f"it has no field {error}" if isinstance(error, KeyError) else error.message
        raise WebhookRefused(
            f"the webhook cannot tell who is asking: {missing}",
            status=503,
            code="webhook.credential",
            hint="Give the server the credential that the webhook names, with `token`, `user` and `password`, or "
            "`secret`.",
        ) from None
    if not right:
        challenge = {"basic": 'Basic realm="webhook", charset="UTF-8"', "header": "Bearer"}.get(kind)
        raise WebhookRefused(
            "the request does not prove who sends it",
            status=401,
            code="webhook.unauthorized",
            hint="Send what the webhook's `authentication` asks for.",
            headers={"WWW-Authenticate": challenge} if challenge else None,
        )


def _proves(endpoint: Endpoint, headers: Headers, body: bytes, credential: Mapping[str, str]) -> bool:
    if endpoint.authentication == "basic":
        expected = f"{credential['user']}:{credential['password']}"
        scheme, _, given = headers.get("authorization", "").partition(" ")
        try:
            shown = base64.b64decode(given.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(shown, expected.encode())
    given = headers.get(endpoint.header, "")
    if endpoint.authentication == "header":
        token = credential["token"].encode()
        scheme, _, rest = given.partition(" ")
        shown = rest.strip() if endpoint.header.lower() == "authorization" and scheme.lower() == "bearer" else given
        return bool(token) and hmac.compare_digest(shown.encode("latin-1", "replace"), token)
    secret = credential["secret"].encode()
    right = hmac.new(secret, body, hashlib.sha256).hexdigest()
    shown = given.strip().removeprefix("sha256=").lower()
    return bool(secret) and hmac.compare_digest(shown.encode("latin-1", "replace"), right.encode())


def check_length(endpoint: Endpoint, headers: Headers) -> None:
    """Refuse a body that says that it is too large, or in a form that nobody unpacks. Raises `WebhookRefused`."""
    length = headers.get("content-length", "")
    if length and (not (length.isascii() and length.isdigit()) or len(length) > 18 or int(length) > endpoint.max_size):
        raise _too_large(endpoint)
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise WebhookRefused(
            f"bodies packed by {packed[:40]} are not taken",
            status=415,
            code="webhook.media_type",
            hint="Send the body as it is, without Content-Encoding.",
        )


async def read_body(endpoint: Endpoint, request: Request, take: Callable[[int], None]) -> bytes:
    """The body, of which never more is kept than may be; `take` is told of its bytes before they are kept.

    Raises `WebhookRefused`, `ClientDisconnect`, and what `take` raises.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                take(len(chunk))
                body += chunk
                if len(body) > endpoint.max_size:
                    raise _too_large(endpoint)
    except TimeoutError:
        raise WebhookRefused(
            f"the body did not come within {BODY_SECONDS:.0f} seconds",
            status=408,
            code="webhook.slow",
            hint="Send it faster, or a smaller one.",
            headers={"Connection": "close"},
        ) from None
    return bytes(body)


def _too_large(endpoint: Endpoint) -> WebhookRefused:
    return WebhookRefused(
        f"the body is larger than {endpoint.max_size} bytes",
        status=413,
        code="webhook.too_large",
        hint="Send less, or raise the webhook's `max_size`.",
        headers={"Connection": "close"},
    )


def key_of(endpoint: Endpoint, headers: Headers) -> str | None:
    """What names the request, if it says so. Raises `WebhookRefused`."""
    key = headers.get(endpoint.key_header, "").strip() if endpoint.key_header else ""
    if len(key) > MAX_KEY:
        raise WebhookRefused(
            f"{endpoint.key_header} has more than {MAX_KEY} characters",
            status=400,
            code="webhook.key",
            hint="Send a shorter one, such as a UUID.",
        )
    return key or None


async def parsed(headers: Headers, body: bytes) -> Body:
    """The body by its media type. Raises `WebhookRefused`."""
    given = headers.get("content-type", "")
    kind, _, options = given.partition(";")
    kind = kind.strip().lower()
    if not body and kind != _MULTIPART:
        return Body(value=None, kind=kind)
    if kind == "application/json" or kind.endswith("+json"):
        return Body(value=_json(body), kind=kind)
    if kind == _FORM:
        return Body(value=_form(body), kind=kind)
    if kind == _MULTIPART:
        return await _multipart(headers, body, kind)
    if kind.startswith("text/"):
        named = next((part.partition("=")[2] for part in options.split(";") if "charset=" in part.lower()), "utf-8")
        try:
            return Body(value=body.decode(charset(named.strip().strip('"') or "utf-8")), kind=kind)
        except (LookupError, UnicodeDecodeError) as error:
            raise _broken(f"the text is not in the character set that it names: {error}") from None
    ref = BlobRef(digest_of(body), len(body), "", kind or "application/octet-stream")
    return Body(value=None, files={"body": ref}, blobs=((ref.digest, body),), kind=kind)


def _json(body: bytes) -> Any:
    import orjson

    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _broken(f"the body is no JSON: {error}") from None


def _form(body: bytes) -> JsonObject:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, strict_parsing=False
        )
    except ValueError as error:
        raise _broken(f"the body is no form: {error}") from None
    return collected(pairs)


async def _multipart(headers: Headers, body: bytes, kind: str) -> Body:
    from python_multipart.multipart import parse_options_header
    from starlette.datastructures import UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        headers, stream(), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=max(len(body), 1)
    )
    try:
        # The parser decodes with whatever Python has under that name.
        _, options = parse_options_header(headers["content-type"])
        charset(options.get(b"charset", b"utf-8").decode("latin-1"))
        form = await parser.parse()
    except LookupError as error:
        raise _broken(f"the body is no form: {error}") from None
    except (MultiPartException, ValueError, AttributeError) as error:
        raise _broken(f"the body is no form: {getattr(error, 'message', None) or 'its parts cannot be told'}") from None
    pairs: list[tuple[str, str]] = []
    files: dict[str, BlobRef] = {}
    blobs: list[tuple[str, bytes]] = []
    try:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                pairs.append((name, value))
                continue
            content = await value.read()
            # Several files of one field: photo, photo_2, photo_3.
            free = name
            while free in files:
                free = f"{name}_{sum(other == name or other.startswith(f'{name}_') for other in files) + 1}"
            files[free] = BlobRef(
                digest_of(content),
                len(content),
                (value.filename or "").rpartition("/")[2].rpartition("\\")[2],
                value.content_type or "application/octet-stream",
            )
            blobs.append((files[free].digest, content))
    finally:
        await form.close()
    return Body(value=collected(pairs), files=files, blobs=list(dict(blobs).items()), kind=kind)


def _broken(message: str) -> WebhookRefused:
    return WebhookRefused(
        message, status=400, code="webhook.body", hint="Send what Content-Type says, or say what is sent."
    )


def collected(pairs: Sequence[tuple[str, str]]) -> JsonObject:
    """Names with their values; of a name that stands several times, a list."""
    found: JsonObject = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            cast("list[str]", found[name]).append(value)
        else:
            found[name] = [found[name], value]
    return found


def request_inputs(endpoint: Endpoint, request: Request, params: Mapping[str, str], body: Body) -> JsonObject:
    """The whole request as a run's inputs, without what is secret in it."""
    hidden = _SECRET_HEADERS | {endpoint.header.lower()}
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if name.lower() not in hidden:
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    query = parse_qsl(str(request.url.query), keep_blank_values=True, errors="replace", max_num_fields=None)
    found: JsonObject = {
        "method": request.method,
        "path": request.path_params["path"],
        "params": dict(params),
        "query": collected(query),
        "headers": headers,
        "body": body.value,
    }
    if body.files:
        found["files"] = {name: ref.as_dict() for name, ref in body.files.items()}
    return found


def body_inputs(body: Body, graph: GraphSpec) -> JsonObject:
    """The body's fields as the graph's inputs; of a form, texts become what their inputs take.

    Raises `WebhookRefused`, and `InputError` for JSON that is no object.
    """
    if body.files or (body.value is not None and isinstance(body.value, str)):
        raise WebhookRefused(
            "the inputs are taken from JSON or from the fields of a form, not from "
            f"{'files' if body.kind == _MULTIPART else body.kind or 'what says no type'}",
            status=415,
            code="webhook.media_type",
            hint="Send application/json, or let the webhook say `inputs: request`.",
        )
    if body.value is None and not body.kind.endswith("json"):
        return {}
    value: Any = body.value
    if body.kind == _FORM and str(next(iter(value), "")).lstrip().startswith(("{", "[")):
        # What programs send that say nothing else, curl for one.
        raise WebhookRefused(
            "the body is JSON, and its Content-Type says that it is a form",
            status=415,
            code="webhook.media_type",
            hint="Send the header `Content-Type: application/json` (curl: -H 'Content-Type: application/json').",
        )
    if body.kind in (_FORM, _MULTIPART):
        return {
            name: text_value(graph.inputs.get(name, {"type": "string"}), text) if isinstance(text, str) else text
            for name, text in value.items()
        }
    if not isinstance(value, dict):
        raise InputError(
            "the body is no JSON object",
            hint="Send an object with the graph's inputs.",
            where=Where(field="inputs"),
        )
    return cast("JsonObject", value)


__all__ = [
    "Body",
    "WebhookRefused",
    "body_inputs",
    "check_length",
    "check_origin",
    "check_sender",
    "key_of",
    "parsed",
    "read_body",
    "request_inputs",
]
