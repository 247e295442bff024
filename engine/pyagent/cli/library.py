"""`pyagent graph list` and `pyagent graph new`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json, table_console
from pyagent.cli.text import escape
from pyagent.errors import GraphError, InputError

_ID = re.compile(r"[a-z][a-z0-9_]*")
_STARTER = """\
pyagent: 1
id: {id}
name: {name}
description: Says hello; put nodes of your own in its place (`pyagent node list`).
inputs:
  name: {{type: string, default: world, title: Whom to greet}}
outputs: {{greeting: "{{{{ $('greet').first().json.greeting }}}}"}}
nodes:
  - id: greet
    use: data.set@1
    name: Greet
    with: {{fields: {{greeting: "Hello {{{{ $inputs.name }}}}"}}}}
"""


def list_graphs(*, as_json: bool) -> Exit:
    """Print the graphs that can be run by their ids, and the files that cannot be read."""
    from pyagent.runtime.library import SUFFIXES, GraphLibrary, graph_folders

    library = GraphLibrary(graph_folders())
    found: list[dict[str, Any]] = [
        {
            "id": file.spec.id,
            "name": file.spec.name or file.spec.id,
            "description": (file.spec.description or "").strip(),
            "inputs": list(file.spec.inputs),
            "file": str(file.path),
            "error": None,
        }
        for file in library.files()
    ]
    read = {each["file"] for each in found}
    for folder in library.folders:
        for path in sorted(folder.glob("*")):
            if path.suffix in SUFFIXES and str(path) not in read:
                try:
                    library.read(path)
                except GraphError as error:
                    told: dict[str, Any] = {
                        "id": None,
                        "name": path.name,
                        "description": "",
                        "inputs": [],
                        "file": str(path),
                    }
                    found.append({**told, "error": error.as_dict()})
    if as_json:
        print_json(found)
        return Exit.DONE
    console = table_console()
    if not found:
        console.print("No graphs. Make one: [bold]pyagent graph new hello[/]")
        return Exit.DONE
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("graph", "name", "inputs", "file"):
        table.add_column(name, no_wrap=name == "graph", overflow="fold")
    for each in found:
        error = each["error"]
        name = f"[red]{error['code']}: {escape(error['message'])}[/]" if error else escape(each["name"])
        table.add_row(str(each["id"] or "[red]✗[/]"), name, ", ".join(each["inputs"]), escape(_short(each["file"])))
    console.print(table)
    return Exit.DONE


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def new_graph(graph_id: str, *, folder: Path | None, as_json: bool) -> Exit:
    """Write a starter graph. Raises `InputError` (`input.graph_id`, `input.exists`)."""
    from pyagent.graph.yaml import fmt

    if not _ID.fullmatch(graph_id):
        raise InputError(
            f"{graph_id!r} is no id of a graph",
            code="input.graph_id",
            hint="Use small letters, digits and `_`, a letter first.",
        )
    folder = folder or (Path("graphs") if Path("graphs").is_dir() else Path())
    path = folder / f"{graph_id}.yaml"
    if path.exists():
        raise InputError(f"{path} is there already", code="input.exists", hint="Choose another name or folder.")
    folder.mkdir(parents=True, exist_ok=True)
    name = graph_id.replace("_", " ").capitalize()
    path.write_text(fmt(_STARTER.format(id=graph_id, name=name)), encoding="utf-8")
    if as_json:
        print_json({"id": graph_id, "file": str(path)})
    else:
        shown = str(path) if path.parent != Path() else f"./{path}"
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"wrote {escape(shown)}\nRun it: [bold]pyagent run {escape(shown)} --watch[/]")
    return Exit.DONE
