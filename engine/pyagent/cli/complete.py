"""Completion of command lines, within a tenth of a second: what the shells' scripts ask is answered from here.

Only the standard library is imported, and for a graph's nodes the codec that its text is kept by. Commands and options
are kept in a file of the user's cache, which is made anew when the commands have changed; graphs, runs and node types
are read as they are, by their names alone.
"""

from __future__ import annotations

import enum
import json
import os
import re
import sqlite3
import sys
import typing
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyagent.errors import PyAgentError

_RUNS = 50
_LARGEST_GRAPH = 16 << 20
_GRAPH_ID = re.compile(rb"^id:\s*([a-z][a-z0-9_]*)", re.MULTILINE)
_NODE_ID = re.compile(rb"^\s*- *\{? *id: *([a-z][a-z0-9_]*)", re.MULTILINE)
_NODE = re.compile(rb"^@node\(\s*\"([a-z0-9_.]+)\"", re.MULTILINE)


def answer(words: Sequence[str]) -> int:
    """Print what may stand where the last word is, one a line; `words` are those after `pyagent`."""
    *before, last = words or [""]
    try:
        candidates = sorted(set(_candidates(before, last)))
    except (OSError, sqlite3.Error, PyAgentError):
        return 1  # a folder or a store that cannot be read: the shell offers nothing, and a command would say why
    for found in candidates:
        if found.startswith(last):
            print(found)
    return 0


def _candidates(before: Sequence[str], last: str) -> Iterator[str]:
    command = _tree()
    awaited: dict[str, Any] | None = None
    given = 0
    for word in before:
        if awaited is not None:
            awaited = None
            continue
        if word.startswith("-"):
            option = command["options"].get(word)
            awaited = option if option is not None and option["takes"] else None
        elif word in command["commands"]:
            command, given = command["commands"][word], 0
        else:
            given += 1
    if awaited is not None:
        yield from awaited["choices"] or _named(awaited["takes"], before)
        return
    if last.startswith("-"):
        yield from command["options"]
        return
    yield from command["commands"]
    arguments = command["arguments"]
    if arguments:
        argument = arguments[min(given, len(arguments) - 1)]
        if given < len(arguments) or argument["many"]:
            yield from argument["choices"] or _named(argument["takes"], before)


def _named(what: str, before: Sequence[str]) -> Iterator[str]:
    """Candidates for an argument by the name that the help gives it."""
    what = what.strip("[]").rstrip("…")
    if what.startswith("GRAPH"):
        yield from _graphs()
    elif what == "RUN":
        yield from _runs()
    elif what == "STEP":
        yield from _steps(before)
    elif what == "TYPE" or what == "TYPE|PATH":
        yield from _node_types()
    elif what == "DOMAIN":
        yield from {name.partition(".")[0] for name in _node_types()}


def _graphs() -> Iterator[str]:
    from pyagent.settings import GRAPHS

    package = Path(__file__).resolve().parents[1]
    for folder in (*GRAPHS.paths(), Path("graphs"), package / "ready_graphs", package.parents[1] / "graphs"):
        for path in (*folder.glob("*.yaml"), *folder.glob("*.yml")):
            with path.open("rb") as file:
                if found := _GRAPH_ID.search(file.read(4096)):
                    yield found[1].decode()
    for path in (*Path().glob("*.yaml"), *Path().glob("*.yml")):
        yield str(path)


def _query(sql: str, *values: object) -> list[Any]:
    from pyagent.settings import STORE, is_neo4j, store_file

    # A server is not asked while somebody types.
    if is_neo4j(STORE.text()):
        return []
    path = store_file()
    if not path.is_file():
        return []
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.05)
    try:
        return [row[0] for row in connection.execute(sql, values)]
    finally:
        connection.close()


def _runs() -> Iterator[str]:
    yield from _query("SELECT id FROM runs ORDER BY run DESC LIMIT ?", _RUNS)


