"""`pyagent run`: from a graph and its inputs to a finished run on the screen."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from pyagent.cli.exits import Exit, exit_of_status
from pyagent.cli.messages import error_console, print_error_data, print_problems
from pyagent.cli.progress import MARKS
from pyagent.cli.session import open_engine
from pyagent.cli.text import escape
from pyagent.cli.view import duration
from pyagent.cli.watch import Watch, how_to_go_on, owner_alive, with_signals
from pyagent.errors import InputError, StoreError, Where
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
    key: str | None = None
    on_key: KeyPolicy = "reject"
    trigger: str = ""
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
        run = await start(engine, document, inputs, options)
        return await watch_run(engine, run, document.spec, console, as_json=options.as_json)


async def start(engine: Engine, document: Document, inputs: Mapping[str, Any], options: RunOptions) -> Run:
    """Queue the run."""
    return await engine.start(
        document,
        inputs,
        trigger=options.trigger,
        key=options.key,
        key_policy=options.on_key,
        production=not options.test,
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
) -> Exit:
    """Execute (or only follow) the run in the foreground, and say how it went. `drive` and `share` as for `Watch`."""
    watch = Watch(engine, run, spec, console, as_json=as_json, drive=drive, share=share)
    if not as_json:
        console.print(f"[bold]{escape(spec.name or spec.id)}[/]  [dim]run {run.id}[/]")
    told = error_console() if as_json else console
    promise = "Stopping; the run can be resumed." if drive else "No longer following; the run goes on."

    async def watched() -> Exit:
        try:
            ended = await watch.until_it_stops()
        except StoreError as error:
            error.hint = error.hint.replace("resume RUN", f"resume {run.id}")
            raise
        if as_json:
            print(json.dumps({"run": run_json(ended)}, ensure_ascii=False), flush=True)
        else:
            sum_up(ended, console)
            for step in watch.view.waiting() if ended.status == "waiting" else ():
                console.print(how_to_go_on(ended.id, step))
        return Exit.INTERRUPTED if watch.interrupted.is_set() else exit_of_status(ended.status)

    return await with_signals(watched(), watch.interrupted, told, promise=promise)


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


def given_inputs(spec: GraphSpec, options: RunOptions) -> dict[str, Any]:
    """The inputs of `--input` and `--input-json`, checked, with defaults filled in. Raises `InputError`."""
    from pyagent.runtime.inputs import checked_inputs

    found: dict[str, Any] = {}
    if options.inputs_json is not None:
        found.update(_json_inputs(options.inputs_json))
    for text in options.inputs:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--input {text!r} has no value", code="input.syntax", hint="Write --input name=value.")
        found[name] = _value(spec.inputs.get(name, {}), value)
    return checked_inputs(spec, found)


def _json_inputs(text: str) -> dict[str, Any]:
    where = Where(field="inputs")
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        value = strict_json(text)
    except (ValueError, OSError) as error:
        raise InputError(
            f"--input-json cannot be read: {error}",
            code="input.syntax",
            hint='Give a JSON object such as \'{"name": "value"}\', @FILE, or - for the standard input.',
            where=where,
        ) from None
    if not isinstance(value, dict):
        raise InputError(
            "--input-json is no JSON object",
            code="input.syntax",
            hint='Give an object such as \'{"name": "value"}\'.',
            where=where,
        )
    return cast("dict[str, Any]", value)


def _value(schema: Mapping[str, Any], text: str) -> Any:
    """Text for inputs that take text; JSON for the others, else the text as it is."""
    types = schema.get("type", [])
    if "string" in (types if isinstance(types, list) else [types]):
        return text
    try:
        return strict_json(text)
    except ValueError:
        return text


def strict_json(text: str) -> Any:
    """The JSON value of a text. Raises `ValueError`, also for NaN and for what is nested too deep."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def agree(spec: GraphSpec, inputs: Mapping[str, Any], *, yes: bool, interactive: bool) -> None:
    """Ask before inputs make this machine do what the graph's author does not vouch for.

    Raises `InputError` (`input.consent`) where nobody agrees or nobody can be asked.
    """
    from pyagent.runtime.inputs import needed_consents

    needed = needed_consents(spec, inputs)
    if not needed or yes:
        return
    console = error_console()
    for name, text in needed.items():
        console.print(f"[bold yellow]{escape(name)} = {escape(str(inputs[name]))}[/]: {escape(text)}")
        if interactive and sys.stdin.isatty():
            console.print("Go on? [bold]y[/]es, [bold]n[/]o: ", end="")
            if sys.stdin.readline().strip().lower() in ("y", "yes"):
                continue
        raise InputError(
            f"nobody agreed to the input {name}",
            code="input.consent",
            hint="Give --yes (YES=1 with make) if you trust it.",
            where=Where(field=f"inputs.{name}"),
        )


def run_json(run: Run) -> dict[str, Any]:
    """A run for `--json`."""
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
        "forked_from": run.forked_from,
        "parent_run": run.parent_run,
        "actor": run.actor,
    }


def sum_up(run: Run, console: Console) -> None:
    """How the run stands, what it gave, and what can be done next."""
    from datetime import UTC, datetime

    started = run.started_at or run.created_at
    took = duration(((run.ended_at or datetime.now(UTC)) - started).total_seconds())
    sign, style = MARKS.get(run.status, ("·", "default"))
    console.print(f"\n[{style}]{sign} {run.status}[/] in {took}  [dim]run {run.id}[/]", soft_wrap=True)
    if run.outputs:
        print_value(json.loads(run.outputs), console)
    if run.error:
        print_error_data(run.error, console)
    match run.status:
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
