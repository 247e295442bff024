"""`pyagent top`: what a running server does, drawn again every moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pyagent.cli.amounts import size_in_words
from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json, print_json_line, table_console
from pyagent.cli.progress import mark
from pyagent.cli.server_call import get_metrics, server_address
from pyagent.cli.text import escape, plain
from pyagent.cli.top_figures import History
from pyagent.cli.view import duration
from pyagent.cli.watch import with_signals
from pyagent.errors import InputError, SetupError

_HEAD = 9
"""Lines around the table of node types."""


async def top(*, host: str, port: int, interval: float, once: bool, as_json: bool) -> Exit:
    """Show a server's figures until Ctrl-C or q; `once`: those of one interval.

    Raises `SetupError` (`server.not_running`, `server.other`) where none answers at first; later that is shown, and
    asked again. Raises `InputError` (`input.options`) in a pipe, without `once` and `as_json`.
    """
    address = server_address(host, port)
    console = table_console()
    if not (once or as_json or console.is_terminal):
        raise InputError("top draws on a terminal", code="input.options", hint="In a pipe: --once, or --json.")
    history = History()
    found = history.add(await get_metrics(address))
    if once:
        await asyncio.sleep(interval)
        found = history.add(await get_metrics(address))
        if as_json:
            print_json(found)
        else:
            console.print(board(found, address, height=10_000))
        return Exit.DONE
    interrupted = asyncio.Event()

    async def drawn() -> Exit:
        nonlocal found
        with _screen(console, interrupted, as_json=as_json) as show:
            trouble = ""
            while True:
                show(found, address, trouble)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(interrupted.wait(), interval)
                if interrupted.is_set():
                    return Exit.DONE
                try:
                    found, trouble = history.add(await get_metrics(address)), ""
                except SetupError as error:
                    if as_json:
                        raise
                    trouble = error.message

    return await with_signals(drawn(), interrupted, console, promise="")


Show = Callable[[Mapping[str, Any], str, str], None]


@contextlib.contextmanager
def _screen(console: Console, stop: asyncio.Event, *, as_json: bool) -> Generator[Show]:
    if as_json:
        yield lambda found, _address, _trouble: print_json_line(found)
        return
    with _keys(stop), Live(console=console, auto_refresh=False, screen=True) as live:

        def show(found: Mapping[str, Any], address: str, trouble: str) -> None:
            live.update(board(found, address, height=console.height, live=True, trouble=trouble), refresh=True)

        yield show


@contextlib.contextmanager
def _keys(stop: asyncio.Event) -> Generator[None]:
    """Inside the block, the key q sets `stop`, where keys can be read one by one."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        if set(os.read(number, 64).lower()) & set(b"q\x04"):
            stop.set()

    tty.setcbreak(number)
    loop.add_reader(number, pressed)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def board(
    found: Mapping[str, Any], address: str, *, height: int, live: bool = False, trouble: str = ""
) -> RenderableType:
    """The figures for people, in at most so many lines."""
    rows = max(3, height - _HEAD - len(found["gpus"]) - len(found["peers"]))
    head = Text.from_markup(
        f"[bold]pyagent {escape(found['version'])}[/] at {escape(address)}, up {duration(found['up_seconds'])}"
    )
    if live:
        head.append("  q ends", style="dim")
    if trouble:
        head.append(f"  {plain(trouble)}", style="red")
    return Group(head, _sums(found), Text(), _types(found, rows))


def _sums(found: Mapping[str, Any]) -> Table:
    runs, steps, commits, requests = (found[name] for name in ("runs", "steps", "commits", "requests"))
    process, host = found["process"], found["host"]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    alive = Text()
    for status, number in (*runs["alive"].items(), *runs["ended"].items()):
        alive.append_text(mark(status)).append(f" {status} {number}   ")
    table.add_row("runs", alive.append(f"here {runs['here']}"))
    table.add_row(
        "speed",
        f"{runs['per_second']:.1f} runs/s   {steps['per_second']:.1f} steps/s   {found['events']:,} events"
        f"   {steps['retries']} retries",
    )
    table.add_row("run time", f"p50 {_brief(runs['p50'])}   p99 {_brief(runs['p99'])}")
    table.add_row(
        commits["store"] or "store",
        f"{commits['per_second']:.1f} commits/s   p50 {_brief(commits['p50'])}   p99 {_brief(commits['p99'])}"
        f"{_room(host['disk'], '   disk')}",
    )
    table.add_row(
        "requests",
        f"{requests['per_second']:.1f}/s   p50 {_brief(requests['p50'])}   p99 {_brief(requests['p99'])}"
        f"   {found['readers']} event readers",
    )
    table.add_row(
        "process",
        f"cpu {process['cpu']:.0%}   {size_in_words(process['memory'])}   {process['threads']} threads"
        f"   {process['open_files']} open files",
    )
    load = " ".join(f"{value:.2f}" for value in host["load"])
    table.add_row(
        "machine", f"cpu {host['cpu']:.0%} of {host['cpus']}   load {load}{_room(host['memory'], '   memory')}"
    )
    for gpu in found["gpus"]:
        used, total = (size_in_words(gpu["memory"][kind]) for kind in ("used", "total"))
        table.add_row(f"gpu {plain(gpu['gpu'])}", f"{gpu['busy']:.0%}   memory {used} of {total}")
    for peer, number in found["peers"].items():
        table.add_row("worker", Text(f"{plain(peer)}  {number} running"))
    return table


def _room(kinds: Mapping[str, int], name: str) -> str:
    if "total" not in kinds:
        return ""
    left = kinds.get("free", kinds.get("available", 0))
    return f"{name} {size_in_words(left)} free of {size_in_words(kinds['total'])}"


def _types(found: Mapping[str, Any], rows: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("node type", no_wrap=True)
    for name in ("steps", "failed", "steps/s", "p50", "p99"):
        table.add_column(name, justify="right", no_wrap=True)
    types = found["steps"]["types"]
    for each in types[:rows]:
        style = "" if each["recent"] else "dim"
        table.add_row(
            Text(plain(each["type"])),
            f"{each['count']:,}",
            Text(f"{each['failed']:,}", style="red" if each["failed"] else "dim"),
            f"{each['per_second']:.1f}",
            Text(_brief(each["p50"]), style=style),
            Text(_brief(each["p99"]), style=style),
        )
    if len(types) > rows:
        table.add_row(Text(f"and {len(types) - rows} more", style="dim"))
    if not types:
        table.add_row(Text("no steps yet", style="dim"))
    return table


def _brief(seconds: float) -> str:
    """`120 µs`, `3.4 ms`, then as elsewhere; nothing took no time at all."""
    if not seconds:
        return "–"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else duration(seconds)
