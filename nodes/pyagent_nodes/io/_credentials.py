"""The kinds of credentials that the nodes of this package ask for, and how each is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pyagent.sdk import CredentialField as Field
from pyagent.sdk import CredentialKind, InputError, NodeError

_SECONDS = 20.0
"""How long a try may take."""
_HOSTS = Field(name="hosts", description="Hosts that it goes to, and no others: `api.example.com *.example.org`")
_ADDRESS = Field(name="test_url", description="An address that answers whoever is logged in; it is asked to try it")


class CredentialRefused(NodeError):
    """What a credential is for does not take it."""

    code = "node.credential_refused"
    hint = "Check its fields, and what the other side says about them."


class _Unstopped:
    """Nobody stops a try; it has a time limit."""

    cancelled = False
    reason = ""

    async def wait(self) -> None:
        """Wait for what never comes."""
        await asyncio.Event().wait()

    def check(self) -> None:
        """Never raise."""


async def _try_http(fields: Mapping[str, str], headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    import httpx

    from pyagent.sdk.http_client import http_client
    from pyagent_nodes.io._http_request import goes_to

    address = fields.get("test_url", "")
    if not address:
        raise InputError(
            "there is no address to try it at",
            code="input.credential",
            hint="Set its field `test_url` to one that answers only who is logged in.",
        )
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise InputError(f"{address} is no address", code="input.credential", hint="Correct `test_url`.") from None
    if not goes_to(fields, url.host):
        raise CredentialRefused(f"it is not for {url.host}", hint="Name that host in `hosts`, or another `test_url`.")
    async with http_client(timeout=_SECONDS) as client:
        try:
            answer = await client.get(url.copy_merge_params(dict(query)), headers=dict(headers))
        except httpx.HTTPError as error:
            raise CredentialRefused(f"{url.host} does not answer: {type(error).__name__}") from None
    if not answer.is_success:
        raise CredentialRefused(f"{answer.url.host} answers {answer.status_code} {answer.reason_phrase}".rstrip())
    return f"{answer.url.host} answers {answer.status_code}"


async def _bearer(fields: Mapping[str, str]) -> str:
    return await _try_http(fields, {"Authorization": f"Bearer {fields['token']}"}, {})


async def _basic(fields: Mapping[str, str]) -> str:
    import base64

    pair = base64.b64encode(f"{fields['user']}:{fields['password']}".encode()).decode()
    return await _try_http(fields, {"Authorization": f"Basic {pair}"}, {})


async def _header(fields: Mapping[str, str]) -> str:
    return await _try_http(fields, {fields["name"]: fields["value"]}, {})


async def _query(fields: Mapping[str, str]) -> str:
    return await _try_http(fields, {}, {fields["name"]: fields["value"]})


async def _smtp(fields: Mapping[str, str]) -> str:
    from pyagent_nodes.io._smtp import MailServer, log_in

    server = MailServer.of(fields, "smtp")
    await log_in(server, timeout=_SECONDS)
    return f"{server.host}:{server.port} accepts {server.user or 'mail without a login'}"


async def _sql(fields: Mapping[str, str]) -> str:
    from pyagent_nodes.io._sql_connect import connect, find_target

    target = find_target("", fields, lambda path: Path(path).expanduser().absolute())
    async with connect(target, read_only=True, timeout=_SECONDS, cancel=_Unstopped()) as connection:
        from sqlalchemy import text

        await connection.guard.run(connection.raw.execute(text("SELECT 1")))
    return f"{target.label} answers"


KINDS = (
    CredentialKind(
        name="http_bearer",
        title="HTTP bearer token",
        fields=(Field(name="token", description="The token", secret=True, required=True), _HOSTS, _ADDRESS),
        attempt=_bearer,
    ),
    CredentialKind(
        name="http_basic",
        title="HTTP user and password",
        fields=(
            Field(name="user", description="The user", required=True),
            Field(name="password", description="The password", secret=True, required=True),
            _HOSTS,
            _ADDRESS,
        ),
        attempt=_basic,
    ),
    CredentialKind(
        name="http_header",
        title="HTTP header",
        fields=(
            Field(name="name", description="The header, such as `X-Api-Key`", required=True),
            Field(name="value", description="Its value", secret=True, required=True),
            _HOSTS,
            _ADDRESS,
        ),
        attempt=_header,
    ),
    CredentialKind(
        name="http_query",
        title="HTTP query parameter",
        fields=(
            Field(name="name", description="The parameter, such as `api_key`", required=True),
            Field(name="value", description="Its value", secret=True, required=True),
            _HOSTS,
            _ADDRESS,
        ),
        attempt=_query,
    ),
    CredentialKind(
        name="smtp",
        title="Mail server (SMTP)",
        fields=(
            Field(name="host", description="Where mail is handed in", required=True),
            Field(name="port", description="Its port; left out, that of `security`"),
            Field(name="security", description="How it is spoken to", choices=("tls", "starttls", "none")),
            Field(name="user", description="The user"),
            Field(name="password", description="The password", secret=True),
            Field(name="from", description="The sender, where a node names none"),
            Field(name="ca_file", description="PEM file of authorities to trust besides the usual ones"),
        ),
        attempt=_smtp,
    ),
    CredentialKind(
        name="sql",
        title="SQL database",
        fields=(
            Field(name="url", description="`postgresql://host/database` or `sqlite:///path`", required=True),
            Field(name="user", description="The user"),
            Field(name="password", description="The password", secret=True),
        ),
        attempt=_sql,
    ),
    CredentialKind(
        name="signature",
        title="Signature of webhooks",
        fields=(Field(name="secret", description="What bodies are signed with", secret=True, required=True),),
    ),
)
