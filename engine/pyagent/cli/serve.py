"""`pyagent serve`, `pyagent open` and `pyagent run --serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pyagent.cli.exits import Exit, exit_of_status
from pyagent.cli.run import RunOptions, start, sum_up
from pyagent.cli.session import open_engine, server_token
from pyagent.cli.text import escape
from pyagent.cli.watch import Watch, with_signals
from pyagent.errors import SetupError

if TYPE_CHECKING:
    from pyagent.graph.yaml import Document
    from pyagent.runtime.engine import Engine

_PROMISE = "Stopping; runs under way can be resumed."


async def serve(*, host: str, port: int | None, work: bool) -> Exit:
    """Serve until Ctrl-C. Raises `SetupError` (`server.*`)."""
    from pyagent.server.serving import serving

    console = Console(highlight=False, soft_wrap=True)
    interrupted = asyncio.Event()

    async def served() -> Exit:
        async with (
            open_engine() as engine,
            serving(engine, token=server_token(), host=host, port=port, work=work) as server,
        ):
            console.print(f"PyAgent is at [bold]{server.address}[/] (Ctrl-C stops it)")
            console.print(f"Open this link, which works once: [bold]{server.link()}[/]")
            await interrupted.wait()
        return Exit.DONE

    return await with_signals(served(), interrupted, console, promise=_PROMISE)


async def run_and_serve(
    engine: Engine, document: Document, inputs: Mapping[str, Any], options: RunOptions, console: Console
) -> Exit:
    """Run a graph with its page beside it, and go on serving until Ctrl-C; then the run's own exit code."""
    from pyagent.server.serving import serving

    async with serving(engine, token=server_token(), host=options.host, port=options.port) as server:
        run = await start(engine, document, inputs, options)
        watch = Watch(engine, run, document.spec, console, as_json=options.as_json, drive=False)
        if not options.as_json:
            console.print(f"[bold]{escape(document.spec.name or document.spec.id)}[/]  [dim]run {run.id}[/]")
            console.print(
                f"Watch it in the browser, by a link that works once: [bold]{server.link()}[/]", soft_wrap=True
            )

        async def watched() -> Exit:
            ended = await watch.until_it_stops(stay=True)
            if watch.interrupted.is_set():
                return Exit.INTERRUPTED
            if not options.as_json:
                sum_up(ended, console)
                console.print(
                    f"\nPyAgent goes on at [bold]{server.link()}[/] (works once). Ctrl-C stops it.", soft_wrap=True
                )
            await watch.interrupted.wait()
            return exit_of_status(ended.status)

        code = await with_signals(watched(), watch.interrupted, console, promise=_PROMISE)
    if code is Exit.INTERRUPTED and not options.as_json:
        console.print(f"[dim]Go on with it:[/] pyagent resume {run.id}", soft_wrap=True)
    return code


async def print_link(host: str, port: int) -> Exit:
    """Ask the server that runs for a new link, and print it. Raises `SetupError` (`server.not_running`)."""
    import httpx

    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    headers = {"Authorization": f"Bearer {server_token()}"}
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            response = await client.post(f"{address}/api/v1/links", headers=headers)
    except httpx.HTTPError:
        raise SetupError(
            f"no server answers at {address}",
            code="server.not_running",
            hint="Start one with `pyagent serve`, or name its port with --port.",
        ) from None
    if response.status_code != 201:
        raise SetupError(
            f"the server at {address} does not know this user's token",
            code="server.other",
            hint="Is it another user's, or on another store? Set PYAGENT_STORE as it has it.",
        )
    print(address + response.json()["path"])
    return Exit.DONE
