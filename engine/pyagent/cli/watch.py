"""Drives or follows one run in the foreground: shows it, asks on the terminal, and lets go of it on Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.forms import ask_form
from pyagent.cli.messages import error_console
from pyagent.cli.progress import Screen, screen_for
from pyagent.cli.streams import when_unread
from pyagent.cli.text import escape
from pyagent.cli.view import Labels, RunView, StepView
from pyagent.errors import LeaseHeld, LeaseLost, NotFound, PyAgentError
from pyagent.store.base import ENDED, SlotTaken

if TYPE_CHECKING:
    from pyagent.graph.spec import GraphSpec
    from pyagent.runtime.engine import Engine
    from pyagent.store.base import Run

STOPPED = ENDED | {"paused"}
"""Statuses in which nobody works on a run, and it does not wait for anything by itself."""
_ASKS = frozenset({"approval", "form", "webhook", "unknown", "signal"})
"""Waits that end only when somebody does something."""
_ASKED_HERE = frozenset({"approval", "form"})
"""Those of them that somebody at the terminal is asked about."""


class Watch:
    """One run in the foreground of a terminal or a pipe."""

    def __init__(
        self,
        engine: Engine,
        run: Run,
        spec: GraphSpec,
        console: Console,
        *,
        as_json: bool = False,
        drive: bool = True,
        share: bool = True,
    ) -> None:
        """`drive` False only follows: somebody else executes the run.

        `share` also follows where a worker that is alive was faster; otherwise that is `LeaseHeld`.
        """
        self.engine = engine
        self.run = run
        self.console = console
        self.drive = drive
        self.share = share
        self.as_json = as_json
        self.interactive = not as_json and console.is_terminal and sys.stdin.isatty()
        self.view = RunView(Labels(spec, engine.library))
        self.screen: Screen = screen_for(self.view, console, as_json=as_json)
        self.interrupted = asyncio.Event()
        self._asked: set[str] = set()
        self.left_open: set[str] = set()
        """Steps that wait for somebody, who was told how to go on with them later."""
        self._started: dict[str, asyncio.Task[None]] = {}
        """Runs that this one has started, driven here as well."""

    async def until_it_stops(self, *, stay: bool = False) -> Run:
        """Show the run until it ended, is paused, or waits for somebody who cannot be asked here.

        Whoever is asked here may leave it open, and then cannot be asked either. `stay` goes on through such waits: the
        page can answer. Returns how the run stands then. Raises `PyAgentError`.
        """
        with self.screen:
            follower = asyncio.create_task(self._follow())
            asker = asyncio.create_task(self._ask()) if self.interactive else None
            driver = asyncio.create_task(self._drive(stay) if self.drive else self._wait(stay))
            stop = asyncio.create_task(self.interrupted.wait())
            others = asyncio.create_task(self._drive_started()) if self.drive else None
            try:
                await asyncio.wait({driver, stop}, return_when=asyncio.FIRST_COMPLETED)
                if self.drive and not driver.done():
                    self.engine.drain()
                    await asyncio.wait({driver}, timeout=15)
                if driver.done():
                    self.run = driver.result()
                await self._catch_up(follower)
                if self.drive and not self.interrupted.is_set():
                    await self._finish_started(stop)
            finally:
                if self.drive:
                    self.engine.drain()
                tasks: list[asyncio.Task[Any]] = [*self._started.values()]
                if tasks:
                    await asyncio.wait(tasks, timeout=15)
                tasks += [task for task in (follower, asker, driver, stop, others) if task is not None]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        self.run = await self.engine.store.get_run(self.run.id)
        return self.run

    # -- driving --------------------------------------------------------------------------------------------------

    async def _drive(self, stay: bool) -> Run:
        engine = self.engine
        while True:
            try:
                run = await engine.drive(self.run.id)
            except LeaseHeld:
                try:
                    await self._wait_for_lease()
                except LeaseHeld:
                    if not self.share:
                        raise
                    return await self._follow_other(stay)
                continue
            except LeaseLost:
                return await self._follow_other(stay)
            except SlotTaken:
                self.screen.note("[yellow]◷[/] Others with its key go first; waiting for its turn.")
                await self._until_claimable()
                run = await engine.store.get_run(self.run.id)
                if run.status in STOPPED or self.interrupted.is_set():
                    return run
                continue
            if run.status in STOPPED or self.interrupted.is_set():
                return run
            if run.status == "waiting":
                if not stay and await self._needs_somebody():
                    return run
                await self._until_claimable(stay)
                run = await engine.store.get_run(run.id)
                if run.status in STOPPED or self.interrupted.is_set():
                    return run

    async def _follow_other(self, stay: bool) -> Run:
        run = await self.engine.store.get_run(self.run.id)
        self.screen.note(f"[yellow]▸[/] {escape(run.lease_owner or 'another worker')} executes the run; following it.")
        return await self._wait(stay)

    async def _drive_started(self) -> None:
        """Drive the runs that this one starts: graphs called without waiting, and `settings.on_failure`."""
        store = self.engine.store
        while True:
            mark = store.mark()
            for run_id in await store.claimable():
                if run_id not in self._started and run_id != self.run.id:
                    run = await store.get_run(run_id)
                    if run.parent_run == self.run.id or run.parent_run in self._started:
                        self.screen.note(f"[dim]It has started {escape(run.graph_id)}: run {run.id}[/]")
                        self._started[run.id] = asyncio.create_task(self._drive_quietly(run.id))
            await store.changed(1.0, mark)

    async def _drive_quietly(self, run_id: str) -> None:
        try:
            run = await self.engine.drive(run_id)
        except PyAgentError as error:
            self.screen.note(f"[red]run {run_id}[/]: {escape(str(error))}")
        else:
            self.screen.note(f"[dim]run {run.id}: {run.status}[/]")

    async def _finish_started(self, stop: asyncio.Task[Any]) -> None:
        """Wait for the runs that this one has started, and those that they start."""
        store = self.engine.store
        while not stop.done():
            alive = [task for task in self._started.values() if not task.done()]
            if alive:
                await asyncio.wait({*alive, stop}, return_when=asyncio.FIRST_COMPLETED)
                continue
            queued = [await store.get_run(run_id) for run_id in await store.claimable() if run_id not in self._started]
            if not any(run.parent_run == self.run.id or run.parent_run in self._started for run in queued):
                return
            # The task that takes them in looks whenever the store has changed.
            await asyncio.sleep(0.05)

    async def _until_claimable(self, stay: bool = True) -> None:
        """Return when something new is there for the waiting run: an answer, a signal, the end of a timer.

        Without `stay` also when it waits for somebody who was asked here and left it open.
        """
        store = self.engine.store
        while not self.interrupted.is_set():
            mark = store.mark()
            run = await store.get_run(self.run.id)
            if run.status in STOPPED or self.run.id in await store.claimable():
                return
            if not stay and run.status == "waiting" and self.left_open and await self._needs_somebody():
                return
            # Nothing is written to the store when somebody leaves a question open.
            await store.changed(0.3 if self.interactive else 1.0, mark)

    async def _wait_for_lease(self) -> None:
        """Return when the lease that another worker holds may have ended.

        Raises `LeaseHeld` when that worker is alive: its process runs on this machine, or it has renewed the lease.
        """
        store = self.engine.store
        first = await store.get_run(self.run.id)
        if first.lease_owner is None or first.lease_expires_at is None:
            return
        if owner_alive(first.lease_owner):
            raise _alive(first)
        left = (first.lease_expires_at - datetime.now(UTC)).total_seconds()
        owner = escape(first.lease_owner)
        self.screen.note(
            f"[yellow]◷[/] Its last worker ({owner}) is gone; its lease ends in {max(0.0, left):.0f} s. Waiting."
        )
        while not self.interrupted.is_set():
            mark = store.mark()
            run = await store.get_run(self.run.id)
            if run.lease_expires_at is None or run.lease_owner is None:
                return
            if run.lease_expires_at > first.lease_expires_at:
                raise _alive(run)
            left = (run.lease_expires_at - await store.now()).total_seconds()
            if left <= 0:
                return
            await store.changed(min(left, 0.5), mark)

    async def _wait(self, stay: bool) -> Run:
        """Follow a run that others drive."""
        store = self.engine.store
        told = False
        while True:
            mark = store.mark()
            run = await store.get_run(self.run.id)
            waits = run.status == "waiting" and not stay and await self._needs_somebody()
            # Whoever holds the run has not said yet that it goes on.
            if (run.status in STOPPED or waits) and run.lease_owner is None:
                return run
            expires = run.lease_expires_at
            if run.status in ("queued", "running") and not told and (expires is None or expires < await store.now()):
                # A server would take it within a moment.
                await store.changed(1.0, mark)
                if (await store.get_run(run.id)).lease_expires_at == expires:
                    told = True
                    self.screen.note(f"[yellow]Nobody executes it now:[/] pyagent resume {run.id}")
                continue
            await store.changed(1.0, mark)

    async def _needs_somebody(self) -> bool:
        """Whether a step waits for a person or a signal, not only for a time, and nobody is to be asked here."""
        if self.interactive and not self.left_open:
            return False
        kinds = {
            record.step: (record.wait or {}).get("kind")
            for record in await self.engine.store.steps(self.run.id)
            if record.status in ("waiting", "unknown")
        }
        asking = {step for step, kind in kinds.items() if kind in _ASKS}
        if not self.interactive:
            return bool(asking)
        return asking <= self.left_open and any(kinds[step] in _ASKED_HERE for step in asking)

    # -- showing --------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for batch in self.engine.store.follow(self.view.cursor, self.run.id):
            for event in batch:
                self.screen.show(event, self.view.apply(event))

    async def _catch_up(self, follower: asyncio.Task[None]) -> None:
        """Show what was committed before the run stopped."""
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        while batch := await self.engine.store.read_events(self.view.cursor, self.run.id):
            for event in batch:
                self.screen.show(event, self.view.apply(event))

    # -- asking ---------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Ask on the terminal for each approval the run waits for; an answer from elsewhere ends the question."""
        store = self.engine.store
        while True:
            mark = store.mark()
            for step in self.view.waiting():
                if step.key not in self._asked:
                    self._asked.add(step.key)
                    await self._ask_about(step)
            await store.changed(0.5, mark)

    async def _ask_about(self, step: StepView) -> None:
        wait = step.wait or {}
        if wait.get("kind") not in _ASKED_HERE:
            self.screen.note(how_to_go_on(self.run.id, step))
            self.left_open.add(step.key)
            return
        prompt: dict[str, Any] = dict(wait.get("prompt") or {})

        async def read() -> str | None:
            return await read_line(lambda: step.status == "waiting")

        with self.screen.aside():
            self.console.print(f"\n[bold yellow]{escape(str(wait.get('title') or step.label))}[/]")
            if prompt.get("message"):
                self.console.print(escape(str(prompt["message"])))
            if wait["kind"] == "form":
                answer = await ask_form(wait, self.console, read)
            else:
                self.console.print("[bold]y[/]es, [bold]n[/]o, or Enter to leave it open: ", end="")
                said = {"y": True, "yes": True, "n": False, "no": False}.get(((await read()) or "").strip().lower())
                answer = None if said is None else {"approved": said}
        if answer is None:
            if step.status == "waiting":
                self.screen.note(how_to_go_on(self.run.id, step))
                self.left_open.add(step.key)
            return
        with contextlib.suppress(NotFound):
            await self.engine.answer(self.run.id, step.key, answer)


