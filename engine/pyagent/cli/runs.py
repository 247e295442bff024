"""`pyagent runs` and `pyagent show`: what the store knows of runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast, get_args

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pyagent.cli.exits import Exit, exit_of_status
from pyagent.cli.output import print_json, table_console
from pyagent.cli.progress import event_line, mark
from pyagent.cli.run import run_json, sum_up, watch_run
from pyagent.cli.session import open_engine, server_token
from pyagent.cli.text import escape, plain
from pyagent.cli.view import Labels, RunView, StepView, duration, now
from pyagent.cli.watch import how_to_go_on, with_signals
from pyagent.errors import InputError
from pyagent.server import PORT
from pyagent.store.base import ENDED

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine
    from pyagent.store.base import Event, Message, Run, RunFilter, RunStatus, StepRecord


async def list_runs(
    *,
    graph: str | None,
    statuses: Sequence[str],
    limit: int,
    before: str | None,
    watch: bool = False,
    as_json: bool,
) -> Exit:
    """Print runs, newest first; `watch` until Ctrl-C. Raises `InputError` (`input.status`, `input.options`)."""
    from pyagent.store.base import RunFilter, RunStatus

    known = get_args(RunStatus)
    if unknown := [status for status in statuses if status not in known]:
        raise InputError(f"there is no status {unknown[0]!r}", code="input.status", hint=f"One of: {', '.join(known)}.")
    console = table_console()
    if watch and (as_json or not console.is_terminal):
        raise InputError(
            "--watch draws on a terminal",
            code="input.options",
            hint="In a pipe, ask again from time to time, or follow one run: pyagent logs RUN --follow --json",
        )
    filter = RunFilter(graph_id=graph, statuses=cast("Sequence[RunStatus]", statuses), before=before, limit=limit)
    async with open_engine() as engine:
        if watch:
            return await _watch_runs(engine, filter, console)
        runs = await engine.store.list_runs(filter)
    if as_json:
        print_json([run_json(run) for run in runs])
    elif not runs:
        console.print("No runs. Start one: [bold]pyagent run GRAPH[/]")
    else:
        console.print(_runs_table(runs))
    return Exit.DONE


async def _watch_runs(engine: Engine, filter: RunFilter, console: Console) -> Exit:
    interrupted = asyncio.Event()

    async def drawn() -> Exit:
        with Live(console=console, auto_refresh=False) as live:
            while not interrupted.is_set():
                mark = engine.store.mark()
                runs = await engine.store.list_runs(filter)
                live.update(_runs_table(runs[: max(5, console.height - 3)]), refresh=True)
                await engine.store.changed(1.0, mark)
        return Exit.DONE

    return await with_signals(drawn(), interrupted, console, promise="")


def _runs_table(runs: Sequence[Run]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    priorities = any(run.priority for run in runs)
    for name in ("run", "graph", "status", "started", "took", *(["priority"] if priorities else [])):
        table.add_column(name, no_wrap=name != "graph", justify="right" if name == "priority" else "left")
    for run in runs:
        began = run.started_at or run.created_at
        took = duration(((run.ended_at or datetime.now(UTC)) - began).total_seconds())
        status = mark(run.status).append(f" {run.status}")
        ended = run.status in ENDED or run.status == "running"
        when = f"{began.astimezone():%Y-%m-%d %H:%M:%S}"
        more = [str(run.priority)] if priorities else []
        table.add_row(run.id, run.graph_id, status, when, took if ended else "", *more)
    return table


async def show_run(run_id: str, *, follow: bool, log: bool, as_json: bool) -> Exit:
    """Print a run, or follow it. Raises `NotFound`."""
    from pyagent.graph.yaml import load_text

    console = table_console()
    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        if follow:
            return await watch_run(engine, run, spec, console, as_json=as_json, drive=False)
        labels = Labels(spec, engine.library)
        if log:
            cursor = 0
            while batch := await engine.store.read_events(cursor, run.id):
                cursor = batch[-1].cursor
                for event in batch:
                    print(event_line(event) if as_json else _event_text(event, labels))
            return exit_of_status(run.status)
        records = await engine.store.steps(run.id)
        signals = [(str(wait.get("name", "")), str(wait.get("key", ""))) for wait in _signal_waits(records)]
        messages = await engine.store.messages(run.id, signals)
    if as_json:
        found = run_json(run) | {"steps": [_step_json(record) for record in records]}
        print_json(found)
        return exit_of_status(run.status)
    view = RunView.of_records(labels, records)
    console.print(f"[bold]{escape(spec.name or spec.id)}[/]  [dim]{run.graph_id} {run.graph_hash[:12]}[/]")
    _print_steps(view, console)
    sum_up(run, console)
    for step in view.waiting():
        answered = _answered(step, messages)
        console.print(how_to_go_on(run.id, step, answered=answered), soft_wrap=True)
        record = next((record for record in records if record.step == step.key), None)
        if record is not None and not answered and (address := _form_address(run, record)):
            console.print(f"  [dim]or whoever opens it while `pyagent serve` runs:[/] {address}", soft_wrap=True)
    return exit_of_status(run.status)


def _form_address(run: Run, record: StepRecord) -> str:
    """The address of the page by which whoever has it may answer, on the server's usual port, or nothing."""
    from pyagent.server.form_address import form_path
    from pyagent.server.security import Keys

    path = form_path(run, record, Keys(server_token()))
    return f"http://127.0.0.1:{PORT}{path}" if path else ""


def _signal_waits(records: Sequence[StepRecord]) -> list[Mapping[str, Any]]:
    waits = [record.wait for record in records if record.status == "waiting" and record.wait]
    return [wait for wait in waits if wait.get("kind") == "signal"]


def _answered(step: StepView, messages: Sequence[Message]) -> bool:
    """Whether what the step waits for is there, and no worker has taken it in yet."""
    wait = step.wait or {}
    if wait.get("kind") == "signal":
        awaited = ("signal", wait.get("name", ""), wait.get("key", ""))
        return any((message.kind, message.name, message.key) == awaited for message in messages)
    return any(message.kind in ("answer", "resolve") and message.step == step.key for message in messages)


def _print_steps(view: RunView, console: Console) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")

    def add(parent: str | None) -> None:
        for step in view.children(parent):
            table.add_row(*_row(step))
            add(step.key)

    add(None)
    console.print(table)


def _row(step: StepView) -> tuple[Any, ...]:
    label = Text("  " * step.depth).append_text(mark(step.status)).append(f" {plain(step.label)}")
    if step.attempt > 1:
        label.append(f"  try {step.attempt}", style="yellow")
    took = duration(step.seconds(now())) if step.started_at and step.status != "skipped" else ""
    items = step.items_text if step.items_out else ""
    return label, step.key, took, items, Text(plain(step.message), style="red" if step.error else "dim")


def _event_text(event: Event, labels: Labels) -> str:
    data = json.dumps(dict(event.data), ensure_ascii=False) if event.data else ""
    where = plain(labels.of(event.step)) if event.step else ""
    return "  ".join(part for part in (f"{event.at.astimezone():%H:%M:%S.%f}"[:-3], event.kind, where, data) if part)


def _step_json(record: StepRecord) -> dict[str, Any]:
    return {
        "step": record.step,
        "node": record.node,
        "status": record.status,
        "attempt": record.attempt,
        "started_at": record.started_at.isoformat() if record.started_at else None,
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "items_in": record.items_in,
        "items_out": dict(record.items_out),
        "error": dict(record.error) if record.error else None,
        "wait": dict(record.wait) if record.wait else None,
    }
