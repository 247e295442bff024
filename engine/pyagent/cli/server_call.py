"""Requests of the command line to a server that runs on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyagent.cli.session import server_token
from pyagent.errors import SetupError

if TYPE_CHECKING:
    import httpx

    from pyagent.native import MetricSnapshot


def server_address(host: str, port: int) -> str:
    """The address that a server listens on."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def ask_server(address: str, path: str) -> Any:
    """POST to the server's API, and give what it made.

    Raises `SetupError`: `server.not_running`, `server.other` where it does not take this user's token, and what the
    server says.
    """
    return (await _answer("POST", f"{address}/api/v1/{path}", {}, 201)).json()


async def get_metrics(address: str) -> MetricSnapshot:
    """The server's metrics as they are now. Raises `SetupError` as `ask_server`."""
    from pyagent.native import MetricSnapshot
    from pyagent.server import SNAPSHOT_TYPE

    answer = await _answer("GET", f"{address}/metrics", {"Accept": SNAPSHOT_TYPE}, 200)
    try:
        return MetricSnapshot.parse(answer.content)
    except ValueError:
        raise SetupError(
            f"what listens at {address} gives no metrics that this program can read",
            code="server.other",
            hint="Is it another version of PyAgent, or another program?",
        ) from None


async def _answer(method: str, url: str, headers: Mapping[str, str], wanted: int) -> httpx.Response:
    import httpx

    address = url[: url.index("/", len("http://"))]
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            shown = {"Authorization": f"Bearer {server_token()}", **headers}
            answer = await client.request(method, url, headers=shown)
    except httpx.HTTPError:
        raise SetupError(
            f"no server answers at {address}",
            code="server.not_running",
            hint="Start one with `pyagent serve`, or name its port with --port.",
        ) from None
    if answer.status_code == wanted:
        return answer
    if answer.status_code == 401 or not answer.headers.get("content-type", "").startswith("application/json"):
        raise SetupError(
            f"the server at {address} does not know this user's token",
            code="server.other",
            hint="Is it another user's, or on another store? Set PYAGENT_STORE as it has it.",
        )
    said = answer.json()
    raise SetupError(
        said.get("message", f"the server answered {answer.status_code}"),
        code=said.get("code", "server.other"),
        hint=said.get("hint", ""),
    )
