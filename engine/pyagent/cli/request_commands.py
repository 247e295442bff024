"""The arguments of commands that ask something of runs; what they do is in `requests`, imported when one is called."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from pyagent.cli.arguments import AsJson, AsJsonLines, RunId, WaitingStep, finish

How = Literal["done", "retry", "failed"]
Once = Literal["ask", "repeat", "reuse"]


def cancel_command(
    run: RunId,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask a run to stop for good; its steps get a moment to clean up."""
    from pyagent.cli.requests import cancel

    finish(lambda: cancel(run, reason, as_json=as_json))


def pause_command(
    run: RunId,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long to wait for what runs to end; 15s if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a run to start no more steps until it is resumed. Exit code 3 if a step still runs after the timeout."""
    from pyagent.cli.requests import patience_of, pause

    finish(lambda: pause(run, patience=patience_of(timeout), as_json=as_json))


def delete_command(
    run: RunId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a run that has ended: its data, its log, and the files that no other run has."""
    from pyagent.cli.requests import delete

    finish(lambda: delete(run, yes=yes, as_json=as_json))


def resume_command(
    run: RunId,
    as_json: AsJsonLines = False,
    detach: Annotated[bool, typer.Option("--detach", help="Only ask: a server or worker executes it.")] = False,
) -> None:
    """Go on with a run that was paused, failed, was cancelled, or whose worker died.

    What was committed is kept. A run whose worker died is taken over when that worker's lease has ended.
    """
    from pyagent.cli.requests import resume

    finish(lambda: resume(run, as_json=as_json, detach=detach))


def fork_command(
    run: RunId,
    step: Annotated[
        str,
        typer.Argument(
            metavar="STEP",
            help="A step as `show` prints it, or a node: its newest step. None inside of a map or a called graph: "
            "fork the map's or the call's step.",
        ),
    ],
    items: Annotated[
        str | None, typer.Option(metavar="JSON", help="Items the step is taken to have given, instead of executing it.")
    ] = None,
    graph: Annotated[str | None, typer.Option(metavar="GRAPH", help="Go on with this version of the graph.")] = None,
    until: Annotated[
        str, typer.Option(metavar="NODE", help="Run only this node and what leads to it; STEP again: that alone.")
    ] = "",
    once: Annotated[Once, typer.Option(help="Steps `once` below it that were done: repeat or reuse.")] = "ask",
    as_json: AsJsonLines = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only make the run: a server or worker executes it.")
    ] = False,
) -> None:
    """Run again from a step: a new run that keeps all that does not descend from it."""
    from pyagent.cli.requests import fork

    finish(lambda: fork(run, step, items=items, graph=graph, until=until, once=once, as_json=as_json, detach=detach))


def approve_command(
    run: RunId,
    step: WaitingStep = "",
    reject: Annotated[bool, typer.Option("--reject", help="Say no.")] = False,
    comment: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Answer a run that waits for an approval."""
    from pyagent.cli.requests import approve

    finish(lambda: approve(run, step, approved=not reject, comment=comment, as_json=as_json))


def answer_command(
    run: RunId,
    step: WaitingStep = "",
    value: Annotated[str | None, typer.Option(metavar="JSON", help="The whole answer.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A field of the form; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a run that waits for a form. Without --value and --set it asks on the terminal, field by field."""
    from pyagent.cli.requests import answer

    finish(lambda: answer(run, step, value=value, sets=sets or [], as_json=as_json))


def signal_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.")],
    key: Annotated[str, typer.Option(help="The key that waits correlate it by.")] = "",
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only for this run.")] = None,
    value: Annotated[str, typer.Option(metavar="JSON", help="What comes with it.")] = "null",
    as_json: AsJson = False,
) -> None:
    """Send a signal; it is kept if nothing waits for it yet."""
    from pyagent.cli.requests import send_signal

    finish(lambda: send_signal(name, key=key, run=run, value=value, as_json=as_json))


def resolve_command(
    run: RunId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step whose outcome nobody knows.")],
    how: Annotated[How, typer.Argument(metavar="done|retry|failed", help="What became of it: one of the three.")],
    items: Annotated[str | None, typer.Option(metavar="JSON", help="For done: the items it gave.")] = None,
    as_json: AsJson = False,
) -> None:
    """Settle a step whose outcome is unknown: it was done, is to be tried again, or failed."""
    from pyagent.cli.requests import resolve

    finish(lambda: resolve(run, step, how, items=items, as_json=as_json))


def add_request_commands(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command("cancel")(cancel_command)
    app.command("pause")(pause_command)
    app.command("delete")(delete_command)
    app.command("resume")(resume_command)
    app.command("fork")(fork_command)
    app.command("approve")(approve_command)
    app.command("answer")(answer_command)
    app.command("signal")(signal_command)
    app.command("resolve")(resolve_command)
