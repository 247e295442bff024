"""The arguments of `pyagent store …`; what the commands do is in `store`, imported when one is called."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from pyagent.cli.arguments import AsJson

app = typer.Typer(help="Look after the store: migrate, check, copy, prune, compact.", no_args_is_help=True)

StoreAddress = Annotated[
    str | None, typer.Option("--store", metavar="ADDRESS", help="A path or neo4j://…; left out, PYAGENT_STORE.")
]


@app.command("migrate")
def migrate_command(store: StoreAddress = None, as_json: AsJson = False) -> None:
    """Bring the store up to date. Every command does so when it opens a store; here nothing else happens."""
    from pyagent.cli.store import migrate

    raise typer.Exit(asyncio.run(migrate(store, as_json=as_json)))


@app.command("check")
def check_command(store: StoreAddress = None, as_json: AsJson = False) -> None:
    """Look the store over: the database's own check, logs without gaps, blobs that fit their digests, leases.

    Nothing is changed, and runs may be at work. Exit code 5 if something is wrong.
    """
    from pyagent.cli.store import check

    raise typer.Exit(asyncio.run(check(store, as_json=as_json)))


@app.command("copy")
def copy_command(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A path or neo4j://…")],
    target: Annotated[str, typer.Argument(metavar="TO", help="A path or neo4j://…; made if it is not there.")],
    as_json: AsJson = False,
) -> None:
    """Copy all that the store TO has not: graphs, activations, runs with logs, events, messages and blobs, checkpoints.

    A copy that was cut short goes on where it was. Each run is compared with its source. Runs that are at work are left
    out; stop the workers first, and let only one of the stores be worked on afterwards. Exit code 1 if a run was left
    out.
    """
    from pyagent.cli.store import copy

    raise typer.Exit(asyncio.run(copy(source, target, as_json=as_json)))


@app.command("prune")
def prune_command(
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Runs that ended longer ago than this: 30d, 12h.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=0, help="Of each graph, runs beyond the newest ones.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The oldest runs, until the rest takes so much: 500MB, 2GB.")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="Only runs that are completed, failed or cancelled; may be repeated.")
    ] = None,
    graph: Annotated[str | None, typer.Option(help="Only runs of this graph.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    and_compact: Annotated[bool, typer.Option("--compact", help="Then give the space back to the disk.")] = False,
    store: StoreAddress = None,
    as_json: AsJson = False,
) -> None:
    """Delete runs that have ended, for good. Runs that a kept run was forked from or called by stay.

    What several options say goes together: a run goes if one of age, number and size says so, and its status fits.
    """
    from pyagent.cli.store import prune

    raise typer.Exit(
        asyncio.run(
            prune(
                store,
                older_than=older_than,
                keep=keep,
                max_size=max_size,
                statuses=status or [],
                graph=graph,
                dry_run=dry_run,
                and_compact=and_compact,
                as_json=as_json,
            )
        )
    )


@app.command("compact")
def compact_command(store: StoreAddress = None, as_json: AsJson = False) -> None:
    """Give what deleted runs took back to the disk, and say how much.

    Others may use the store meanwhile: they read on, and wait to write. Where runs are at work and the store is so
    large that they would wait for too long, nothing is done. A Neo4j database uses free space again, and never shrinks
    while it runs: there this removes what nothing refers to, and says what else can be done.
    """
    from pyagent.cli.store import compact

    raise typer.Exit(asyncio.run(compact(store, as_json=as_json)))


@app.command("stats")
def stats_command(store: StoreAddress = None, as_json: AsJson = False) -> None:
    """Say how much the store holds: runs by status, sizes, events, the oldest run."""
    from pyagent.cli.store import stats

    raise typer.Exit(asyncio.run(stats(store, as_json=as_json)))
