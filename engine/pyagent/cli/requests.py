"""Requests to runs: cancel, pause, resume, fork, approve, signal, resolve, delete."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.forms import ask_form, set_values
from pyagent.cli.messages import error_console
from pyagent.cli.output import print_json
from pyagent.cli.run import checked_document, run_json, watch_run
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.cli.watch import STOPPED, owner_alive
from pyagent.errors import InputError, LeaseHeld, RunError
from pyagent.store.base import ENDED, HowSettled, OnceChoice, SlotTaken

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine
    from pyagent.store.base import Run, RunStatus

_PATIENCE = 15.0
"""Seconds that a request waits for the run to do as it was asked."""
_SERVED = "[dim]`pyagent serve` or `pyagent worker` executes it; `pyagent resume {run}` does so here.[/]"


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


async def cancel(run_id: str, reason: str, *, as_json: bool = False) -> Exit:
    """Ask a run to stop; one that nobody executes is ended here. Raises `NotFound`."""
    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        if run.status in ENDED:
            _say(run, f"The run {run.id} has ended already: {run.status}.", as_json=as_json)
            return Exit.DONE
        await engine.cancel(run.id, reason=reason)
        run = await _settle(engine, run, _PATIENCE, ENDED)
        _say(run, f"{run.id}: {'cancelled' if run.status == 'cancelled' else 'asked to stop'}", as_json=as_json)
    return Exit.DONE


async def pause(run_id: str, *, patience: float = _PATIENCE, as_json: bool = False) -> Exit:
    """Ask a run to start nothing new, and wait at most `patience` seconds for what runs to end.

    Exit code 3 if something still runs then: nothing new starts all the same. Raises `NotFound`.
    """
    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        if run.status in ENDED:
            _say(run, f"The run {run.id} has ended already: {run.status}.", as_json=as_json)
            return Exit.DONE
        await engine.pause(run.id)
        run = await _settle(engine, run, patience)
        still = [record.step for record in await engine.store.steps(run.id) if record.status == "running"]
    if run.status in STOPPED:
        told = f"paused. Go on with: pyagent resume {run.id}" if run.status == "paused" else str(run.status)
        _say(run, f"{run.id}: {told}", as_json=as_json)
        return Exit.DONE
    names = ", ".join(still) or "a step"
    _say(run, f"{run.id}: asked to pause; {names} still runs, and nothing new starts.", as_json=as_json)
    return Exit.WAITING


def patience_of(text: str | None) -> float:
    """Seconds of a duration such as `30s`. Raises `InputError` (`input.syntax`)."""
    from pyagent.graph.duration import parse_duration

    if text is None:
        return _PATIENCE
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise InputError(f"--timeout: {error}", code="input.syntax", hint="Give a number and a unit: 30s.") from None


async def delete(run_id: str, *, yes: bool, as_json: bool = False) -> Exit:
    """Delete a run for good. Raises `NotFound`, `RunError` (`run.not_ended`), `InputError` (`input.consent`)."""
    from pyagent.runtime.scratch import remove_scratch

    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        if run.status not in ENDED:
            raise RunError(
                f"the run {run.id} is {run.status}", code="run.not_ended", hint=f"First: pyagent cancel {run.id}"
            )
        if not yes and not _agreed(f"Delete the run {run.id} of {run.graph_id}, its data and its log for good?"):
            raise InputError(f"the run {run.id} was not deleted", code="input.consent", hint="Say yes, or give --yes.")
        await engine.store.delete_run(run.id)
        remove_scratch(run.id)
        _say(run, f"{run.id}: deleted", as_json=as_json)
    return Exit.DONE


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    error_console().print(f"{escape(question)} [bold]y[/]es, [bold]n[/]o: ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(run: Run, text: str, *, as_json: bool) -> None:
    """What became of a request: a sentence, or the run."""
    if as_json:
        print_json(run_json(run))
    else:
        _console().print(text)


async def _settle(engine: Engine, run: Run, patience: float, settled: Container[RunStatus] = STOPPED) -> Run:
    """Let whoever executes the run take in its message; where nobody does, do so here.

    A worker that died holds its lease for some seconds more; that is waited for.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while True:
        mark = engine.store.mark()
        run = await engine.store.get_run(run.id)
        if run.status in settled or loop.time() >= end:
            return run
        if not owner_alive(run.lease_owner or ""):
            try:
                if (run := await engine.drive(run.id)).status in settled:
                    return run
            except SlotTaken:
                return run  # it takes the message in when its turn comes
            except LeaseHeld:
                await asyncio.sleep(min(0.2, patience))
        await engine.store.changed(max(0.01, min(0.5, end - loop.time())), mark)


