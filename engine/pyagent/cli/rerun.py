"""`pyagent run --watch`: runs a graph, and again whenever its file, a graph it calls or a node's module changes.

Each run is a process of its own: it has one version of all code from its beginning to its end, and nothing is left
over from the one before. A change while a run goes on is taken up when it has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pyagent.cli.changes import changes, graph_files, node_folders
from pyagent.cli.exits import Exit
from pyagent.cli.messages import error_console
from pyagent.cli.session import folder_of
from pyagent.cli.text import escape


async def run_and_watch(graph: str, arguments: Sequence[str]) -> Exit:
    """Run `pyagent run` with these arguments, again and again, until Ctrl-C; the exit code is the last run's."""
    from pyagent.runtime.library import GraphLibrary, graph_folders
    from pyagent.sdk.registry import Registry

    console: Console = error_console()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    process: asyncio.subprocess.Process | None = None

    def on_signal(number: int) -> None:
        # A terminal sends Ctrl-C to the run as well; what was sent to this process alone is handed on.
        if number != signal.SIGINT and process is not None and process.returncode is None:
            process.send_signal(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    code = 0
    try:
        while True:
            beside = folder_of(graph)
            library = GraphLibrary([*beside, *graph_folders()])
            files = graph_files(library, graph)
            waiting = asyncio.create_task(_next_change(files, node_folders(Registry.installed(beside)), stop))
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "pyagent.cli", "run", *arguments)
            code = await process.wait()
            if stop.is_set():
                waiting.cancel()
                break
            told = ", ".join(sorted({_short(path) for path in files})) or graph
            console.print(f"[dim]Runs again when {escape(told)} or a node's module changes. Ctrl-C ends.[/]")
            changed = await waiting
            if changed is None:
                break
            console.print(f"\n[bold]{escape(', '.join(sorted({_short(path) for path in changed})))}[/] changed")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    with contextlib.suppress(ValueError):
        return Exit(code)
    return Exit.INTERRUPTED


async def _next_change(files: Sequence[Path], folders: Sequence[Path], stop: asyncio.Event) -> set[Path] | None:
    async for found in changes(files, folders, stop):
        return found
    return None


def _short(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:
        return str(path)