async def read_line(wanted: Callable[[], bool]) -> str | None:
    """A line from the terminal, or None once it is not wanted any more."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not line.done():
            line.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, read)
    try:
        while wanted():
            done, _ = await asyncio.wait({line}, timeout=0.3)
            if done:
                return line.result()
        return None
    finally:
        loop.remove_reader(sys.stdin)


def how_to_go_on(run_id: str, step: StepView, *, answered: bool = False) -> str:
    """What somebody can do about a waiting step; `answered`: somebody has, and no worker took it in. Rich markup."""
    wait = step.wait or {}
    label = escape(step.label)
    short, key = run_id, escape(step.key)
    if answered:
        return f"[green]✓[/] {label} is answered; go on with [bold]pyagent resume {short}[/] (or pyagent serve)"
    match wait.get("kind"):
        case "approval":
            return (
                f"[yellow]◷[/] {label} waits for an approval: [bold]pyagent approve {short} {key}[/]"
                "  (or with [bold]--reject[/])"
            )
        case "form":
            return (
                f"[yellow]◷[/] {label} waits for a form: [bold]pyagent answer {short} {key}[/]"
                "  (or with [bold]--set NAME=VALUE[/])"
            )
        case "unknown":
            return (
                f"[magenta]?[/] nobody knows whether {label} took place: "
                f"[bold]pyagent resolve {short} {key} done[/]  (or [bold]retry[/], or [bold]failed[/]; "
                "with done, [bold]--items JSON[/] says what it gave)"
            )
        case "signal":
            more = f" --key {wait['key']}" if wait.get("key") else ""
            name = escape(str(wait.get("name")))
            return f"[yellow]◷[/] {label} waits for a signal: [bold]pyagent signal {name}{more}[/]"
        case "time":
            return f"[yellow]◷[/] {label} waits until {escape(str(wait.get('until')))}"
        case kind:
            return f"[yellow]◷[/] {label} waits for an answer ({escape(str(kind))}): the page shows the form"


def owner_alive(owner: str) -> bool:
    """Whether a lease's owner, `host-pid-chance`, is a process that lives on this machine."""
    import socket

    host, _, rest = owner.rpartition("-")[0].rpartition("-")
    if host != socket.gethostname() or not rest.isdigit() or int(rest) == os.getpid():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _alive(run: Run) -> LeaseHeld:
    return LeaseHeld(
        f"the run {run.id} is being executed by {run.lease_owner}",
        hint=f"Follow it with `pyagent show {run.id} --follow`, or stop it with `pyagent cancel {run.id}`.",
    )


async def with_signals(watched: Awaitable[Exit], interrupted: asyncio.Event, console: Console, *, promise: str) -> Exit:
    """Await it; the first Ctrl-C sets `interrupted` and prints `promise`, the second ends the process at once."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if interrupted.is_set():
            with contextlib.suppress(OSError):
                console.show_cursor(True)
                console.print("\n[red]Stopped at once.[/]")
            # Children die with this process, and the store has every commit: nothing is left to tidy up.
            os._exit(Exit.INTERRUPTED)
        interrupted.set()
        with contextlib.suppress(OSError):  # the terminal may be gone
            console.print(f"\n[yellow]{promise}[/] Ctrl-C again stops at once.")

    def on_unread() -> None:
        if not interrupted.is_set():
            interrupted.set()
            error_console().print(f"[yellow]Nobody reads the output any more. {promise}[/]")

    # A terminal that is closed says SIGHUP; `nohup` has it ignored, and so it stays.
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        with when_unread(lambda: loop.call_soon(on_unread)):
            return await watched
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
