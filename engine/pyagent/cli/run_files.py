"""`pyagent export` and `pyagent import`: one run as one file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from pyagent.cli.amounts import many, size_in_words, size_of_text
from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json
from pyagent.cli.session import open_engine, server_token
from pyagent.cli.text import escape
from pyagent.errors import InputError, SetupError


async def export(
    run_id: str, output: str | None, *, with_children: bool, without_data: bool, force: bool, as_json: bool
) -> Exit:
    """Write the file and say what is in it. Raises `NotFound`, `InputError` (`run_file.target`)."""
    from pyagent.runtime.run_export import export_run
    from pyagent.runtime.run_file import file_name

    async with open_engine() as engine:
        run = await engine.store.get_run(run_id)
        path = Path(output or file_name(run.id))
        new = _beside(path, force=force)
        try:
            tokens: list[str] = []
            with suppress(SetupError):
                tokens.append(server_token())
            done = await export_run(
                engine, run.id, new, with_children=with_children, without_data=without_data, secrets=tokens
            )
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        done.path = path
    if as_json:
        print_json({**asdict(done), "path": str(path)})
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    what = f"run {run.id}" if len(done.runs) == 1 else f"{many(len(done.runs), 'run')}, {run.id} and its children"
    console.print(f"[green]✓[/] wrote {what} to {escape(str(path))} ({size_in_words(done.bytes)})")
    if done.masked:
        console.print(f"  {many(done.masked, 'value')} with a secret masked")
    if not without_data:
        console.print("  [dim]It holds the run's data. Look into it before you pass it on, or use --without-data.[/]")
    for note in done.notes:
        console.print(f"  [yellow]{escape(note)}[/]")
    return Exit.DONE


def _beside(path: Path, *, force: bool) -> Path:
    """Where to write what is to be put in the place of the file that is asked for. Raises `InputError`
    (`run_file.target`) where nothing can be written."""
    new = path.with_name(f".{path.name}.new")
    try:
        _require_place(path, force=force)
        new.write_bytes(b"")
        new.unlink()
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            code="run_file.target",
            hint="Give another place: -o FILE",
        ) from error
    return new


def _require_place(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder", code="run_file.target", hint="Give the name of a file: -o FILE")
    if path.exists() and not force:
        raise InputError(f"there is a file {path}", code="run_file.target", hint="Give another with -o, or --force.")
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"there is no folder {path.absolute().parent}",
            code="run_file.target",
            hint="Make it first, or give another.",
        )


async def import_file(file: str, *, as_new: bool, unchecked: bool, max_size: str | None, as_json: bool) -> Exit:
    """Import and say what came. Raises `BadRunFile`, `RunError`, `InputError` (`input.options`)."""
    from pyagent.runtime.run_file import LIMIT
    from pyagent.runtime.run_import import import_run

    limit = LIMIT if max_size is None else size_of_text(max_size)
    async with open_engine() as engine:
        done = await import_run(engine, Path(file), as_new=as_new, unchecked=unchecked, limit=limit)
    if as_json:
        print_json(asdict(done))
        return Exit.DONE
    console = Console(highlight=False, soft_wrap=True)
    first = done.runs[0]
    more = f" and {many(len(done.runs) - 1, 'child', 'children')}" if len(done.runs) > 1 else ""
    console.print(f"[green]✓[/] imported run {first}{more}, which was {done.status} when it was exported")
    if done.replayed:
        console.print("  its log decides here what it decided there")
    for note in done.notes:
        console.print(f"  [yellow]{escape(note)}[/]")
    console.print(f"\nLook at it: [bold]pyagent show {first}[/]; execute a part: [bold]pyagent fork {first} STEP[/]")
    return Exit.DONE
