"""`pyagent serve`, `pyagent up`, `pyagent open` and `pyagent run --serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pyagent.cli.collector import keep_what_is_loaded
from pyagent.cli.exits import Exit, exit_of_status
from pyagent.cli.messages import error_console
from pyagent.cli.output import print_json, print_json_line
from pyagent.cli.run import RunOptions, start, sum_up
from pyagent.cli.server_call import ask_server, server_address
from pyagent.cli.session import open_engine, server_token, shared_links
from pyagent.cli.text import escape
from pyagent.cli.watch import Watch, with_signals
from pyagent.errors import SetupError
from pyagent.server import PORT

if TYPE_CHECKING:
    from pyagent.graph.yaml import Document
    from pyagent.runtime.engine import Engine

_PROMISE = "Stopping; runs under way can be resumed."


async def serve(
    *,
    host: str,
    port: int | None,
    work: bool,
    dev: bool = False,
    open_page: bool = False,
    as_json: bool = False,
) -> Exit:
    """Serve until Ctrl-C. `dev`: changed node modules are used by the runs that begin after. Raises `SetupError`."""
    from pyagent.server.serving import serving

    console = error_console() if as_json else Console(highlight=False, soft_wrap=True)
    interrupted = asyncio.Event()

    async def served() -> Exit:
        async with (
            open_engine() as engine,
            serving(engine, token=server_token(), host=host, port=port, work=work, shares=shared_links()) as server,
        ):
            if port is None and server.port != PORT:
                console.print(f"[yellow]{escape(await _taken_by(host))}[/] This one took the port {server.port}.")
            link = server.link()
            if as_json:
                print_json_line({"address": server.address, "link": link})
            else:
                console.print(f"PyAgent is at [bold]{server.address}[/] (Ctrl-C stops it)")
                console.print(f"Open this link, which works once: [bold]{link}[/]")
            if open_page:
                _open(link)
            keep_what_is_loaded()
            follower = asyncio.create_task(_follow_code(engine, console, interrupted)) if dev else None
            try:
                await interrupted.wait()
            finally:
                if follower is not None:
                    follower.cancel()
                    await asyncio.gather(follower, return_exceptions=True)
        return Exit.DONE

    return await with_signals(served(), interrupted, console, promise=_PROMISE)


async def _taken_by(host: str) -> str:
    """Who listens on the usual port."""
    asked = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104  where to ask, not to listen
    try:
        async with asyncio.timeout(2):
            await _new_link(asked, PORT)
    except (SetupError, TimeoutError):
        return f"Another program, or a server on another store, has the port {PORT}."
    return f"A server on this store runs already on the port {PORT}."


async def _follow_code(engine: Engine, console: Console, stop: asyncio.Event) -> None:
    """Let the engine have node types as they are written; a run that goes on keeps those it has."""
    from pyagent.cli.changes import changes, new_code, node_folders

    folders = node_folders(engine.registry)
    console.print(f"[dim]Node modules are watched: {escape(', '.join(map(str, folders)) or 'there are none')}[/]")
    async for found in changes((), folders, stop):
        registry = await asyncio.to_thread(new_code, engine.registry)
        await asyncio.to_thread(registry.all)
        for error in registry.broken:
            console.print(f"[red]{escape(error.message)}[/]")
        engine.use_registry(registry)
        names = ", ".join(sorted({path.name for path in found}))
        console.print(f"[dim]{escape(names)} changed: runs that begin now use it.[/]")


def _open(link: str) -> None:
    """Show the page in the user's browser, where there is one."""
    import webbrowser

    webbrowser.open(link)


async def up(*, host: str, port: int | None, browser: bool, dev: bool, as_json: bool) -> Exit:
    """Open the page of the server that runs, or of one that is started for it. Raises `SetupError` (`server.*`)."""
    try:
        link = await _new_link(host, port or PORT)
    except SetupError as error:
        if error.code == "server.other" and port is not None:
            raise
        return await serve(host=host, port=port, work=True, dev=dev, open_page=browser, as_json=as_json)
    if as_json:
        print_json({"address": link.partition("/?")[0], "link": link})
    else:
        print(f"PyAgent runs already. Open this link, which works once: {link}")
    if browser:
        _open(link)
    return Exit.DONE


async def run_and_serve(
    engine: Engine, document: Document, inputs: Mapping[str, Any], options: RunOptions, console: Console
) -> Exit:
    """Run a graph with its page beside it, and go on serving until Ctrl-C; then the run's own exit code."""
    from pyagent.server.serving import serving

    token, shares = server_token(), shared_links()
    async with serving(engine, token=token, host=options.host, port=options.port, shares=shares) as server:
        run = await start(engine, document, inputs, options, reserve=False)
        watch = Watch(engine, run, document.spec, console, as_json=options.as_json, drive=False)
        if not options.as_json:
            console.print(f"[bold]{escape(document.spec.name or document.spec.id)}[/]  [dim]run {run.id}[/]")
            console.print(
                f"Watch it in the browser, by a link that works once: [bold]{server.link(run.id)}[/]", soft_wrap=True
            )

        async def watched() -> Exit:
            ended = await watch.until_it_stops(stay=True)
            if watch.interrupted.is_set():
                return Exit.INTERRUPTED
            if not options.as_json:
                sum_up(ended, console)
                console.print(
                    f"\nPyAgent goes on at [bold]{server.link(run.id)}[/] (works once). Ctrl-C stops it.",
                    soft_wrap=True,
                )
            await watch.interrupted.wait()
            return exit_of_status(ended.status)

        code = await with_signals(watched(), watch.interrupted, console, promise=_PROMISE)
    if code is Exit.INTERRUPTED and not options.as_json:
        console.print(f"[dim]Go on with it:[/] pyagent resume {run.id}", soft_wrap=True)
    return code


async def print_link(host: str, port: int, *, as_json: bool = False) -> Exit:
    """Ask the server that runs for a new link, and print it. Raises `SetupError` (`server.not_running`)."""
    link = await _new_link(host, port)
    if as_json:
        print_json({"address": link.partition("/?")[0], "link": link})
    else:
        print(link)
    return Exit.DONE


async def _new_link(host: str, port: int) -> str:
    address = server_address(host, port)
    return address + str((await ask_server(address, "links"))["path"])
