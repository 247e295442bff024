"""The arguments of `pyagent token …`; what the commands do is in `tokens`, imported when one is called."""

from __future__ import annotations

from typing import Annotated

import typer

from pyagent.cli.arguments import AsJson, finish

app = typer.Typer(help="Tokens for other programs: what they may, until when.", no_args_is_help=True)

Can = Annotated[
    list[str] | None, typer.Option("--can", metavar="CAPABILITY", help="read, run, approve or edit; once for each.")
]
Graphs = Annotated[
    list[str] | None, typer.Option("--graph", metavar="GRAPH", help="Only this graph and its runs; once for each.")
]
Label = Annotated[str, typer.Option("--label", metavar="TEXT", help="What it is for.")]


@app.command("new")
def new_command(
    can: Can = None,
    expires: Annotated[str, typer.Option("--expires", metavar="TIME", help="How long it opens: 1h, 30d.")] = "1h",
    graph: Graphs = None,
    label: Label = "",
    as_json: AsJson = False,
) -> None:
    """Make a token that the server takes beside its own, and print it. It is kept nowhere else.

    `edit` may do all that a program on this machine may.
    """
    from pyagent.cli.tokens import new

    finish(lambda: new(can or [], expires, graph, label, as_json=as_json))


@app.command("narrow")
def narrow_command(
    can: Can = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="How long it opens, if the token itself does.")
    ] = None,
    graph: Graphs = None,
    label: Label = "",
    as_json: AsJson = False,
) -> None:
    """Make a token that allows less of one from the standard input. It needs no vault and no server."""
    from pyagent.cli.tokens import narrow

    finish(lambda: narrow(can, expires, graph, label, as_json=as_json))


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the tokens that were made here: ids, what they may, until when."""
    from pyagent.cli.tokens import list_tokens

    finish(lambda: list_tokens(as_json=as_json))


@app.command("revoke")
def revoke_command(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first 6 characters or more.")],
    as_json: AsJson = False,
) -> None:
    """Let a token open nothing any more, nor any that was made from it.

    `pyagent vault rotate --owner` ends all of them.
    """
    from pyagent.cli.tokens import revoke

    finish(lambda: revoke(token_id, as_json=as_json))
