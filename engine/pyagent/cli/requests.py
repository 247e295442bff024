"""Requests to runs: cancel, pause, resume, fork, approve, signal, resolve."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.run import checked_document, strict_json, watch_run
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.cli.watch import STOPPED, owner_alive
from pyagent.errors import InputError, LeaseHeld
from pyagent.store.base import ENDED, HowSettled, OnceChoice

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine
    from pyagent.store.base import Run

_PATIENCE = 15.0
"""Seconds that a request waits for the run to do as it was asked."""
_SERVED = "[dim]`pyagent serve` executes it; `pyagent resume {run}` does so here.[/]"


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


async def cancel(run_id: str, reason: str) -> Exit:
    """Ask a run to stop; one that nobody executes is ended here. Raises `NotFound`."""
    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        if run.status in ENDED:
            _console().print(f"The run {run.id} has ended already: {run.status}.")
            return Exit.DONE
        await engine.cancel(run.id, reason=reason)
        run = await _settle(engine, run)
        _console().print(f"{run.id}: {'cancelled' if run.status == 'cancelled' else 'asked to stop'}")
    return Exit.DONE


async def pause(run_id: str) -> Exit:
    """Ask a run to start nothing new. Raises `NotFound`."""
    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        if run.status in ENDED:
            _console().print(f"The run {run.id} has ended already: {run.status}.")
            return Exit.DONE
        await engine.pause(run.id)
        run = await _settle(engine, run)
        word = "paused" if run.status == "paused" else "asked to pause"
        _console().print(f"{run.id}: {word}. Go on with: pyagent resume {run.id}")
    return Exit.DONE


async def _settle(engine: Engine, run: Run) -> Run:
    """Let whoever executes the run take in its message; where nobody does, do so here.

    A worker that died holds its lease for some seconds more; that is waited for.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + _PATIENCE
    while True:
        mark = engine.store.mark()
        run = await engine.store.get_run(run.id)
        if run.status in STOPPED or loop.time() >= end:
            return run
        if not owner_alive(run.lease_owner or ""):
            try:
                return await engine.drive(run.id)
            except LeaseHeld:
                await asyncio.sleep(0.2)
        await engine.store.changed(0.5, mark)


async def resume(run_id: str, *, as_json: bool, detach: bool) -> Exit:
    """Go on with a run here, or leave it to whoever serves. Raises `RunError`, `NotFound`, `LeaseHeld`."""
    from pyagent.graph.yaml import load_text

    async with open_engine() as engine:
        run = await engine.resume(run_id)
        if detach:
            _console().print(f"{run.id}: asked to go on. {_SERVED.format(run=run.id)}")
            return Exit.DONE
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        # One that runs elsewhere needs nothing; one that was let go on just now may be taken by whoever serves.
        share = run.status != "running"
        return await watch_run(engine, run, spec, Console(highlight=False), as_json=as_json, share=share)


async def fork(
    run_id: str,
    step: str,
    *,
    items: str | None,
    graph: str | None,
    once: OnceChoice,
    as_json: bool,
    detach: bool,
) -> Exit:
    """Make a fork and execute it here. Raises `NotFound`, `InputError`, `GraphError`."""
    from pyagent.graph.yaml import load_text

    async with open_engine(graph) as engine:
        document = await checked_document(engine, graph, quiet=as_json) if graph is not None else None
        given = parse_json(items, "--items") if items is not None else None
        run = await engine.fork(run_id, step, items=given, graph=document, once=once)
        if detach:
            _console().print(f"{run.id}: forked from {run.forked_from}. {_SERVED.format(run=run.id)}")
            return Exit.DONE
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        return await watch_run(engine, run, spec, Console(highlight=False), as_json=as_json)


async def approve(run_id: str, step: str, *, approved: bool, comment: str) -> Exit:
    """Answer an approval. Raises `NotFound`."""
    async with open_engine() as engine:
        await engine.answer(run_id, step, {"approved": approved, "comment": comment})
        run = await engine.store.get_run(run_id)
        _say_served(run, "approved" if approved else "rejected")
    return Exit.DONE


async def send_signal(name: str, *, key: str, run: str | None, value: str) -> Exit:
    """Send a signal. Raises `NotFound`, `InputError`."""
    async with open_engine() as engine:
        # Looked up first: a worker may take the signal in at once.
        waiting = await _waits_for_signal(engine, name, key, run)
        await engine.signal(name, parse_json(value, "--value"), key=key, run_id=run)
    console = _console()
    console.print(f"sent {escape(name)}" + (f" with key {escape(key)}" if key else ""))
    if waiting is None:
        console.print("[dim]No run waits for it now; it is kept until one does.[/]")
    else:
        console.print(f"[dim]The run {waiting.id} waits for it.[/]")
        _say_who_goes_on(waiting)
    return Exit.DONE


async def _waits_for_signal(engine: Engine, name: str, key: str, run_id: str | None) -> Run | None:
    """A run that waits for the signal."""
    from pyagent.store.base import RunFilter

    if run_id is not None:
        candidates = [await engine.store.get_run(run_id)]
    else:
        candidates = await engine.store.list_runs(RunFilter(statuses=("waiting", "running"), limit=1000))
    for run in candidates:
        for record in await engine.store.steps(run.id):
            wait = record.wait or {}
            awaited = wait.get("kind"), wait.get("name", ""), wait.get("key", "")
            if record.status == "waiting" and awaited == ("signal", name, key):
                return run
    return None


async def resolve(run_id: str, step: str, how: HowSettled, *, items: str | None) -> Exit:
    """Settle an unknown outcome. Raises `NotFound`, `InputError`."""
    async with open_engine() as engine:
        given = parse_json(items, "--items") if items is not None else None
        await engine.resolve(run_id, step, how, items=given)
        run = await engine.store.get_run(run_id)
        _say_served(run, f"settled as {how}")
    return Exit.DONE


def _say_served(run: Run, what: str) -> None:
    _console().print(f"{run.id}: {what}")
    _say_who_goes_on(run)


def _say_who_goes_on(run: Run) -> None:
    if run.lease_owner is None:
        _console().print(_SERVED.format(run=run.id))


def parse_json(text: str, option: str) -> Any:
    """The JSON value of an option. Raises `InputError` (`input.syntax`)."""
    try:
        return strict_json(text)
    except ValueError as error:
        raise InputError(f"{option} is no JSON: {error}", code="input.syntax", hint="Quote it for the shell.") from None
