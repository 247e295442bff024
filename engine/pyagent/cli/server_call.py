"""Requests of the command line to a server that runs on this machine."""

from __future__ import annotations

from typing import Any

from pyagent.cli.session import server_token
from pyagent.errors import SetupError


def server_address(host: str, port: int) -> str:
    """The address that a server listens on."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def ask_server(address: str, path: str) -> Any:
    """POST to the server's API, and give what it made.

    Raises `SetupError`: `server.not_running`, `server.other` where it does not take this user's token, and what the
    server says.
    """
    import httpx

    headers = {"Authorization": f"Bearer {server_token()}"}
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.post(f"{address}/api/v1/{path}", headers=headers)
    except httpx.HTTPError:
        raise SetupError(
            f"no server answers at {address}",
            code="server.not_running",
            hint="Start one with `pyagent serve`, or name its port with --port.",
        ) from None
    if answer.status_code == 201:
        return answer.json()
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
