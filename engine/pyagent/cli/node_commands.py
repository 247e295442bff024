"""The arguments of `pyagent node …`; what the commands do is in modules that they import when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyagent.cli.arguments import AsJson, finish

app = typer.Typer(no_args_is_help=True, help="List and describe the installed node types.")


@app.command("list")
def node_list_command(
    domain: Annotated[
        str, typer.Argument(metavar="[DOMAIN]", help="A domain, such as flow, or a word to look for.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List node types."""
    from pyagent.cli.nodes import list_nodes

    list_nodes(domain, as_json=as_json)


@app.command("show")
def node_show_command(
    use: Annotated[str, typer.Argument(metavar="TYPE", help="A node type, such as flow.switch or flow.switch@1.")],
    as_json: AsJson = False,
) -> None:
    """Describe a node type: what it does, its ports, effects and parameters."""
    from pyagent.cli.nodes import show_node

    show_node(use, as_json=as_json)


@app.command("new")
def node_new_command(
    name: Annotated[str, typer.Argument(metavar="DOMAIN.NAME", help="Its name, such as text.shout.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="The folder to write into: `nodes`; with --package one named like the distribution."),
    ] = None,
    package: Annotated[bool, typer.Option("--package", help="A distribution that can be installed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a new node type with its test and example graph.

    A folder `nodes` in the working directory or beside graphs is searched for node types, with no more to do; other
    folders are named by PYAGENT_NODES. With --package a distribution is written, for others to install.
    """
    from pyagent.cli.node_new import new_node

    raise typer.Exit(new_node(name, folder=folder, package=package, as_json=as_json))


@app.command("check")
def node_check_command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TYPE|PATH…]", help="Types, domains, modules or folders; left out: all but PyAgent's own."
        ),
    ] = None,
    repeat_once: Annotated[
        bool, typer.Option("--repeat-once", help="Run also those with effects `once`, more than once.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with node types: how they are declared, and how they behave in the cases of their examples.

    Exit code 1 if there is an error; warnings alone give 0.
    """
    from pyagent.cli.node_check import check_nodes

    finish(lambda: check_nodes(what or [], repeat_once=repeat_once, as_json=as_json))
