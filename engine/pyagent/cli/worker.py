"""`pyagent worker`: execute the store's runs without a server."""

from __future__ import annotations

import asyncio

from rich.console import Console

from pyagent.cli.collector import keep_what_is_loaded
from pyagent.cli.exits import Exit
from pyagent.cli.messages import error_console
from pyagent.cli.output import print_json_line
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.cli.watch import with_signals
from pyagent.runtime.worker_metrics import measured

_PROMISE = "Handing the runs over; each can be resumed."


async def work(*, limit: int, as_json: bool) -> Exit:
    """Drive whatever runs of the store need driving, at most `limit` at once, until Ctrl-C or SIGTERM; then leave them
    to other workers as they stand. Raises `StoreError` if the store cannot be opened.
    """
    console = error_console() if as_json else Console(highlight=False, soft_wrap=True)
    interrupted = asyncio.Event()

    async def worked() -> Exit:
        async with open_engine() as engine, measured(engine):
            if as_json:
                print_json_line({"worker": engine.peer, "limit": limit})
            else:
                console.print(f"Worker [bold]{escape(engine.peer)}[/] takes the runs of its store (Ctrl-C stops it)")
            keep_what_is_loaded()
            working = asyncio.create_task(engine.work(limit=limit))
            stopped = asyncio.create_task(interrupted.wait())
            try:
                await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                working.cancel()
                found = await asyncio.gather(working, return_exceptions=True)
            if isinstance(found[0], Exception):
                raise found[0]
        return Exit.DONE

    return await with_signals(worked(), interrupted, console, promise=_PROMISE)
