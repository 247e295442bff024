"""The arguments of the commands about triggers; what they do is in `triggers`, imported when one is called."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from pyagent.cli.arguments import AsJson, AsJsonLines
from pyagent.server import PORT


def activate_command(
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help="A graph file, or the id of a graph.")],
    as_json: AsJson = False,
) -> None:
    """Let schedules, webhooks and other triggers start a graph, as it is now.

    The version is kept: edit the file in peace, and activate it again to publish it. `pyagent serve` starts the runs.
    """
    from pyagent.cli.triggers import activate_graph

    raise typer.Exit(asyncio.run(activate_graph(graph, as_json=as_json)))


def deactivate_command(
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help="The id of a graph, or its file.")],
    as_json: AsJson = False,
) -> None:
    """Let triggers start a graph no more; its runs go on."""
    from pyagent.cli.triggers import deactivate_graph

    raise typer.Exit(asyncio.run(deactivate_graph(graph, as_json=as_json)))


def triggers_command(
    count: Annotated[int, typer.Option("--next", min=0, max=100, help="How many next times to show.")] = 1,
    as_json: AsJson = False,
) -> None:
    """List what starts graphs: addresses, next times, last runs, problems."""
    from pyagent.cli.triggers import list_triggers

    raise typer.Exit(asyncio.run(list_triggers(count=count, as_json=as_json)))


def listen_command(
    graph: Annotated[
        str,
        typer.Argument(metavar="GRAPH", help="The id of a graph that the server knows, or its file."),
    ],
    host: Annotated[str, typer.Option(help="Address of the running server.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.")] = PORT,
    as_json: AsJsonLines = False,
) -> None:
    """Try a graph's webhook: take one request at its test address, and watch the run."""
    from pyagent.cli.triggers import listen

    raise typer.Exit(asyncio.run(listen(graph, host=host, port=port, as_json=as_json)))


def add_trigger_commands(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command("activate")(activate_command)
    app.command("deactivate")(deactivate_command)
    app.command("triggers")(triggers_command)
    app.command("listen")(listen_command)
