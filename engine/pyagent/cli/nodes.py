"""`pyagent node list` and `pyagent node show`: the installed node types."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table

from pyagent.cli.messages import error_console
from pyagent.cli.output import print_json, table_console
from pyagent.cli.text import escape
from pyagent.errors import NotFound

if TYPE_CHECKING:
    from pyagent.sdk.node import NodeType


def list_nodes(word: str, *, as_json: bool) -> None:
    """Print the node types: all, those of the domain `word`, else those that have the word in what is said of them.

    Raises `NotFound` (`node.not_found`).
    """
    from pyagent.sdk.registry import Registry

    registry = Registry.installed()
    found = registry.all()
    for error in registry.broken:
        error_console().print(f"[yellow]{escape(error.message)}[/]")
    if word:
        domain = [each for each in found if each.name.partition(".")[0] == word]
        found = domain or [each for each in found if word.casefold() in _said_of(each).casefold()]
        if not found:
            raise NotFound(
                f"there is no domain {word!r}, and no node type with that in its name, title or description",
                code="node.not_found",
                hint=f"Domains: {', '.join(registry.domains)}.",
            )
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("type", "title", "effects", "what it does"):
        table.add_column(name, no_wrap=name in ("type", "effects"))
    for each in found:
        table.add_row(each.use, each.title, _effects(each), escape(each.description.partition("\n")[0]))
    table_console().print(table)


def _said_of(found: NodeType) -> str:
    return f"{found.use}\n{found.title}\n{found.description}"


def show_node(use: str, *, as_json: bool) -> None:
    """Describe one node type. Raises `NotFound` (`node.not_found`)."""
    from pyagent.graph.problems import nearest
    from pyagent.sdk.registry import Registry
    from pyagent.sdk.schema_text import parameter_texts

    registry = Registry.installed()
    found = registry.get(use)
    if found is None:
        hint = nearest(use, [each.use for each in registry.all()]) or "`pyagent node list` shows those there are."
        if use in registry.domains:
            hint = f"{use} is a domain: pyagent node list {use}"
        raise NotFound(f"there is no node type {use!r}", code="node.not_found", hint=hint)
    example = example_file(found)
    schema = found.schema()
    if as_json:
        said = {"parameters": schema, "example": example.read_text(encoding="utf-8") if example else None}
        print_json(_as_json(found) | said)
        return
    console = Console(highlight=False)
    console.print(f"[bold]{found.use}[/]  {escape(found.title)}\n")
    console.print(Markdown(found.description))
    works = "   [dim]works[/] item by item" if found.each_item else ""
    console.print(f"\n[dim]kind[/] {found.kind}   [dim]effects[/] {_effects(found)}{works}")
    console.print(f"[dim]in[/] {', '.join(found.ports_in) or 'none'}   [dim]out[/] {', '.join(_ports(found))}\n")
    for each in parameter_texts(schema):
        space = "  " * each.name.count(".")
        default = "" if each.default is None else f" [dim]= {escape(_short(each.default))}[/]"
        type_ = each.type if len(each.type) <= 60 else f"{each.type[:59]}…"
        end = " [yellow]required[/]" if each.required else default
        console.print(f"{space}[bold]{escape(each.name)}[/]  [cyan]{escape(type_)}[/]{end}", soft_wrap=True)
        if each.description:
            console.print(Padding(escape(each.description), (0, 0, 0, len(space) + 4)))
    if example is not None:
        console.print("\n[dim]example[/]")
        nodes = example.read_text(encoding="utf-8").partition("\nnodes:\n")[2]
        console.print(escape("nodes:\n" + nodes.rstrip()), soft_wrap=True)


def example_file(found: NodeType) -> Path | None:
    """The example graph beside a node type's module."""
    try:
        folder = Path(inspect.getfile(inspect.unwrap(found.function))).parent
    except (TypeError, OSError):
        return None
    path = folder / "examples" / f"{found.name.partition('.')[2]}.yaml"
    return path if path.is_file() else None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _as_json(found: NodeType) -> dict[str, Any]:
    return {
        "type": found.use,
        "title": found.title,
        "kind": found.kind,
        "effects": _effects(found),
        "ports_in": list(found.ports_in),
        "ports_out": _ports(found),
        "each_item": found.each_item,
        "description": found.description,
    }


def _effects(found: NodeType) -> str:
    return "by its parameters" if callable(found.effects) else found.effects


def _ports(found: NodeType) -> list[str]:
    return ["by its parameters"] if callable(found.ports_out) else list(found.ports_out)
