"""`pyagent graph diff` and `merge`: two or three versions of a graph file, from disk or from git."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyagent.cli.messages import error_console, print_error
from pyagent.cli.text import escape
from pyagent.cli.written import replace_file
from pyagent.errors import GraphError, Where

if TYPE_CHECKING:
    from pyagent.graph.merge import Merge

_GIT_ARGUMENTS = (7, 9)
"""What git hands to an external diff driver; the longer form is for renamed files."""


def diff_command(
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="OLD NEW", help="Graph files, or `REV:path` of a git revision; `-` is the standard input."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Write the changes as JSON.")] = False,
    layout: Annotated[
        bool, typer.Option("--layout", help="Tell also what is only drawn: places, notes, frames, colors.")
    ] = False,
) -> None:
    """Say what changed between two versions of a graph, whatever the text looks like. git may call it as its diff."""
    from pyagent.graph.diff import diff, render_text
    from pyagent.graph.yaml import load_text

    by_git = len(versions) in _GIT_ARGUMENTS
    if len(versions) == 1:
        # an unmerged path, as git says it
        typer.echo(f"unmerged {versions[0]}")
        return
    if not by_git and len(versions) != 2:
        raise typer.BadParameter("give two versions: OLD NEW")
    names = (versions[1], versions[4]) if by_git else (versions[0], versions[1])
    title = versions[0] if by_git else None
    try:
        texts = [b"" if name == os.devnull else read_version(name) for name in names]
        if title:
            typer.echo(f"graph {title}{f' -> {versions[7]}' if len(versions) > 7 else ''}")
        if not texts[0].strip() or not texts[1].strip():
            typer.echo(f"  {'new' if texts[1].strip() else 'deleted'} file")
            return
        changes = diff(load_text(texts[0], names[0]), load_text(texts[1], names[1]), layout=layout)
    except GraphError as error:
        if not by_git:
            print_error(error, as_json=as_json)
            raise typer.Exit(1) from None
        _line_diff(names)
        return
    if as_json:
        typer.echo(json.dumps([change.as_dict() for change in changes], ensure_ascii=False, indent=2))
    elif changes:
        written = render_text(changes)
        sys.stdout.write("".join(f"  {line}\n" for line in written.splitlines()) if by_git else written)
    elif by_git:
        typer.echo("  comments, style or layout only")
    else:
        typer.echo("no difference but comments, style or layout" if texts[0] != texts[1] else "no difference")


def merge_command(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The common ancestor; git's %O.")],
    ours: Annotated[str, typer.Argument(metavar="OURS", help="Our version; git's %A.")],
    theirs: Annotated[str, typer.Argument(metavar="THEIRS", help="Their version; git's %B.")],
    path: Annotated[
        str | None,
        typer.Argument(metavar="[PATH]", help="Name of the merged file, git's %P: the outcome is written into OURS."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead of the screen.")] = None,
    names: Annotated[
        tuple[str, str], typer.Option("--names", metavar="OURS THEIRS", help="Names at the marks of a conflict.")
    ] = ("ours", "theirs"),
) -> None:
    """Merge two versions of a graph that have a common ancestor: by node, edge and field.

    Exit code 1 if there is a conflict, named on the standard error, or if the graph has errors that neither version
    had. git may call it as a merge driver: `pyagent graph install-git`.
    """
    from pyagent.graph.merge import merge
    from pyagent.graph.yaml import decode

    # git before 2.44 does not know the names and hands the letters over
    names = ("ours" if names[0] in ("", "%X") else names[0], "theirs" if names[1] in ("", "%Y") else names[1])
    target = output or (Path(ours) if path is not None else None)
    shown = path or str(target or ours)
    try:
        files = (base, ours, theirs)
        texts = [b"" if file == os.devnull else read_version(file) for file in files]
        result = merge(*(decode(text, file) for text, file in zip(texts, files, strict=True)), names=names)
    except GraphError as error:
        print_error(error)
        if path is None:
            raise typer.Exit(1) from None
        error_console().print(f"{escape(shown)}: merged by lines instead")
        raise typer.Exit(_line_merge(base, ours, theirs, names)) from None
    if target is None:
        sys.stdout.write(result.text)
        sys.stdout.flush()
    else:
        replace_file(target, result.text.encode())
    if not result.clean:
        _tell_conflicts(result, shown)
        raise typer.Exit(1)
    if _new_errors(result.text, [texts[1], texts[2]], shown):
        raise typer.Exit(1)


def read_version(name: str) -> bytes:
    """A version of a graph file: a path, `-`, or `REV:path`. Raises `GraphError` (`graph.file`)."""
    from pyagent.graph.yaml import read_file

    if name == "-":
        return sys.stdin.buffer.read()
    revision, colon, path = name.partition(":")
    if not colon or not path or (len(revision) < 2 and revision.isalpha()) or Path(name).exists():
        return read_file(name)
    # a path is seen from here, not from the root of the repository
    relative = path if path.startswith(("./", "../", "/")) or not Path(path).exists() else f"./{path}"
    try:
        found = subprocess.run(["git", "cat-file", "blob", f"{revision}:{relative}"], capture_output=True, check=False)
    except OSError as error:
        raise _no_version(name, f"git cannot be started: {error.strerror or error}") from error
    if found.returncode:
        reason = found.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _no_version(name, reason[-1] if reason else "git does not know it")
    return found.stdout


def _no_version(name: str, reason: str) -> GraphError:
    return GraphError(
        f"cannot read {name}: {reason}",
        code="graph.file",
        hint="Give the path of a file, or REV:path such as HEAD~1:graphs/demo.yaml.",
        where=Where(file=name),
    )


def _line_diff(names: tuple[str, str]) -> None:
    """What git itself would show, for files that are no graphs."""
    old, new = (
        [] if name == os.devnull else read_version(name).decode("utf-8", "replace").splitlines() for name in names
    )
    for line in difflib.unified_diff(old, new, "old", "new", lineterm=""):
        typer.echo(line)


def _line_merge(base: str, ours: str, theirs: str, names: tuple[str, str]) -> int:
    """Merge as git would without us, into `ours`; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        ancestor = Path(folder, "base")
        ancestor.write_bytes(b"" if base == os.devnull else Path(base).read_bytes())
        command = ["git", "merge-file", "-L", names[0], "-L", "base", "-L", names[1], ours, str(ancestor), theirs]
        return min(1, abs(subprocess.run(command, check=False).returncode))


