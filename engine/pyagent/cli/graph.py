"""`pyagent graph …`: check, format, compare, merge, describe and draw graph files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pyagent.cli.editor import install_editor_command
from pyagent.cli.git import install_git_command
from pyagent.cli.messages import print_error, print_problems
from pyagent.cli.session import folder_of
from pyagent.cli.versions import diff_command, merge_command
from pyagent.cli.written import replace_file
from pyagent.errors import GraphError, Where
from pyagent.graph.source import is_path

if TYPE_CHECKING:
    from pyagent.graph.problems import Problem
    from pyagent.runtime.checking import GraphChecker

app = typer.Typer(no_args_is_help=True, help="Check, format, compare, merge and draw graph files.")
app.command("diff")(diff_command)
app.command("merge")(merge_command)
app.command("install-git")(install_git_command)
app.command("install-editor")(install_editor_command)

Graphs = Annotated[
    list[str],
    typer.Argument(metavar="GRAPHS…", help="Graph files, or ids of graphs; `-` is the standard input."),
]
Files = Annotated[list[str], typer.Argument(metavar="FILES…", help="Graph files; `-` is the standard input.")]


class Format(StrEnum):
    """What `graph show` writes."""

    text = "text"
    svg = "svg"
    mermaid = "mermaid"


class Way(StrEnum):
    """Which way a drawn graph runs."""

    auto = "auto"
    down = "down"
    right = "right"


def checker(graphs: Sequence[str] = ()) -> GraphChecker:
    """The checks with the node types that are installed, or lie beside these graphs; imported when they are needed."""
    from pyagent.runtime.checking import GraphChecker
    from pyagent.sdk.registry import Registry

    return GraphChecker(Registry.installed([folder for graph in graphs for folder in folder_of(graph)]))


@app.command("list")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the graphs that can be run by their ids, and files that cannot be read."""
    from pyagent.cli.library import list_graphs

    raise typer.Exit(list_graphs(as_json=as_json))


@app.command("new")
def new_command(
    graph: Annotated[str, typer.Argument(metavar="ID", help="The graph's id: small letters, digits and `_`.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to; left out: `graphs` if it is there, else the working directory.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Write a small graph to start from."""
    from pyagent.cli.library import new_graph

    raise typer.Exit(new_graph(graph, folder=folder, as_json=as_json))


@app.command("check")
def check_command(
    files: Graphs,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the problems as JSON, one list for all files.")
    ] = False,
) -> None:
    """Say everything that is wrong with graph files. Exit code 1 if there is an error; warnings alone give 0."""
    console = Console(soft_wrap=True, highlight=False)
    checks = checker(files)
    found: list[Problem] = []
    for file in files:
        text = b""
        try:
            file = _path(file)
            text = _read(file)
            problems = checks.check_text(text, file)
        except GraphError as error:
            from pyagent.graph.problems import Problem

            problems = [Problem.of(error)]
        found += problems
        if not as_json:
            print_problems(problems, console, text.decode("utf-8", "replace"))
    errors = sum(problem.severity == "error" for problem in found)
    if as_json:
        typer.echo(json.dumps([problem.as_dict() for problem in found], ensure_ascii=False, indent=2))
    elif found:
        warnings = len(found) - errors
        console.print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}", style="red" if errors else "yellow")
    else:
        console.print(f"{_count(len(files), 'file')} without problems", style="green")
    raise typer.Exit(1 if errors else 0)


@app.command("fmt")
def fmt_command(
    files: Files,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 if a file would change.")] = False,
) -> None:
    """Bring graph files into the one canonical style; comments stay. Exit code 1 if a file is not YAML."""
    from pyagent.graph.yaml import decode, fmt

    failed, changed = False, 0
    for file in files:
        try:
            raw = _read(file)
            new = fmt(decode(raw, file), file).encode()
        except GraphError as error:
            print_error(error)
            failed = True
            continue
        if file == "-" and not check:
            sys.stdout.write(new.decode())
        elif new != raw:
            changed += 1
            typer.echo(f"{'would format' if check else 'formatted'} {file}")
            if not check:
                replace_file(Path(file), new)
    raise typer.Exit(1 if failed or (check and changed) else 0)


@app.command("schema")
def schema_command(
    plain: Annotated[
        bool, typer.Option("--plain", help="Leave the parameters of the installed node types out.")
    ] = False,
) -> None:
    """Write the JSON Schema of graph files, for editors."""
    from pyagent.graph.schema import graph_schema

    typer.echo(json.dumps(graph_schema(None if plain else checker().catalogue), ensure_ascii=False, indent=2))


@app.command("show")
def show_command(
    file: Annotated[
        str, typer.Argument(metavar="GRAPH", help="Graph file, or the id of a graph; `-` is the standard input.")
    ],
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.text,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead of the screen.")] = None,
    direction: Annotated[Way, typer.Option("--direction", help="Which way an SVG runs.")] = Way.auto,
) -> None:
    """Draw a graph: as a tree in the terminal, as SVG or as a Mermaid flowchart."""
    from pyagent.graph import show
    from pyagent.graph.yaml import load_text

    try:
        file = _path(file)
        spec = load_text(_read(file), file).spec
    except GraphError as error:
        print_error(error)
        raise typer.Exit(1) from None
    if form is Format.text and output is None:
        Console().print(show.tree(spec))
        from pyagent.cli.triggers import print_next_times

        print_next_times(spec, Console(soft_wrap=True, highlight=False))
        return
    if form is Format.svg:
        drawn = show.svg(spec, checker([file]).catalogue, direction=direction.value)
    else:
        drawn = show.mermaid(spec) if form is Format.mermaid else show.text(spec)
    if output is None:
        sys.stdout.write(drawn)
    else:
        try:
            output.write_text(drawn, encoding="utf-8")
        except OSError as error:
            failure = GraphError(
                f"cannot write {output}: {error.strerror or error}", code="graph.file", hint="Check the path."
            )
            print_error(failure)
            raise typer.Exit(1) from None


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    from pyagent.graph.yaml import read_file

    return read_file(file)


def _path(graph: str) -> str:
    """The file that is meant: a path, or the id of a graph in the folders that are searched.

    Raises `GraphError` (`graph.file`), which names the folders.
    """
    if graph == "-" or is_path(graph) or Path(graph).exists():
        return graph
    from pyagent.runtime.library import GraphLibrary, graph_folders

    library = GraphLibrary(graph_folders())
    if (found := library.find(graph)) is not None:
        return str(found.path)
    folders = ", ".join(map(str, library.folders)) or "a folder of PYAGENT_GRAPHS"
    raise GraphError(
        f"there is neither a file nor a graph {graph}",
        code="graph.file",
        hint=f"This command takes a file or the id of a graph in {folders}.",
        where=Where(file=graph),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
