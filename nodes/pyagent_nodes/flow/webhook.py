"""`flow.webhook`: a run starts when a request comes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ByteSize, Field, field_validator, model_validator

from pyagent.sdk import BlobRef, Context, Endpoint, Item, Items, NodeParams, node
from pyagent.sdk.fields import Duration

_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_LARGEST = 256 * 1024 * 1024
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _methods(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class WebhookParams(NodeParams):
    """Parameters of `flow.webhook`."""

    path: str = Field(
        description="What follows `/webhooks/` in the address; `{name}` takes one segment as a parameter",
        examples=["orders", "customers/{customer}/orders"],
        max_length=500,
    )
    methods: Annotated[tuple[Method, ...], BeforeValidator(_methods), Field(min_length=1)] = Field(
        ("POST",), description="Methods that start a run"
    )
    inputs: Literal["request", "body"] = Field(
        "request",
        description="What the run's inputs are: the whole request `{method, path, params, query, headers, body}`, or "
        "the body's fields, which then must fit the inputs that the graph declares",
    )
    answer: Literal["started", "outputs", "response", "last"] = Field(
        "started",
        description="`started`: 202 with the run's id at once. When the run has ended: `outputs`, the graph's outputs; "
        "`response`, the response that the outputs `status`, `headers` and `body` make; `last`, the JSON of the last "
        "step's first item",
    )
    wait: Duration = Field(
        timedelta(seconds=30),
        description="How long a request waits for the run's end; after it 202 with the run's id, as for `started`",
    )
    authentication: Literal["none", "header", "basic", "signature"] = Field(
        "none",
        description="How a request proves who sends it: a token in a header, user and password (basic), or a signature "
        "of the body by HMAC with SHA-256, as GitHub sends it",
    )
    credential: str = Field(
        "",
        description="Name of the credential with what is compared: `token`, or `user` and `password`, or `secret`",
    )
    header: str = Field(
        "",
        description="The header with the token (`Authorization: Bearer …` if left out) or the signature "
        "(`X-Hub-Signature-256`)",
    )
    key_header: str = Field(
        "Idempotency-Key",
        description="Header whose value names the request: a second one with the same value starts no second run",
        examples=["X-GitHub-Delivery"],
    )
    origins: tuple[str, ...] = Field(
        (), description="Sites whose pages may send requests, such as https://example.org; `*` means all"
    )
    max_size: ByteSize = Field(
        ByteSize(8 * 1024 * 1024), le=_LARGEST, description="How much a request may carry", examples=["8 MiB"]
    )

    @field_validator("path")
    @classmethod
    def _path(cls, value: str) -> str:
        segments = value.strip("/").split("/")
        for segment in segments:
            if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
                raise ValueError(
                    f"{segment!r} is no part of a path; write letters, digits and `-._~`, or a parameter: {{name}}"
                )
        names = [segment for segment in segments if segment.startswith("{")]
        if len(set(names)) < len(names):
            raise ValueError("a parameter stands twice in the path")
        return "/".join(segments)

    @field_validator("header", "key_header")
    @classmethod
    def _header(cls, value: str) -> str:
        if value and not _HEADER.fullmatch(value):
            raise ValueError(f"{value!r} is no name of a header")
        return value

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(f"{origin!r} is no origin; write scheme and host, such as https://example.org")
        return tuple(origin.lower() for origin in value)

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        if self.authentication == "none" and (self.credential or self.header):
            raise ValueError("`credential` and `header` belong to an `authentication`")
        if self.authentication != "none" and not self.credential:
            raise ValueError(f"`authentication: {self.authentication}` needs a `credential`")
        if self.authentication == "basic" and self.header:
            raise ValueError("basic authentication has a header of its own; leave `header` out")
        if self.inputs == "body" and set(self.methods) & {"GET"}:
            raise ValueError("a GET request has no body to take inputs from; use `inputs: request`")
        return self


def endpoint(params: WebhookParams) -> Endpoint:
    """Where the requests are taken."""
    usual = {"header": "Authorization", "signature": "X-Hub-Signature-256"}.get(params.authentication, "")
    return Endpoint(
        path=params.path,
        methods=tuple(dict.fromkeys(params.methods)),
        answer=params.answer,
        wait=params.wait,
        inputs=params.inputs,
        authentication=params.authentication,
        credential=params.credential,
        header=params.header or usual,
        key_header=params.key_header,
        origins=params.origins,
        max_size=int(params.max_size),
    )


@node(
    "flow.webhook",
    title="Webhook",
    icon="webhook",
    kind="trigger",
    ports_in=(),
    effects="none",
    endpoint=endpoint,
)
async def webhook(items: Items, params: WebhookParams, ctx: Context) -> list[Item]:
    """Start a run for each request to `/webhooks/PATH` of the server, while the graph is active (`pyagent activate`).

    The item holds the run's inputs. The body is what its type says: JSON, the fields of a form, or a text; files of a
    form and all else become binaries of the item, and `body.files` (or `body`) says where they are kept. Headers that
    carry secrets (`Authorization`, `Cookie`, the signature) are left out. To try a graph before it is active:
    `pyagent listen`.
    """
    inputs = dict(ctx.inputs)
    files = inputs.get("files")
    binary = (
        {str(name): BlobRef.from_dict(ref) for name, ref in files.items()}
        if params.inputs == "request" and isinstance(files, dict)
        else None
    )
    return [Item(inputs, binary or None)]