def _steps(before: Sequence[str]) -> Iterator[str]:
    """Nodes of the run's graph: a node means its newest step."""
    from pyagent.native import CodecError, codec_unpack

    for word in before:
        if len(word) >= 6:
            sql = "SELECT text FROM graphs JOIN runs ON graphs.hash = runs.graph_hash WHERE id GLOB ? LIMIT 1"
            for text in _query(sql, f"{word}*"):
                with suppress(CodecError):
                    yield from (found[1].decode() for found in _NODE_ID.finditer(codec_unpack(text, _LARGEST_GRAPH)))


def _node_types() -> Iterator[str]:
    from importlib.metadata import entry_points

    from pyagent.settings import GRAPHS, NODES

    folders = [*NODES.paths(), Path("nodes"), *(folder / "nodes" for folder in GRAPHS.paths())]
    inside = [path for folder in folders for path in folder.glob("*/*.py")]
    places = {entry.value for entry in entry_points(group="pyagent.nodes")}
    for place in places:
        for root in sys.path:
            folder = Path(root, *place.split("."))
            if folder.is_dir():
                inside += folder.glob("*.py")
                break
    for path in inside:
        for found in _NODE.finditer(path.read_bytes()):
            yield found[1].decode()


# -- the commands ---------------------------------------------------------------------------------------------------


def _tree() -> dict[str, Any]:
    """Commands, options and arguments: `{commands, options, arguments}`, each command the same again."""
    folder = Path(__file__).parent
    stamp = max(path.stat().st_mtime_ns for path in folder.glob("*.py"))
    home = os.environ.get("XDG_CACHE_HOME", "")
    cache = (Path(home) if home.startswith("/") else Path("~/.cache").expanduser()) / "pyagent" / "completion.json"
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
        if kept["stamp"] == [stamp, str(folder)]:
            return kept["tree"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there yet, or of another version
    tree = _built()
    try:
        from pyagent.sdk.places import private_folder

        private_folder(cache.parent)
        cache.write_text(json.dumps({"stamp": [stamp, str(folder)], "tree": tree}), encoding="utf-8")
    except OSError:
        pass  # it is made anew the next time
    return tree


def _built() -> dict[str, Any]:
    from typer.main import get_command

    from pyagent.cli.commands import app

    return _command(get_command(app))


def _command(command: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    arguments: list[Any] = []
    for given in command.params:
        takes = given.metavar or given.name.upper()
        choices = _choices(getattr(getattr(given, "type_descriptor", None), "annotation", None))
        if given.param_type_name == "option":
            for name in (*given.opts, *given.secondary_opts):
                options[name] = {"takes": "" if given.is_flag else takes, "choices": choices}
        else:
            arguments.append({"takes": takes, "choices": choices, "many": given.nargs == -1})
    options["--help"] = {"takes": "", "choices": []}
    inner = {name: _command(each) for name, each in getattr(command, "commands", {}).items() if not each.hidden}
    return {"commands": inner, "options": options, "arguments": arguments}


def _choices(annotation: Any) -> list[str]:
    """The words that a parameter takes, where it takes no others: of a Literal or an Enum."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [str(member.value) for member in annotation]
    if typing.get_origin(annotation) is typing.Literal:
        return [str(choice) for choice in typing.get_args(annotation)]
    return next((found for each in typing.get_args(annotation) if (found := _choices(each))), list[str]())


# -- the shells -----------------------------------------------------------------------------------------------------

SCRIPTS = {
    "bash": """\
_pyagent() {
    local IFS=$'\\n'
    COMPREPLY=($(pyagent __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -o nosort -F _pyagent pyagent
""",
    "zsh": """\
#compdef pyagent
_pyagent() {
    local -a found
    found=("${(@f)$(pyagent __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    [[ -n "$found" ]] && compadd -a found || _files
}
compdef _pyagent pyagent
""",
    "fish": """\
complete -c pyagent -f -a '(pyagent __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
complete -c pyagent -F -n 'test -z (pyagent __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)[1]'
""",
}
"""What `pyagent completion SHELL` prints."""
