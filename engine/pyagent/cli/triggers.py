"""`pyagent activate`, `deactivate`, `triggers` and `listen`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json, print_json_line
from pyagent.cli.run import run_json, watch_run
from pyagent.cli.server_call import ask_server, server_address
from pyagent.cli.session import is_path, open_engine
from pyagent.cli.text import escape
from pyagent.errors import NotFound, SetupError

if TYPE_CHECKING:
    from pyagent.graph.spec import GraphSpec
    from pyagent.runtime.engine import Engine
    from pyagent.runtime.live_triggers import LiveTrigger
    from pyagent.runtime.trigger_views import TriggerState
    from pyagent.store.base import Run

_ID = re.compile("[a-z][a-z0-9_]*")
_STEP = 1.0
"""Seconds between looks for a run while nothing is told of."""


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


async def activate_graph(graph: str, *, as_json: bool) -> Exit:
    """Let the world start a graph. Raises `GraphError`, `NotFound`."""
    from pyagent.runtime.activation import activate
    from pyagent.runtime.live_triggers import live_triggers, next_times

    async with open_engine(graph) as engine:
        document = await engine.document(graph)
        activation = await activate(engine, document)
        triggers = live_triggers(engine.registry, document.spec, activation)
        now = await engine.store.now()
        if as_json:
            print_json(
                {
                    "graph": activation.graph_id,
                    "graph_hash": activation.graph_hash,
                    "actor": activation.actor,
                    "at": activation.at.isoformat(),
                    "since": activation.since.isoformat(),
                }
            )
            return Exit.DONE
        console = _console()
        console.print(f"[bold]{escape(activation.graph_id)}[/] is active in the version {activation.graph_hash[:12]}")
        for trigger in triggers:
            console.print(f"  {escape(trigger.node.id)}  {_about(trigger, next_times(trigger, now, 1))}")
        console.print("[dim]`pyagent serve` starts its runs, as long as it runs.[/]")
    return Exit.DONE


async def deactivate_graph(graph: str, *, as_json: bool) -> Exit:
    """Let the world start a graph no more. Raises `NotFound` (`trigger.not_active`), `GraphError`."""
    from pyagent.runtime.activation import deactivate

    async with open_engine(graph) as engine:
        graph_id = (await engine.document(graph)).spec.id if is_path(graph) else graph
        if not await deactivate(engine, graph_id):
            raise NotFound(
                f"the graph {graph_id} is not active",
                code="trigger.not_active",
                hint="`pyagent triggers` lists what is active.",
            )
    if as_json:
        print_json({"deactivated": graph_id})
    else:
        _console().print(f"{escape(graph_id)} is active no more; its runs go on.")
    return Exit.DONE


async def list_triggers(*, count: int, as_json: bool) -> Exit:
    """Show every live trigger."""
    from pyagent.runtime.trigger_views import trigger_states

    async with open_engine() as engine:
        states = await trigger_states(engine, count)
    if as_json:
        print_json([_as_json(state) for state in states])
        return Exit.DONE
    console = _console()
    if not states:
        console.print("No graph is active. Activate one: pyagent activate GRAPH")
    for state in states:
        graph_id = state.activation.graph_id
        edited = "  [yellow]the file has changed since; activate it again to publish it[/]" if state.edited else ""
        node = f".{state.trigger.node.id}" if state.trigger is not None else ""
        console.print(f"[bold]{escape(graph_id + node)}[/]  since {_local(state.activation.since)}{edited}")
        if state.trigger is not None:
            console.print(f"  {_about(state.trigger, state.next)}")
        if (run := state.last_run) is not None:
            console.print(f"  last run {run.id}: {run.status}, {_local(run.created_at)}")
        if state.problem is not None:
            console.print(f"  [red]{escape(str(state.problem['code']))}[/]: {escape(str(state.problem['message']))}")
            console.print(f"  [dim]{escape(str(state.problem.get('hint', '')))}[/]")
    return Exit.DONE


def print_next_times(graph: GraphSpec, console: Console, count: int = 3) -> None:
    """Say when the graph's schedules come next, were it active; nothing for a graph without any."""
    from pyagent.runtime.live_triggers import scheduled
    from pyagent.sdk.registry import Registry

    for node, times in scheduled(Registry.installed(), graph, datetime.now(UTC), count).items():
        console.print(f"{escape(node)} comes next: {_times(times)}")


