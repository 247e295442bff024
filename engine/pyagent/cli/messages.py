"""What the command line says about errors and problems: code, place, the source line, a hint; never a traceback."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from pyagent.cli.text import escape
from pyagent.errors import PyAgentError, Where
from pyagent.settings import DEBUG

if TYPE_CHECKING:
    from pyagent.graph.problems import Problem


def error_console() -> Console:
    """The standard error stream, words as they are."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def debugging() -> bool:
    """Whether PYAGENT_DEBUG asks for tracebacks."""
    return DEBUG.flag()


def print_error(error: BaseException, console: Console | None = None, *, as_json: bool = False) -> None:
    """Say what went wrong, where, and what to do."""
    data = (error if isinstance(error, PyAgentError) else unexpected(error)).as_dict()
    if not as_json or not _print_json({"error": data}):
        print_error_data(data, console)
    if debugging():
        traceback.print_exception(error)


def _print_json(data: Mapping[str, Any]) -> bool:
    """False where the standard output cannot be written, which may be the very error to tell."""
    try:
        sys.stdout.write(json.dumps(data, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True


def unexpected(error: BaseException) -> PyAgentError:
    """An error that nobody meant to raise, told like one that somebody did."""
    if isinstance(error, OSError):
        name = f" {error.filename}" if error.filename else ""
        return PyAgentError(
            f"{error.strerror or error}{name}", code="system", hint="Check the path, its permissions and the disk."
        )
    return PyAgentError(
        f"{type(error).__name__}: {error}",
        code="internal",
        hint="This is a defect of PyAgent. PYAGENT_DEBUG=1 shows where; please report it.",
    )


def print_error_data(error: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `PyAgentError.as_dict` gives, as runs and steps keep it."""
    console = console or error_console()
    details = cast("Mapping[str, Any]", error.get("details") or {})
    problems = cast("list[dict[str, Any]]", details.get("problems") or [])
    if problems and "where" in problems[0]:
        print_problems([_problem(found) for found in problems], console)
        return
    code = escape(str(error.get("code", "internal")))
    # Whole lines: a path that is broken in the middle can neither be searched for nor copied.
    console.print(f"[bold red]error[/] [red]{code}[/]: {_text(error)}", soft_wrap=True)
    place = str(Where(**cast("dict[str, Any]", error.get("where") or {}))) or (
        f"node {error['node']}" if error.get("node") else ""
    )
    if place:
        console.print(f"  [dim]at[/] {escape(place)}", soft_wrap=True)
    if hint := error.get("hint"):
        console.print(f"  [dim]hint:[/] {escape(str(hint))}", soft_wrap=True)


def _problem(data: Mapping[str, Any]) -> Problem:
    from pyagent.graph.problems import Problem

    return Problem(
        code=data["code"],
        severity=data["severity"],
        message=data["message"],
        hint=data["hint"],
        where=Where(**data["where"]),
    )


def _text(error: Mapping[str, Any]) -> str:
    return escape(str(error.get("message", "")))


def print_problems(problems: Sequence[Problem], console: Console, text: str | None = None) -> None:
    """Each problem as `file:line:column code message`, its line with a mark below, and the hint.

    `text` is the file's text; None: it is read where a file is named.
    """
    sources: dict[str, list[str]] = {}
    for problem in problems:
        where = problem.where
        if text is not None:
            lines = text.splitlines()
        else:
            name = where.file or ""
            if name not in sources:
                sources[name] = _lines(name)
            lines = sources[name]
        _print_problem(console, problem, lines)


def _lines(name: str) -> list[str]:
    try:
        return Path(name).read_text(encoding="utf-8", errors="replace").splitlines() if name else []
    except OSError:
        return []


def _print_problem(console: Console, problem: Problem, lines: Sequence[str]) -> None:
    where = problem.where
    style = "red" if problem.severity == "error" else "yellow"
    place = ":".join(str(part) for part in (where.file, where.line, where.column) if part is not None)
    console.print(f"[bold]{escape(place)}[/] [{style}]{problem.code}[/] {escape(problem.message)}")
    if where.line is not None and 0 < where.line <= len(lines):
        source = lines[where.line - 1].replace("\t", " ")
        column = max((where.column or 1) - 1, 0)
        # of a long line the part around the place
        cut = max(column - 60, 0)
        console.print(f"[dim]{where.line:>5} │ [/]{escape(source[cut : cut + 110])}")
        console.print(f"[dim]      │[/] {' ' * (column - cut)}[{style}]^[/]")
    if problem.hint:
        console.print(f"      [dim]=[/] {escape(problem.hint)}")
