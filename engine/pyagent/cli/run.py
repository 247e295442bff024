"""`pyagent run`: from a graph and its inputs to a finished run on the screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from pyagent.cli.exits import Exit, exit_of_status
from pyagent.cli.inputs import agree, given_inputs
from pyagent.cli.messages import error_console, print_error_data, print_problems
from pyagent.cli.output import print_json_line
from pyagent.cli.progress import MARKS
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.cli.view import duration
from pyagent.cli.watch import Watch, how_to_go_on, owner_alive, with_signals
from pyagent.errors import StoreError
from pyagent.graph.source import is_path

if TYPE_CHECKING:
    from pyagent.graph.spec import GraphSpec
    from pyagent.graph.yaml import Document
    from pyagent.runtime.engine import Engine
    from pyagent.store.base import KeyPolicy, Run


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `pyagent run` was asked for."""

    graph: str
    inputs: Sequence[str] = ()
    """`name=value` each."""
    inputs_json: str | None = None
    input_file: str | None = None
    key: str | None = None
    on_key: KeyPolicy = "reject"
    priority: int | None = None
    trigger: str = ""
    until: str = ""
    as_json: bool = False
    yes: bool = False
    test: bool = False
    serve: bool = False
    host: str = "127.0.0.1"
    port: int | None = None


async def run_command(options: RunOptions) -> Exit:
    """Check, ask, start, drive, show, sum up. Raises `PyAgentError`."""
    console = Console(highlight=False)
    async with open_engine(options.graph) as engine:
        document = await checked_document(engine, options.graph, quiet=options.as_json)
        inputs = given_inputs(document.spec, options)
        agree(document.spec, inputs, yes=options.yes, interactive=not options.as_json and console.is_terminal)
        if options.serve:
            from pyagent.cli.serve import run_and_serve

            return await run_and_serve(engine, document, inputs, options, console)
        run = await start(engine, document, inputs, options, reserve=True)
        return await watch_run(engine, run, document.spec, console, as_json=options.as_json)


async def start(
    engine: Engine, document: Document, inputs: Mapping[str, Any], options: RunOptions, *, reserve: bool
) -> Run:
    """Queue the run, as part of the trace that the environment names; `reserve`: to be driven here at once."""
    from pyagent.runtime.trace import read_labels
    from pyagent.settings import TRACEPARENT, TRACESTATE

    return await engine.start(
        document,
        inputs,
        trigger=options.trigger,
        until=options.until,
        key=options.key,
        key_policy=options.on_key,
        priority=options.priority,
        production=not options.test,
        reserve=reserve,
        labels=read_labels({"traceparent": TRACEPARENT.text(), "tracestate": TRACESTATE.text()}),
    )


async def watch_run(
    engine: Engine,
    run: Run,
    spec: GraphSpec,
    console: Console,
    *,
    as_json: bool = False,
    drive: bool = True,
    share: bool = True,
    after: int = 0,
) -> Exit:
    """Execute (or only follow) the run in the foreground, and say how it went.

    `drive` and `share` as for `Watch`; events up to the cursor `after` are taken as known and not told again.
    """
    watch = Watch(engine, run, spec, console, as_json=as_json, drive=drive, share=share)
    if after:
        watch.view.take_in(await engine.store.steps(run.id), run.started_at, after)
    if not as_json:
        console.print(f"[bold]{escape(spec.name or spec.id)}[/]  [dim]run {run.id}[/]")
    told = error_console() if as_json else console
    promise = "Stopping; the run can be resumed." if drive else "No longer following; the run goes on."

    async def watched() -> Exit:
        nonlocal watch
        try:
            ended = await watch.until_it_stops()
            while ended.continued_as is not None and not watch.interrupted.is_set():
                watch = await _successor(watch, ended.continued_as)
                if not as_json:
                    console.print(f"[dim]It begins anew: run {watch.run.id}[/]")
                ended = await watch.until_it_stops()
        except StoreError as error:
            error.hint = error.hint.replace("resume RUN", f"resume {watch.run.id}")
            raise
        if as_json:
            print_json_line({"run": run_json(ended)})
        else:
            sum_up(ended, console)
            for step in watch.view.waiting() if ended.status == "waiting" else ():
                if step.key not in watch.left_open:
                    console.print(how_to_go_on(ended.id, step), soft_wrap=True)
        return Exit.INTERRUPTED if watch.interrupted.is_set() else exit_of_status(ended.status)

    return await with_signals(watched(), watch.interrupted, told, promise=promise)