def _times(times: Sequence[datetime]) -> str:
    return ", ".join(at.strftime("%a %Y-%m-%d %H:%M:%S %z") for at in times) or "never"


def _about(trigger: LiveTrigger, times: Sequence[datetime]) -> str:
    if (endpoint := trigger.endpoint) is not None:
        return f"{'|'.join(endpoint.methods)} /webhooks/{escape(endpoint.path)}"
    if trigger.type.upcoming is None:
        return f"[dim]{escape(trigger.type.title)}[/]"
    return f"next {_times(times)}"


def _local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _as_json(state: TriggerState) -> dict[str, Any]:
    """As the API gives it."""
    trigger, run, activation = state.trigger, state.last_run, state.activation
    endpoint = trigger.endpoint if trigger is not None else None
    return {
        "graph": activation.graph_id,
        "name": (trigger.graph.name if trigger is not None else None) or activation.graph_id,
        "node": trigger.node.id if trigger is not None else "",
        "type": str(trigger.node.use) if trigger is not None else "",
        "activated_at": activation.at.isoformat(),
        "actor": activation.actor,
        "edited": state.edited,
        "address": {"path": f"/webhooks/{endpoint.path}", "methods": list(endpoint.methods)} if endpoint else None,
        "next": [at.isoformat() for at in state.next],
        "last_run": run_json(run) if run else None,
        "problem": dict(state.problem) if state.problem is not None else None,
    }


async def listen(graph: str, *, host: str, port: int, as_json: bool) -> Exit:
    """Open a graph's test addresses on the running server, and watch the run that a request starts.

    A file is read for its id alone: the server runs the graph of that id in its own folders. Raises `GraphError`,
    `SetupError` (`server.not_running`), and what the server says of the graph.
    """
    from urllib.parse import quote

    from pyagent.graph.yaml import load_text

    console = _console()
    async with open_engine(graph) as engine:
        address = server_address(host, port)
        if is_path(file := graph):
            graph = (await engine.document(file)).spec.id
        elif not _ID.fullmatch(graph):
            raise NotFound(
                f"there is no graph {graph!r}",
                code="graph.not_found",
                hint="Give the id of a graph that the server knows, or its file.",
            )
        try:
            found = await ask_server(address, f"graphs/{quote(graph, safe='')}/listen")
        except SetupError as error:
            if error.code == "graph.not_found":
                folder = f"={Path(file).absolute().parent}" if is_path(file) else ""
                error.hint = (
                    f"The server looks for graphs in the folders of PYAGENT_GRAPHS{folder} and where it was started. "
                    f"{error.hint}"
                ).strip()
            raise
        for one in found["addresses"]:
            line = f"curl -X {one['methods'][0]} {address}{one['path']}"
            if as_json:
                print_json_line({"listen": line})
            else:
                console.print(f"Send one request: [bold]{escape(line)}[/]")
        until = datetime.fromisoformat(found["expires_at"])
        if not as_json:
            console.print(f"[dim]Listening until {_local(until)}; Ctrl-C stops waiting.[/]")
        run = await _first_run(engine, graph, found["id"], until)
        if run is None:
            console.print("Nothing came.")
            return Exit.FAILED
        spec = load_text((await engine.store.get_graph(run.graph_hash)).text).spec
        return await watch_run(engine, run, spec, Console(highlight=False), as_json=as_json, share=True)


async def _first_run(engine: Engine, graph: str, listening: str, until: datetime) -> Run | None:
    """The run that the request starts; None when the time is over."""
    from pyagent.store.base import RunFilter

    while await engine.store.now() < until:
        mark = engine.store.mark()
        for run in await engine.store.list_runs(RunFilter(graph_id=graph, limit=20)):
            if run.labels.get("listen") == listening:
                return run
        await engine.store.changed(_STEP, mark)
        await asyncio.sleep(0)
    return None
