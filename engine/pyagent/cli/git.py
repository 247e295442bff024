"""`pyagent graph install-git`: git shows and merges graph files with PyAgent."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pyagent.cli.messages import print_error
from pyagent.errors import SetupError

DRIVER = "pyagent-graph"
_BEGIN = "# pyagent graphs: begin (pyagent graph install-git)"
_END = "# pyagent graphs: end"
_GRAPH = re.compile(rb"^pyagent\s*:", re.MULTILINE)


def install_git_command(
    everywhere: Annotated[
        bool,
        typer.Option("--global", help="For all repositories of this user: graphs/*.yaml, or --pattern."),
    ] = False,
    patterns: Annotated[
        list[str] | None,
        typer.Option("--pattern", metavar="PATTERN", help="Which files are graphs, as in .gitattributes; repeatable."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take it all out again.")] = False,
) -> None:
    """Let git show and merge graph files by node and field. Says what it did; may be run again."""
    try:
        root = None if everywhere else _root()
        attributes = _global_attributes() if root is None else root / ".gitattributes"
        scope = "--global" if everywhere else "--local"
        done = _configure(scope, undo)
        lines = [] if undo else _lines(root, patterns)
        done += _write(attributes, lines)
    except SetupError as error:
        print_error(error)
        raise typer.Exit(5) from None
    for line in done or ["nothing to do"]:
        typer.echo(line)
    if root is not None and not undo:
        typer.echo("Commit .gitattributes; each clone runs `pyagent graph install-git` once for its configuration.")


def command() -> str:
    """How git calls this program: by name where the name will be found, else by its whole path."""
    beside = Path(sys.executable).with_name("pyagent")
    on_path = shutil.which("pyagent")
    in_venv = sys.prefix != sys.base_prefix
    if on_path and not (in_venv and Path(on_path).parent == beside.parent):
        return "pyagent"
    if beside.exists():
        return shlex.quote(str(beside))
    return f"{shlex.quote(sys.executable)} -m pyagent.cli"


def _git(*arguments: str, ok: Sequence[int] = (0,)) -> str:
    try:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SetupError(
            f"git cannot be started: {error.strerror or error}", code="setup.git", hint="Install git."
        ) from error
    if found.returncode not in ok:
        reason = found.stderr.strip().splitlines()
        raise SetupError(
            f"git {arguments[0]}: {reason[-1] if reason else found.returncode}",
            code="setup.git",
            hint="Run this in a git repository, or with --global.",
        )
    return found.stdout.strip()


def _root() -> Path:
    return Path(_git("rev-parse", "--show-toplevel"))


def _global_attributes() -> Path:
    if given := _git("config", "--global", "--type=path", "core.attributesFile", ok=(0, 1)):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "git" / "attributes"


def _configure(scope: str, undo: bool) -> list[str]:
    """Set or remove both drivers; what was done."""
    program = command()
    wanted = {
        f"diff.{DRIVER}.command": f"{program} graph diff",
        f"merge.{DRIVER}.name": "PyAgent graphs, by node and field",
        f"merge.{DRIVER}.driver": f"{program} graph merge --names %X %Y %O %A %B %P",
    }
    done: list[str] = []
    for key, value in wanted.items():
        known = _git("config", scope, "--get", key, ok=(0, 1))
        if undo and known:
            _git("config", scope, "--unset-all", key)
            done.append(f"git config {scope}: removed {key}")
        elif not undo and known != value:
            _git("config", scope, "--replace-all", key, value)
            done.append(f"git config {scope} {key} = {value}")
    return done


def _lines(root: Path | None, patterns: Sequence[str] | None) -> list[str]:
    found = list(patterns or ()) or (["graphs/*.yaml", "graphs/*.yml"] if root is None else _found(root))
    return [f"{_attribute(pattern)} diff={DRIVER} merge={DRIVER}" for pattern in found]


def _attribute(pattern: str) -> str:
    """A pattern as .gitattributes writes it."""
    if re.search(r"[\s\"]", pattern) or pattern.startswith(("#", "!")):
        return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return pattern


def _found(root: Path) -> list[str]:
    """Patterns for the graphs that are there: a folder that holds nothing else as a whole, others by name."""
    listed = _git("-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.yaml", "*.yml")
    folders: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
    for name in sorted({name for name in listed.split("\0") if name}):
        folder, _, file = name.rpartition("/")
        folders[folder].append((file, _is_graph(root / name)))
    patterns: list[str] = []
    for folder, files in folders.items():
        graphs = [file for file, is_graph in files if is_graph]
        if graphs and len(graphs) == len(files) and folder:
            suffixes = sorted({Path(file).suffix for file in graphs})
            patterns += [f"{_literal(folder)}/*{suffix}" for suffix in suffixes]
        else:
            patterns += [f"/{_literal(f'{folder}/{file}' if folder else file)}" for file in graphs]
    return patterns or ["graphs/*.yaml"]


def _literal(path: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", path)


def _is_graph(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _GRAPH.search(file.read(65_536)) is not None
    except OSError:
        return False


def _write(path: Path, lines: list[str]) -> list[str]:
    """Put the lines between our marks into the attributes file, or take them out; what was done."""
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        rest = re.sub(rf"(?:^|\n){re.escape(_BEGIN)}\n.*?{re.escape(_END)}\n?", "\n", old, flags=re.DOTALL)
        rest = rest.strip("\n")
        block = "\n".join([_BEGIN, *lines, _END]) if lines else ""
        new = "\n\n".join(part for part in (rest, block) if part)
        new = f"{new}\n" if new else ""
        if new == old or (not lines and _BEGIN not in old):
            return []
        if not new:
            path.unlink()
            return [f"removed {path}"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new, encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"cannot write {path}: {error.strerror or error}", code="setup.git", hint="Check its permissions."
        ) from error
    return [f"{path}: {line}" for line in lines] or [f"{path}: took our lines out"]
