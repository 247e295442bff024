"""The arguments of `pyagent export` and `import`; what they do is in `run_files`, imported when one is called."""

from __future__ import annotations

from typing import Annotated

import typer

from pyagent.cli.arguments import AsJson, RunId, finish


def export_command(
    run: RunId,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; left out, RUN.run.zip here.")
    ] = None,
    with_children: Annotated[
        bool, typer.Option("--with-children", help="With the runs that it has started, and those that these have.")
    ] = False,
    without_data: Annotated[
        bool, typer.Option("--without-data", help="Of items and messages only types and lengths, of files nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a run into one file, for a bug report or another store: its graphs, log, events, steps and files.

    Values of credentials and of inputs marked `writeOnly` are taken out, and whatever looks like a secret. Export where
    the run was executed: values of credentials that are not set here cannot be recognized.
    """
    from pyagent.cli.run_files import export

    finish(
        lambda: export(
            run, output, with_children=with_children, without_data=without_data, force=force, as_json=as_json
        )
    )


def import_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `pyagent export` has written.")],
    as_new: Annotated[
        bool, typer.Option("--as-new", help="Under a new id, also where the run is here already.")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Also if its log decides here something else than there.")
    ] = False,
    max_size: Annotated[str | None, typer.Option(metavar="SIZE", help="What it may unpack to; left out, 4GiB.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring an exported run into the store, to be looked at (`pyagent show`) and forked.

    It is checked as a whole before anything is written, and its log is replayed. It is never executed: one that had not
    ended comes in as cancelled, with the error `run.imported`.
    """
    from pyagent.cli.run_files import import_file

    finish(lambda: import_file(file, as_new=as_new, unchecked=unchecked, max_size=max_size, as_json=as_json))


def add_run_file_commands(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command("export")(export_command)
    app.command("import")(import_command)
