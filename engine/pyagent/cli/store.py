"""`pyagent store migrate | check | copy | prune | compact | stats`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from rich.console import Console

from pyagent.cli.amounts import many, size_in_words, size_of_text
from pyagent.cli.exits import Exit
from pyagent.cli.messages import error_console
from pyagent.cli.output import print_json
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.errors import InputError, NotFound
from pyagent.graph.duration import parse_duration
from pyagent.settings import STORE, is_neo4j, shown_address, store_file

if TYPE_CHECKING:
    from rich.status import Status

    from pyagent.store.base import Run, RunStatus, Store
    from pyagent.store.upkeep import Compacted, StoreStats

_SHOWN = 20
"""Runs and faults that are printed; `--json` gives all."""


def _place(address: str | None) -> str:
    """The store as it is shown: an address without its password, or a file."""
    given = address or STORE.text()
    return shown_address(given) if is_neo4j(given) else str(store_file(address))


def _must_be_there(address: str | None) -> None:
    """Raise `InputError` (`input.store`) for a file that was named and is not there: opening it would make it.

    That of `PYAGENT_STORE` may be made, as by every other command.
    """
    if address and not is_neo4j(address) and not (file := store_file(address)).exists():
        raise InputError(f"there is no store {file}", code="input.store", hint="Look whether its name is right.")


@asynccontextmanager
async def _opened(address: str | None) -> AsyncGenerator[Store]:
    from pyagent.store import open_store

    store = open_store(address)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def migrate(address: str | None, *, as_json: bool) -> Exit:
    """Open the store, which brings it up to date."""
    async with _opened(address):
        if as_json:
            print_json({"store": _place(address)})
        else:
            _console().print(f"[green]✓[/] {escape(_place(address))} is up to date.")
    return Exit.DONE


async def check(address: str | None, *, as_json: bool) -> Exit:
    """Print what is wrong; exit code 5 if anything is."""
    from pyagent.runtime.store_check import check_store

    console = _console()
    _must_be_there(address)
    async with _opened(address) as store:
        with Console(stderr=True).status("Looking the store over …") as status:
            runs, faults = await check_store(store, _telling(status))
    if as_json:
        print_json({"store": _place(address), "runs": runs, "faults": [asdict(fault) for fault in faults]})
    elif not faults:
        console.print(f"[green]✓[/] {escape(_place(address))}: {many(runs, 'run')}, nothing is wrong.")
    else:
        for fault in faults[:_SHOWN]:
            console.print(f"[red]✗[/] {fault.run + ': ' if fault.run else ''}{escape(fault.what)}")
        if len(faults) > _SHOWN:
            console.print(f"  and {len(faults) - _SHOWN} more: [bold]pyagent store check --json[/]")
        console.print(
            "\nA run whose log or blobs are damaged can be deleted ([bold]pyagent delete RUN[/]) or brought back from"
            " a backup of the whole store."
        )
    return Exit.STORE if faults else Exit.DONE


async def copy(source: str, target: str, *, as_json: bool) -> Exit:
    """Copy and print what was done. Raises `InputError` (`input.store`) for one and the same store."""
    from pyagent.runtime.store_copy import copy_store

    if source == target or _place(source) == _place(target):
        raise InputError("FROM and TO are the same store", code="input.store", hint="Give two addresses.")
    _must_be_there(source)
    console = _console()
    async with open_engine(store=source) as engine, _opened(target) as to:
        with Console(stderr=True).status("Copying …") as status:
            done = await copy_store(engine, to, _telling(status))
    if as_json:
        print_json({"from": _place(source), "to": _place(target), **asdict(done)})
    else:
        already = f", {done.there} were there already" if done.there else ""
        console.print(
            f"[green]✓[/] copied {many(len(done.runs), 'run')}{already}; {many(done.graphs, 'version')} of graphs, "
            f"{many(done.activations, 'activation')}, {many(done.signals, 'signal')}, "
            f"{many(done.checkpoints, 'checkpoint')}"
        )
        _print_runs(console, done.at_work, "left out, a worker has or had it in hand; end it or resume it, copy again")
        _print_runs(console, done.differs, "left out, the target has another run of that id: delete one of them")
        _print_runs(console, done.without_lineage, "without lineage: its graph or nodes are not installed here")
    return Exit.FAILED if done.at_work or done.differs else Exit.DONE


async def prune(
    address: str | None,
    *,
    older_than: str | None,
    keep: int | None,
    max_size: str | None,
    statuses: Sequence[str],
    graph: str | None,
    dry_run: bool,
    and_compact: bool,
    as_json: bool,
) -> Exit:
    """Delete and print what went. Raises `InputError` (`input.options`, `input.status`)."""
    from pyagent.runtime.store_prune import Policy, prune_store
    from pyagent.store.base import ENDED

    if older_than is None and keep is None and max_size is None and not statuses:
        raise InputError(
            "nothing says which runs may go",
            code="input.options",
            hint="Give --older-than 30d, --keep 100, --max-size 2GB or --status failed; --dry-run shows what would go.",
        )
    if dry_run and and_compact:
        raise InputError("--dry-run does not go with --compact", code="input.options", hint="Give one of them.")
    if unknown := [status for status in statuses if status not in ENDED]:
        raise InputError(
            f"runs that are {unknown[0]!r} are not pruned",
            code="input.status",
            hint=f"One of: {', '.join(sorted(ENDED))}.",
        )
    policy = Policy(
        older_than=_age(older_than) if older_than is not None else None,
        keep=keep,
        max_bytes=size_of_text(max_size) if max_size is not None else None,
        statuses=cast("Sequence[RunStatus]", statuses),
        graph_id=graph,
    )
    _must_be_there(address)
    async with _opened(address) as store:
        if graph is not None:
            await _warn_of_unknown(store, graph)
        done = await prune_store(store, policy, dry_run=dry_run)
        compacted = await store.compact() if and_compact else None
    if as_json:
        more = {} if compacted is None else {"compacted": asdict(compacted)}
        print_json({"store": _place(address), "dry_run": dry_run, **asdict(done), **more})
    else:
        console = _console()
        verb = "would delete" if dry_run else "deleted"
        console.print(f"{verb} {many(len(done.runs), 'run')}" + (":" if dry_run and done.runs else ""))
        if dry_run:
            _print_runs(console, done.runs, "")
        _print_runs(console, done.kept, "stays: a kept run was forked from it or called by it")
        if compacted is not None:
            _print_compacted(console, compacted)
    return Exit.DONE


async def _warn_of_unknown(store: Store, graph: str) -> None:
    try:
        await store.latest_graph(graph)
    except NotFound:
        error_console().print(f"[yellow]![/] the store knows no graph {escape(graph)}: is its id spelt so?")


async def compact(address: str | None, *, as_json: bool) -> Exit:
    """Give what deleted data took back to the disk, and print how much. Raises `StoreError`."""
    _must_be_there(address)
    async with _opened(address) as store:
        with Console(stderr=True).status("Compacting …"):
            done = await store.compact()
    if as_json:
        print_json({"store": _place(address), **asdict(done)})
    else:
        _print_compacted(_console(), done)
    return Exit.DONE


def _print_compacted(console: Console, done: Compacted) -> None:
    if done.before is not None and done.after is not None:
        given_back = max(0, done.before - done.after)
        console.print(
            f"[green]✓[/] {size_in_words(done.before)} before, {size_in_words(done.after)} after: "
            f"{size_in_words(given_back)} given back"
        )
    for note in done.notes:
        console.print(escape(note))


async def stats(address: str | None, *, as_json: bool) -> Exit:
    """Print how much there is."""
    _must_be_there(address)
    async with _opened(address) as store:
        found = await store.stats()
    if as_json:
        print_json({"store": _place(address), **asdict(found)})
        return Exit.DONE
    console = _console()
    console.print(f"[bold]{escape(_place(address))}[/]")
    by_status = ", ".join(f"{number} {status}" for status, number in sorted(found.runs.items())) or "none"
    lines = {
        "runs": by_status,
        "graphs": f"{found.graphs}, in {many(found.versions, 'version')}",
        "log entries": f"{found.entries:,}",
        "events": f"{found.events:,}",
        "messages": f"{found.messages:,} that nobody has consumed",
        "blobs": f"{found.blobs:,}, {size_in_words(found.blob_bytes)}",
        "on the disk": "" if found.bytes is None else _on_disk(found),
        "oldest run": "" if found.oldest is None else f"{found.oldest.astimezone():%Y-%m-%d %H:%M}",
    }
    for name, value in lines.items():
        if value:
            console.print(f"  {name:<12} {value}")
        if name == "blobs":
            for where, at in found.blobs_at.items():
                console.print(f"    {escape(where)}: {at.blobs:,}, {size_in_words(at.bytes)}")
    return Exit.DONE


def _on_disk(stats: StoreStats) -> str:
    size = size_in_words(stats.bytes or 0)
    return size if stats.bytes_exact else f"about {size}, reckoned; without the database's own transaction logs"


def _telling(status: Status) -> Callable[[Run], None]:
    def tell(run: Run) -> None:
        status.update(f"{run.graph_id} {run.id}")

    return tell


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _print_runs(console: Console, runs: Sequence[str], what: str) -> None:
    for run in runs[:_SHOWN]:
        console.print(f"  {run}" + (f"  [dim]{what}[/]" if what else ""))
    if len(runs) > _SHOWN:
        console.print(f"  and {len(runs) - _SHOWN} more")


def _age(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        raise InputError(f"{text!r} is no age", code="input.options", hint="Write 30d, 12h or 45m.") from None
