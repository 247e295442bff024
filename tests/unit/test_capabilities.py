"""Every address of the server is either named with the capability that it needs, open to all, or the owner's alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from starlette.routing import Mount

from pyagent.errors import NotFound, PyAgentError
from pyagent.runtime.engine import Engine
from pyagent.server.app import create_app
from pyagent.server.capabilities import MEANINGS, NEEDS, may_see, refusal, use_grant
from pyagent.server.context import ServerContext, require_run
from pyagent.server.errors import Refused
from pyagent.server.guard import Guard
from pyagent.server.security import Keys
from pyagent.testing import MemoryStore
from pyagent.vault import TokenGrant

OPEN = {"GET /healthz", "GET /readyz", "GET /forms/{run_id}/{key}", "POST /forms/{run_id}/{key}"} | {
    "GET /reports/{run_id}/{key}/{path:path}",
    "GET /shared/{share_id}/{key}",
}
"""What asks for no token."""
OWNER = {
    "GET /",
    "POST /api/v1/links",
    "DELETE /api/v1/runs/{run_id}",
    "POST /api/v1/runs/{run_id}/share",
    "GET /api/v1/runs/{run_id}/share",
    "DELETE /api/v1/runs/{run_id}/share",
    "GET /api/v1/credentials",
    "PUT /api/v1/credentials/{name}",
    "DELETE /api/v1/credentials/{name}",
    "POST /api/v1/credentials/{name}/test",
    "POST /api/v1/vault",
}
"""What no capability opens."""


def routes() -> set[str]:
    """Every address of the server, as `METHOD /path`."""
    guard = create_app(ServerContext(engine=Engine(MemoryStore()), keys=Keys("t" * 43)))
    assert isinstance(guard, Guard)
    app = guard.app.app  # pyright: ignore
    found: set[str] = set()
    open_routes = list(app.routes)
    while open_routes:
        route = open_routes.pop()
        if isinstance(route, Mount):
            continue
        inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if inner and not hasattr(route, "path"):
            open_routes += list(inner)
            continue
        methods = getattr(route, "methods", None) or {"GET"}
        found |= {f"{method} {route.path}" for method in methods if method != "HEAD" or "blobs" in route.path}
    return found


def test_every_route_says_who_may_and_nothing_says_it_for_a_route_that_is_none() -> None:
    found = routes()
    assert found - NEEDS.keys() - OPEN - OWNER == set()
    assert (NEEDS.keys() | OPEN | OWNER) - found == set()
    assert set(NEEDS.values()) == set(MEANINGS)
    assert not NEEDS.keys() & (OPEN | OWNER)


def granted(*capabilities: str, graphs: set[str] | None = None) -> TokenGrant:
    end = datetime(2100, 1, 1, tzinfo=UTC)
    only = None if graphs is None else frozenset(graphs)
    return TokenGrant(ids=("0" * 32,), capabilities=frozenset(capabilities), graphs=only, expires=end, label="")


async def graph_of(run_id: str) -> str:
    if run_id == "unknown":
        raise NotFound("no such run", code="run.not_found", hint="")
    return "mine" if run_id == "myrun" else "others"


def filled(address: str) -> tuple[str, str]:
    method, _, path = address.partition(" ")
    given = {"graph_id": "mine", "run_id": "myrun", "step:path": "a/b@1", "version": "1", "use": "a.b@1", "digest": "d"}
    for name, value in given.items():
        path = path.replace(f"{{{name}}}", value)
    return method, path


@pytest.mark.parametrize("address", sorted(NEEDS))
async def test_an_address_opens_by_its_capability_and_by_no_other(address: str) -> None:
    method, path = filled(address)
    others = set(MEANINGS) - {NEEDS[address]}
    assert await refusal(granted(NEEDS[address]), method, path, graph_of) is None
    refused = await refusal(granted(*others), method, path, graph_of)
    assert refused is not None
    assert refused.code == "server.capability"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(filled(address) for address in sorted(OWNER)),
        ("GET", "/api/v1/credentials/"),
        ("GET", "/api/v1/runs/"),
        ("GET", "/api/v1//runs"),
        ("GET", "/api/v1/runs/a/../../credentials"),
        ("PATCH", "/api/v1/runs"),
        ("get", "/api/v1/runs"),
        ("GET", "/api/v1/runs\n"),
        ("GET", "/api/v2/runs"),
    ],
)
async def test_what_is_not_named_is_refused_to_all_capabilities_together(method: str, path: str) -> None:
    assert await refusal(granted(*MEANINGS), method, path, graph_of) is not None


async def test_a_token_for_some_graphs_opens_these_and_their_runs_alone() -> None:
    async def opens(address: str) -> bool:
        method, _, path = address.partition(" ")
        error: PyAgentError | None = await refusal(granted(*MEANINGS, graphs={"mine"}), method, path, graph_of)
        return error is None

    assert await opens("GET /api/v1/graphs/mine/text")
    assert await opens("GET /api/v1/runs/myrun/events")
    assert await opens("POST /api/v1/runs/myrun/cancel")
    assert await opens("POST /api/v1/runs"), "the route looks at the body"
    assert await opens("GET /api/v1/nodes")
    for closed in (
        "GET /api/v1/graphs",
        "GET /api/v1/graphs/others",
        "GET /api/v1/runs",
        "GET /api/v1/runs/another",
        "GET /api/v1/runs/unknown",
        "GET /api/v1/events",
        "GET /api/v1/events/ws",
        "GET /api/v1/blobs/abc",
        "GET /metrics",
        "POST /api/v1/signals",
        "POST /api/v1/graphs",
        "POST /api/v1/run-files",
    ):
        assert not await opens(closed), closed


async def test_a_token_for_some_graphs_edits_texts_and_is_told_of_those_graphs_only() -> None:
    grant = granted("read", graphs={"mine"})
    for method, path in (
        ("POST", "/api/v1/graphs/edit"),
        ("POST", "/api/v1/graphs/merge"),
        ("POST", "/api/v1/graphs/diff"),
        ("GET", "/api/v1/graphs/watch"),
        ("GET", "/api/v1/graphs/mine/history"),
    ):
        assert await refusal(grant, method, path, graph_of) is None, path
    assert await refusal(grant, "GET", "/api/v1/graphs/other/history", graph_of) is not None
    assert await refusal(grant, "POST", "/api/v1/graphs/mine/duplicate", graph_of) is not None
    use_grant(grant)
    try:
        assert (may_see("mine"), may_see("other")) == (True, False)
    finally:
        use_grant(None)
    assert may_see("other")


async def test_which_runs_there_are_is_not_told_where_others_are_compared_or_previewed() -> None:
    server = ServerContext(engine=Engine(MemoryStore()), keys=Keys("t" * 43))
    await server.engine.store.open()
    try:
        use_grant(granted("read", graphs={"mine"}))
        with pytest.raises(Refused) as hidden:
            await require_run(server, "abcdef")
        use_grant(granted("read"))
        with pytest.raises(NotFound):
            await require_run(server, "abcdef")
    finally:
        use_grant(None)
        await server.engine.store.close()
    assert hidden.value.code == "server.capability"