def _tell_conflicts(result: Merge, shown: str) -> None:
    console = error_console()
    reasons = {
        "changed": "both changed it",
        "added": "both added it",
        "deleted": "one deleted it, the other changed or uses it",
        "dangling": "its node was deleted on one side",
        "order": "both changed the order",
    }
    for conflict in result.conflicts:
        place = f"{shown}:{conflict.line}" if conflict.line else shown
        console.print(f"[bold]{escape(place)}[/] [red]conflict[/] {escape(conflict.path)}: {reasons[conflict.kind]}")


def _new_errors(text: str, sides: Sequence[bytes], shown: str) -> bool:
    """Tell the errors of the merged graph that neither side has."""
    from pyagent.cli.messages import print_problems
    from pyagent.runtime.checking import GraphChecker

    checks = GraphChecker()
    errors = [problem for problem in checks.check_text(text, shown) if problem.severity == "error"]
    if not errors:
        return False
    known = {(problem.code, problem.message) for side in sides for problem in checks.check_text(side, shown)}
    fresh = [problem for problem in errors if (problem.code, problem.message) not in known]
    if fresh:
        console = error_console()
        console.print(f"[bold]{escape(shown)}[/]: merged, but the two versions do not work together:")
        print_problems(fresh, console, text)
    return bool(fresh)
