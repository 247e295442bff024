"""`pyagent node list` and `pyagent node show`: the installed node types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from pyagent.cli.text import escape
from pyagent.errors import NotFound

if TYPE_CHECKING:
    from pyagent.sdk.node import NodeType


def list_nodes(domain: str, *, as_json: bool) -> None:
    """Print the node types, of one domain if it is named. Raises `NotFound` (`node.not_found`)."""
    from pyagent.sdk.registry import Registry

    found = Registry.installed().all()
    if domain:
        found = [each for each in found if each.name.partition(".")[0] == domain]
        if not found:
            raise NotFound(
                f"there are no nodes of the domain {domain!r}", code="node.not_found", hint="pyagent node list"
            )
    if as_json:
        print(json.dumps([_as_json(each) for each in found], ensure_ascii=False, indent=2))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("type", "title", "effects", "what it does"):
        table.add_column(name, no_wrap=name in ("type", "effects"))
    for each in found:
        table.add_row(each.use, each.title, _effects(each), escape(each.description.partition("\n")[0]))
    Console(highlight=False).print(table)


def show_node(use: str, *, as_json: bool) -> None:
    """Describe one node type. Raises `NotFound` (`node.not_found`)."""
    from pyagent.graph.problems import nearest
    from pyagent.sdk.registry import Registry

    registry = Registry.installed()
    found = registry.get(use)
    if found is None:
        hint = nearest(use, [each.use for each in registry.all()])
        raise NotFound(f"there is no node type {use!r}", code="node.not_found", hint=hint)
    if as_json:
        print(json.dumps(_as_json(found) | {"parameters": found.schema()}, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{found.use}[/]  {escape(found.title)}\n")
    console.print(Markdown(found.description))
    console.print(f"\n[dim]kind[/] {found.kind}   [dim]effects[/] {_effects(found)}")
    console.print(f"[dim]in[/] {', '.join(found.ports_in) or 'none'}   [dim]out[/] {', '.join(_ports(found))}\n")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("parameter", "type", "default", "meaning"):
        table.add_column(name, no_wrap=name == "parameter")
    schema = found.schema()
    required = cast("list[str]", schema.get("required", []))
    for name, field in cast("dict[str, dict[str, Any]]", schema.get("properties", {})).items():
        default = "required" if name in required else json.dumps(field.get("default"), ensure_ascii=False)
        table.add_row(name, _type(field), escape(default), escape(str(field.get("description", ""))))
    if table.row_count:
        console.print(table)


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


def _type(field: Mapping[str, Any]) -> str:
    """A field's JSON type in a word or two."""
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "anyOf" in field:
        return " | ".join(dict.fromkeys(_type(each) for each in cast("list[dict[str, Any]]", field["anyOf"])))
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    types = field.get("type", "any")
    return " | ".join(cast("list[str]", types)) if isinstance(types, list) else str(types)
