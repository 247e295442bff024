"""The Typer application: every command's arguments; what the commands do is in modules that they import when called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import typer

from pyagent.cli import graph, node_commands, store_commands, token_commands, vault_commands
from pyagent.cli.arguments import AsJson, AsJsonLines, RunId, finish
from pyagent.cli.exits import Exit, exit_of_error
from pyagent.cli.request_commands import add_request_commands
from pyagent.cli.run_file_commands import add_run_file_commands
from pyagent.cli.trigger_commands import add_trigger_commands
from pyagent.errors import InputError, PyAgentError
from pyagent.server import PORT

app = typer.Typer(
    name="pyagent",
    help="Run graphs of agents and automations on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed, 2 bad arguments, inputs or graph, 3 waits for somebody, 4 cancelled, "
    "5 the store or something on this machine does not work, 130 Ctrl-C.",
)
app.add_typer(graph.app, name="graph")
app.add_typer(store_commands.app, name="store")
app.add_typer(token_commands.app, name="token")
app.add_typer(vault_commands.app, name="vault")

OnKey = Literal["reject", "existing", "replace"]
Loudness = Literal["debug", "info", "warning", "error"]
Shell = Literal["bash", "zsh", "fish"]
_line: list[str] = []
"""The arguments of this process's command, for the one that hands them on."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors are printed, never raised."""
    as_json = "--json" in arguments
    _line[:] = arguments
    try:
        code = cast("Any", app)(args=list(arguments), prog_name="pyagent", standalone_mode=False)
        return int(code or 0)
    except typer.TyperException as error:
        from pyagent.cli.usage import show_usage_error

        show_usage_error(error, as_json=as_json)
        return int(getattr(error, "exit_code", Exit.USAGE))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nStopped.\n")
        return Exit.INTERRUPTED
    except PyAgentError as error:
        from pyagent.cli.messages import print_error

        print_error(error, as_json=as_json)
        return exit_of_error(error)
    except Exception as error:
        from pyagent.cli.messages import print_error

        print_error(error, as_json=as_json)
        return Exit.STORE if isinstance(error, OSError) else Exit.FAILED