async def resume(run_id: str, *, as_json: bool, detach: bool) -> Exit:
    """Go on with a run here, or leave it to whoever serves. Raises `RunError`, `NotFound`, `LeaseHeld`."""
    from pyagent.graph.yaml import load_text

    async with open_engine() as engine:
        told = await engine.store.last_cursor()
        run = await engine.resume(run_id)
        if detach:
            _say(run, f"{run.id}: asked to go on. {_SERVED.format(run=run.id)}", as_json=as_json)
            return Exit.DONE
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        # One that runs elsewhere needs nothing; one that was let go on just now may be taken by whoever serves.
        share = run.status != "running"
        return await watch_run(engine, run, spec, Console(highlight=False), as_json=as_json, share=share, after=told)


async def fork(
    run_id: str,
    step: str,
    *,
    items: str | None,
    graph: str | None,
    until: str,
    once: OnceChoice,
    as_json: bool,
    detach: bool,
) -> Exit:
    """Make a fork and execute it here. Raises `NotFound`, `InputError`, `GraphError`."""
    from pyagent.graph.yaml import load_text

    async with open_engine(graph) as engine:
        document = await checked_document(engine, graph, quiet=as_json) if graph is not None else None
        given = parse_json(items, "--items") if items is not None else None
        run = await engine.fork(run_id, step, items=given, graph=document, until=until, once=once)
        if detach:
            _say(run, f"{run.id}: forked from {run.forked_from}. {_SERVED.format(run=run.id)}", as_json=as_json)
            return Exit.DONE
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        return await watch_run(engine, run, spec, Console(highlight=False), as_json=as_json)


async def approve(run_id: str, step: str, *, approved: bool, comment: str, as_json: bool = False) -> Exit:
    """Answer an approval. Raises `NotFound`."""
    async with open_engine() as engine:
        await engine.answer(run_id, step, {"approved": approved, "comment": comment})
        run = await engine.store.get_run(run_id)
        _say_served(run, "approved" if approved else "rejected", as_json=as_json)
    return Exit.DONE


async def answer(run_id: str, step: str, *, value: str | None, sets: Sequence[str], as_json: bool = False) -> Exit:
    """Answer a step that waits for a form, an approval or a webhook; on a terminal, ask for what is not given.

    Raises `NotFound`, `InputError` (`run.answer` with the field that does not fit).
    """
    async with open_engine() as engine:
        record = await engine.waiting_step(run_id, step, ("form", "approval", "webhook"))
        wait = record.wait or {}
        given: Any
        if value is not None:
            given = parse_json(value, "--value")
        elif sets or not sys.stdin.isatty() or as_json:
            given = set_values(wait, sets)
        else:
            console = _console()
            console.print(f"[bold]{escape(str(wait.get('title') or record.node))}[/]")
            prompt: dict[str, Any] = dict(wait.get("prompt") or {})
            if prompt.get("message"):
                console.print(escape(str(prompt["message"])))
            given = await ask_form(wait, console, _read_line)
            if given is None:
                return Exit.WAITING
        await engine.answer(run_id, record.step, given)
        run = await engine.store.get_run(run_id)
        _say_served(run, "answered", as_json=as_json)
    return Exit.DONE


async def _read_line() -> str | None:
    return await asyncio.to_thread(sys.stdin.readline) or None


async def send_signal(name: str, *, key: str, run: str | None, value: str, as_json: bool = False) -> Exit:
    """Send a signal. Raises `NotFound`, `InputError`."""
    async with open_engine() as engine:
        # Looked up first: a worker may take the signal in at once.
        waiting = await _waits_for_signal(engine, name, key, run)
        await engine.signal(name, parse_json(value, "--value"), key=key, run_id=run)
    if as_json:
        print_json({"signal": name, "key": key, "run": waiting.id if waiting else None})
        return Exit.DONE
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


async def resolve(run_id: str, step: str, how: HowSettled, *, items: str | None, as_json: bool = False) -> Exit:
    """Settle an unknown outcome. Raises `NotFound`, `InputError`."""
    async with open_engine() as engine:
        given = parse_json(items, "--items") if items is not None else None
        await engine.resolve(run_id, step, how, items=given)
        run = await engine.store.get_run(run_id)
        _say_served(run, f"settled as {how}", as_json=as_json)
    return Exit.DONE


def _say_served(run: Run, what: str, *, as_json: bool) -> None:
    _say(run, f"{run.id}: {what}", as_json=as_json)
    if not as_json:
        _say_who_goes_on(run)


def _say_who_goes_on(run: Run) -> None:
    if run.lease_owner is None:
        _console().print(_SERVED.format(run=run.id))


def parse_json(text: str, option: str) -> Any:
    """The JSON value of an option. Raises `InputError` (`input.syntax`)."""
    from pyagent.runtime.inputs import strict_json

    try:
        return strict_json(text)
    except ValueError as error:
        raise InputError(f"{option} is no JSON: {error}", code="input.syntax", hint="Quote it for the shell.") from None
