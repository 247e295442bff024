"""What the holder of a token may do: each address of the API needs a capability, and what is not named here needs the
server's own token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from pyagent.errors import PyAgentError
from pyagent.server.errors import Refused
from pyagent.vault import TokenGrant, TokenRefused, VaultFailed, open_vault

Capability = Literal["read", "run", "approve", "edit"]
MEANINGS: dict[Capability, str] = {
    "read": "look at graphs, runs, their data, events and nodes",
    "run": "start, stop, pause, resume, fork and signal runs; not agree to what inputs do to the machine",
    "approve": "answer what waits for a person, say how unknown steps ended, agree to what inputs do to the machine",
    "edit": "save, delete and activate graphs, and give a fork other items: as much as any program on the machine",
}
"""What each capability allows; none includes another."""
PREFIX = "pat1_"
"""What tokens begin with."""
_NEEDS: tuple[tuple[Capability, tuple[str, ...]], ...] = (
    (
        "read",
        (
            "GET /metrics",
            "GET /api/v1/openapi.json",
            "GET /api/v1/graphs",
            "GET /api/v1/graphs/watch",
            "POST /api/v1/graphs/check",
            "POST /api/v1/graphs/edit",
            "POST /api/v1/graphs/merge",
            "POST /api/v1/graphs/diff",
            "GET /api/v1/graphs/{graph_id}",
            "GET /api/v1/graphs/{graph_id}/text",
            "GET /api/v1/graphs/{graph_id}/svg",
            "GET /api/v1/graphs/{graph_id}/versions",
            "GET /api/v1/graphs/{graph_id}/versions/{version}",
            "GET /api/v1/graphs/{graph_id}/diff",
            "GET /api/v1/graphs/{graph_id}/history",
            "GET /api/v1/graphs/{graph_id}/history/{ref}",
            "GET /api/v1/graphs/{graph_id}/kept",
            "GET /api/v1/runs",
            "GET /api/v1/runs/last",
            "GET /api/v1/runs/statistics",
            "GET /api/v1/runs/compare",
            "GET /api/v1/runs/{run_id}",
            "GET /api/v1/runs/{run_id}/file",
            "GET /api/v1/runs/{run_id}/steps/{step:path}",
            "GET /api/v1/runs/{run_id}/svg",
            "GET /api/v1/runs/{run_id}/events",
            "GET /api/v1/runs/{run_id}/logs",
            "GET /api/v1/runs/{run_id}/moments",
            "GET /api/v1/runs/{run_id}/moments/{n}",
            "GET /api/v1/runs/{run_id}/html",
            "GET /api/v1/runs/{run_id}/events/ws",
            "GET /api/v1/events",
            "GET /api/v1/events/ws",
            "GET /api/v1/cursor",
            "POST /api/v1/expressions/preview",
            "GET /api/v1/expressions/language",
            "GET /api/v1/nodes",
            "GET /api/v1/nodes/{use}",
            "GET /api/v1/credential-kinds",
            "GET /api/v1/blobs/{digest}",
            "HEAD /api/v1/blobs/{digest}",
            "GET /api/v1/triggers",
        ),
    ),
    (
        "run",
        (
            "POST /api/v1/runs",
            "POST /api/v1/runs/{run_id}/cancel",
            "POST /api/v1/runs/{run_id}/pause",
            "POST /api/v1/runs/{run_id}/resume",
            "POST /api/v1/runs/{run_id}/fork",
            "POST /api/v1/runs/{run_id}/signal",
            "POST /api/v1/signals",
        ),
    ),
    (
        "approve",
        (
            "POST /api/v1/runs/{run_id}/answer",
            "POST /api/v1/runs/{run_id}/approve",
            "POST /api/v1/runs/{run_id}/resolve",
        ),
    ),
    (
        "edit",
        (
            "POST /api/v1/graphs",
            "PUT /api/v1/graphs/{graph_id}",
            "DELETE /api/v1/graphs/{graph_id}",
            "POST /api/v1/graphs/{graph_id}/duplicate",
            "POST /api/v1/graphs/{graph_id}/rename-file",
            "POST /api/v1/graphs/{graph_id}/activate",
            "POST /api/v1/graphs/{graph_id}/deactivate",
            "POST /api/v1/graphs/{graph_id}/listen",
            "POST /api/v1/run-files",
            "GET /api/v1/files",
        ),
    ),
)
NEEDS: dict[str, Capability] = {address: capability for capability, addresses in _NEEDS for address in addresses}
"""What each address needs, as `METHOD /path/{parameter}`; a WebSocket is a GET."""
_WITHOUT_DATA = frozenset(
    {
        "GET /api/v1/openapi.json",
        "GET /api/v1/nodes",
        "GET /api/v1/nodes/{use}",
        "GET /api/v1/credential-kinds",
        "POST /api/v1/graphs/check",
        "POST /api/v1/graphs/edit",
        "POST /api/v1/graphs/merge",
        "POST /api/v1/graphs/diff",
        "GET /api/v1/expressions/language",
    }
)
"""What a token for some graphs may ask, too: it tells of no graph but what was sent, and of no run."""
_CHECKS_ITSELF = frozenset(
    {
        "POST /api/v1/runs",
        "GET /api/v1/runs/compare",
        "GET /api/v1/runs/last",
        "GET /api/v1/runs/statistics",
        "POST /api/v1/expressions/preview",
        "GET /api/v1/graphs/watch",
    }
)
"""Routes that look at the graphs that they are about."""
_grant: ContextVar[TokenGrant | None] = ContextVar("grant", default=None)


async def grant_of(text: str) -> TokenGrant:
    """What a token allows now. Raises `TokenRefused`, and `VaultFailed` where the vault does not open."""

    def verified() -> TokenGrant:
        if (vault := open_vault()) is None:
            raise TokenRefused("there is no vault here, so no token was made here")
        return vault.verify(text)

    return await asyncio.to_thread(verified)


async def refusal(
    grant: TokenGrant, method: str, path: str, graph_of: Callable[[str], Awaitable[str]]
) -> PyAgentError | None:
    """Why the holder may not do that; None where it may. `graph_of` gives the id of the graph of a run."""
    address, parts = _address(method, path)
    needed = NEEDS.get(address)
    if needed is None:
        return _refused("only the server's own token may do that", "Use that, or the page.")
    if needed not in grant.capabilities:
        allowed = ", ".join(sorted(grant.capabilities)) or "nothing"
        return _refused(f"that needs the capability {needed}, and the token allows {allowed}", "Ask for another token.")
    if grant.graphs is None or address in _WITHOUT_DATA or address in _CHECKS_ITSELF:
        return None
    if "graph_id" in parts:
        return _graph_refusal(grant, parts["graph_id"])
    if "run_id" in parts:
        try:
            return _graph_refusal(grant, await graph_of(parts["run_id"]))
        except PyAgentError:
            # Which runs there are is not told either.
            return _graph_refusal(grant, None)
    return _refused("the token is for some graphs only, and that is about all", "Ask for one without `--graph`.")


def use_grant(grant: TokenGrant | None) -> None:
    """Say for this request who asks; None: the owner."""
    _grant.set(grant)


async def still_opens() -> bool:
    """Whether the token of whoever asks has neither ended nor been revoked since: streams go on for long."""
    grant = _grant.get()
    if grant is None:
        return True
    if grant.expires <= datetime.now(UTC):
        return False

    def revoked() -> set[str] | None:
        vault = open_vault()
        return {token.id for token in vault.tokens() if token.revoked is not None} if vault is not None else None

    try:
        found = await asyncio.to_thread(revoked)  # it may wait for a disk, or for who writes the vault
    except VaultFailed:
        return False
    return found is not None and found.isdisjoint(grant.ids)


def actor() -> str:
    """Who asks, as runs record it: `local` is the owner, others are their token with its label."""
    grant = _grant.get()
    if grant is None:
        return "local"
    return f"token {grant.ids[0][:8]}" + (f" ({grant.label})" if grant.label else "")


def may(capability: Capability) -> bool:
    """Whether whoever asks may do that with the graphs at hand."""
    grant = _grant.get()
    return grant is None or capability in grant.capabilities


def require(capability: Capability, what: str) -> None:
    """Raises `Refused` (`server.capability`) where whoever asks may not do that; `what` says what asks for it."""
    if not may(capability):
        raise _refused(f"{what} needs the capability {capability}", "Ask for another token.")


def may_see(graph_id: str) -> bool:
    """Whether whoever asks may know of that graph."""
    grant = _grant.get()
    return grant is None or grant.graphs is None or graph_id in grant.graphs


def require_graph(graph_id: str | None) -> None:
    """Raises `Refused` (`server.capability`) where whoever asks may not use that graph; None: all of them."""
    grant = _grant.get()
    if grant is not None and (error := _graph_refusal(grant, graph_id)) is not None:
        raise error


def _graph_refusal(grant: TokenGrant, graph_id: str | None) -> Refused | None:
    if grant.graphs is None or graph_id in grant.graphs:
        return None
    return _refused(f"the token is for {', '.join(sorted(grant.graphs)) or 'no graph'}", "Ask for one for that graph.")


def _refused(message: str, hint: str) -> Refused:
    return Refused(message, code="server.capability", hint=hint)


def _address(method: str, path: str) -> tuple[str, dict[str, str]]:
    for address, pattern in _patterns():
        if (found := pattern.fullmatch(f"{method} {path}")) is not None:
            return address, found.groupdict()
    return "", {}


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((address, _pattern(address)) for address in NEEDS)


def _pattern(address: str) -> re.Pattern[str]:
    pattern = ""
    for part in re.split(r"(\{[^}]*\})", address):
        name, _, kind = part.strip("{}").partition(":")
        inside = ".+" if kind == "path" else "[^/]+"
        pattern += f"(?P<{name}>{inside})" if part.startswith("{") else re.escape(part)
    return re.compile(pattern, re.DOTALL)


__all__ = [
    "MEANINGS",
    "NEEDS",
    "PREFIX",
    "Capability",
    "actor",
    "grant_of",
    "may",
    "may_see",
    "refusal",
    "require",
    "require_graph",
    "still_opens",
    "use_grant",
]