@app.callback(invoke_without_command=False)
def _root(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    if version:
        from pyagent import __version__

        typer.echo(f"pyagent {__version__}")
        raise typer.Exit(0)


@app.command("run")
def run_command(
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help="A graph file, or the id of a graph.")],
    inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input; may be repeated.")
    ] = None,
    inputs_json: Annotated[
        str | None, typer.Option("--input-json", metavar="JSON", help="Inputs as a JSON object, @FILE, or -.")
    ] = None,
    input_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Inputs in a YAML or JSON file; `-` is the standard input.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Start key: one run alive for each key.")] = None,
    on_key: Annotated[OnKey, typer.Option(help="What to do if a run with this key is alive.")] = "reject",
    priority: Annotated[
        int | None, typer.Option(min=-1000, max=1000, help="Higher ones begin first; left out, the graph's own, or 0.")
    ] = None,
    trigger: Annotated[str, typer.Option(help="The trigger node to start at, if there are several.")] = "",
    until: Annotated[
        str,
        typer.Option(metavar="NODE", help="Run only this node and what leads to it; for one in a body, its map."),
    ] = "",
    as_json: AsJsonLines = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree to what the graph would ask about.")] = False,
    test: Annotated[bool, typer.Option("--test", help="A test run: nodes with pins give their pinned data.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the run on a page and go on serving until Ctrl-C.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run again whenever the graph, one that it calls, or a node changes.")
    ] = False,
    host: Annotated[str, typer.Option(help="With --serve: address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help=f"With --serve: port; left out, a free one near {PORT}.")] = None,
) -> None:
    """Run a graph and watch it.

    Ctrl-C once stops the run so that it can be resumed, twice stops it at once. A run that waits for an approval asks
    on a terminal; elsewhere the command ends with exit code 3 and says how to approve.
    """
    if watch:
        _watched(graph, serve=serve, standard_input="-" in (input_file, inputs_json))
        return
    from pyagent.cli.run import RunOptions
    from pyagent.cli.run import run_command as go

    options = RunOptions(
        graph=graph,
        inputs=tuple(inputs or ()),
        inputs_json=inputs_json,
        input_file=input_file,
        key=key,
        on_key=on_key,
        priority=priority,
        trigger=trigger,
        until=until,
        as_json=as_json,
        yes=yes,
        test=test,
        serve=serve,
        host=host,
        port=port,
    )
    finish(lambda: go(options))


def _watched(graph: str, *, serve: bool, standard_input: bool) -> None:
    from pyagent.cli.rerun import run_and_watch

    if serve or standard_input:
        raise InputError(
            "--watch goes neither with --serve nor with the standard input",
            code="input.options",
            hint="Use `pyagent serve --dev` for the page, and a file for the inputs.",
        )
    given = [argument for argument in _line[1:] if argument != "--watch"]
    finish(lambda: run_and_watch(graph, given))


@app.command("runs")
def runs_command(
    graph: Annotated[str | None, typer.Option(help="Only runs of this graph.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only runs with this status; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    before: Annotated[str | None, typer.Option(help="Only runs older than this one: the next page.")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing them until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    from pyagent.cli.runs import list_runs

    finish(
        lambda: list_runs(graph=graph, statuses=status or [], limit=limit, before=before, watch=watch, as_json=as_json)
    )


@app.command("show")
def show_command(
    run: RunId,
    step: Annotated[
        str, typer.Argument(metavar="[STEP]", help="A step or a node: show the items that it was given and gave.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing it until it stops.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Show every event instead of the steps.")] = False,
    port: Annotated[str | None, typer.Option(help="With STEP: only this port.")] = None,
    item: Annotated[int | None, typer.Option(min=0, help="With STEP: only this item, counted from 0.")] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the run into this file as one HTML page, without secrets.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: its steps, times, errors and outputs. Exit code by its status, as for `run`.

    With STEP: the items of that step by port, and where they came from.
    """
    if html is not None:
        from pyagent.cli.run_pages import write_page

        if step or follow or log or port is not None or item is not None:
            raise InputError("--html shows the whole run", code="input.options", hint="pyagent show RUN --html FILE")
        finish(lambda: write_page(run, html, as_json=as_json))
        return
    if step:
        from pyagent.cli.step import show_step

        finish(lambda: show_step(run, step, port=port, item=item, as_json=as_json))
        return
    if port is not None or item is not None:
        raise InputError("--port and --item need a step", code="input.options", hint="pyagent show RUN STEP --item 0")
    from pyagent.cli.runs import show_run

    finish(lambda: show_run(run, follow=follow, log=log, as_json=as_json))


@app.command("logs")
def logs_command(
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run stops.")] = False,
    level: Annotated[Loudness, typer.Option(help="This loud and louder.")] = "info",
    node: Annotated[str | None, typer.Option(help="Only this node or step.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what came later: 10m (ago), 14:05, 2026-01-31T14:05.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write each line as JSON.")] = False,
) -> None:
    """Print what the steps of a run have said, and what became of them."""
    from pyagent.cli.logs import LogOptions, show_logs

    options = LogOptions(run=run, follow=follow, level=level, node=node, since=since, as_json=as_json)
    finish(lambda: show_logs(options))


add_request_commands(app)
add_run_file_commands(app)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help=f"Port; left out: {PORT}, or a free one above it.")]
Dev = Annotated[bool, typer.Option("--dev", help="Runs that begin after a node's module was changed use the new one.")]


@app.command("serve")
def serve_command(
    host: Host = "127.0.0.1",
    port: Port = None,
    no_work: Annotated[bool, typer.Option("--no-work", help="Only show; execute no runs.")] = False,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Serve the page and the API, and execute runs, until Ctrl-C."""
    from pyagent.cli.serve import serve

    finish(lambda: serve(host=host, port=port, work=not no_work, dev=dev, as_json=as_json))


@app.command("worker")
def worker_command(
    limit: Annotated[int, typer.Option(min=1, help="Runs at work at once.")] = 32,
    as_json: AsJson = False,
) -> None:
    """Execute the runs of the store, without a server, until Ctrl-C.

    Any number of workers share one store. SIGTERM or Ctrl-C hands the runs over to the others; a second one ends the
    worker at once, and the others go on when its leases have run out. Exit code 0 after the first, 130 after the
    second.
    """
    from pyagent.cli.worker import work

    finish(lambda: work(limit=limit, as_json=as_json))


@app.command("top")
def top_command(
    host: Annotated[str, typer.Option(help="Address of the server.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.")] = PORT,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, max=3600, help="From one look to the next.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print the figures of one interval, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON; without --once a line for each look.")] = False,
) -> None:
    """Show what a running server does: runs, steps, times by node type, its store and its machine. q or Ctrl-C ends."""
    from pyagent.cli.top import top

    finish(lambda: top(host=host, port=port, interval=interval, once=once, as_json=as_json))


@app.command("up")
def up_command(
    host: Host = "127.0.0.1",
    port: Port = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the link.")] = False,
    dev: Dev = False,
    as_json: AsJson = False,
) -> None:
    """Open the page in the browser: of the server that runs, or of one that is started and serves until Ctrl-C."""
    from pyagent.cli.serve import up

    finish(lambda: up(host=host, port=port, browser=not no_browser, dev=dev, as_json=as_json))


add_trigger_commands(app)
app.add_typer(node_commands.app, name="node")


@app.command("open")
def open_command(
    port: Annotated[int, typer.Option(help="Port of the running server.")] = PORT,
    host: Annotated[str, typer.Option(help="Its address.")] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Print a new one-time link to the page of a server that is running."""
    from pyagent.cli.serve import print_link

    finish(lambda: print_link(host, port, as_json=as_json))


@app.command("settings")
def settings_command(as_json: AsJson = False) -> None:
    """Show every setting: what it is now, where from, and what it decides. Secrets are only told to be set."""
    from pyagent.cli.settings import show_settings

    raise typer.Exit(show_settings(as_json=as_json))


@app.command("completion")
def completion_command(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print the script that completes commands, graphs, runs and node types: `source <(pyagent completion bash)`."""
    from pyagent.cli.complete import SCRIPTS

    typer.echo(SCRIPTS[shell], nl=False)


@app.command("doctor")
def doctor_command(as_json: AsJson = False) -> None:
    """Say what is missing on this machine and how to get it. Exit code 5 if something that is needed is missing."""
    from pyagent.cli.doctor import doctor

    finish(lambda: doctor(as_json=as_json))


__all__ = ["app", "run"]