async def _successor(watch: Watch, run_id: str) -> Watch:
    """The watch on the run that goes on for one that has ended, as this one is watched."""
    from pyagent.graph.yaml import load_text

    run = await watch.engine.store.get_run(run_id)
    spec = load_text((await watch.engine.store.get_graph(run.graph_hash)).text).spec
    following = Watch(
        watch.engine, run, spec, watch.console, as_json=watch.as_json, drive=watch.drive, share=watch.share
    )
    following.interrupted = watch.interrupted
    return following


async def checked_document(engine: Engine, graph: str, *, quiet: bool = False) -> Document:
    """The graph, checked; warnings are printed. Raises `GraphError` with everything that is wrong."""
    from pyagent.errors import GraphError
    from pyagent.graph.yaml import read_file
    from pyagent.runtime.checking import GraphChecker

    checker = GraphChecker(engine.registry)
    try:
        document = await engine.document(graph)
    except GraphError as error:
        # The file does not fit the format; the checks say more than the first thing that is wrong.
        if error.where.file is None or error.code == "graph.file":
            raise
        problems = checker.check_text(read_file(error.where.file), error.where.file)
        error.details["problems"] = [problem.as_dict() for problem in problems]
        raise
    if not is_path(graph) and engine.library.find(graph) is None:
        folders = ", ".join(map(str, engine.library.folders)) or "any folder"
        error_console().print(
            f"[yellow]The graph {escape(graph)} as it was run last; no file of it is in {escape(folders)}[/]"
        )
    warnings = checker.require(document)
    if warnings and not quiet:
        print_problems(warnings, error_console(), document.text)
    return document


def run_json(run: Run) -> dict[str, Any]:
    """A run for `--json`."""
    from pyagent.runtime.partial import until_of

    return {
        "id": run.id,
        "graph": run.graph_id,
        "status": run.status,
        "inputs": json.loads(run.inputs),
        "outputs": json.loads(run.outputs) if run.outputs else None,
        "error": dict(run.error) if run.error else None,
        "created_at": run.created_at.isoformat(),
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "key": run.key,
        "priority": run.priority,
        "forked_from": run.forked_from,
        "until": until_of(run) or None,
        "continues": run.continues,
        "continued_as": run.continued_as,
        "parent_run": run.parent_run,
        "actor": run.actor,
    }


def sum_up(run: Run, console: Console) -> None:
    """How the run stands, what it gave, and what can be done next."""
    from datetime import UTC, datetime

    from pyagent.runtime.imported import is_imported

    started = run.started_at or run.created_at
    took = duration(((run.ended_at or datetime.now(UTC)) - started).total_seconds())
    sign, style = MARKS.get(run.status, ("·", "default"))
    priority = f", priority {run.priority}" if run.priority else ""
    console.print(f"\n[{style}]{sign} {run.status}[/] in {took}  [dim]run {run.id}{priority}[/]", soft_wrap=True)
    if run.outputs:
        print_value(json.loads(run.outputs), console)
    if run.error:
        print_error_data(run.error, console)
    if run.continued_as:
        console.print(f"[dim]It has begun anew:[/] pyagent show {run.continued_as}", soft_wrap=True)
    if run.continues:
        console.print(f"[dim]It goes on for the run {run.continues}[/]", soft_wrap=True)
    match run.status:
        case _ if is_imported(run):
            console.print(f"[dim]It came from a file; execute a part:[/] pyagent fork {run.id} STEP", soft_wrap=True)
        case "failed":
            console.print(
                f"[dim]Try again from where it failed:[/] pyagent resume {run.id}"
                f"\n[dim]See its steps:[/] pyagent show {run.id}",
                soft_wrap=True,
            )
        case "running" if owner_alive(run.lease_owner or ""):
            console.print(f"[dim]It goes on; follow it:[/] pyagent show {run.id} --follow", soft_wrap=True)
        case "running" | "queued" | "paused" | "cancelled":
            console.print(f"[dim]Go on with it:[/] pyagent resume {run.id}", soft_wrap=True)
        case _:
            pass


def print_value(value: Any, console: Console, indent: int = 2) -> None:
    """A JSON value as an indented list, long texts cut."""
    space = " " * indent
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if isinstance(inner, dict | list) and inner:
                console.print(f"{space}[bold]{escape(name)}[/]")
                print_value(inner, console, indent + 2)
            else:
                console.print(f"{space}[bold]{escape(name)}[/]  {_short(inner)}", soft_wrap=True)
        return
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        for inner in elements[:20]:
            console.print(f"{space}- {_short(inner)}", soft_wrap=True)
        if len(elements) > 20:
            console.print(f"{space}[dim]… {len(elements) - 20} more[/]")
        return
    console.print(f"{space}{_short(value)}", soft_wrap=True)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= 500 else f"{text[:500]}…")
