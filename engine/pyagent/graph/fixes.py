"""Quick fixes: small edits of a graph's data that make a problem go, as pure functions."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from pyagent.graph.yaml_tree import Path


class _Nothing(Enum):
    REMOVED = "removed"


REMOVED = _Nothing.REMOVED
"""The value of an edit that takes something away; null is a value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What shall stand at a path of a graph's data (`GraphSpec.to_data`)."""

    path: Path
    value: Any = REMOVED

    def as_dict(self) -> dict[str, Any]:
        """As JSON: `{path, value}` or `{path, remove: true}`."""
        return {"path": list(self.path)} | ({"remove": True} if self.value is REMOVED else {"value": self.value})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """A fix that somebody may want: edits that are made one after the other."""

    title: str
    """What it does, in the imperative: `Use io.http@1`."""
    edits: tuple[Edit, ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON: `{title, edits}`."""
        return {"title": self.title, "edits": [edit.as_dict() for edit in self.edits]}


def apply(data: dict[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """A copy of `data` after the edits.

    Mappings on the way to a value that are missing are made; a value for the place behind a list's last item is
    appended. What is to be removed and is not there is passed over. A mapping that is empty after a removal stays.

    Raises `LookupError` where a path leads through what is neither a mapping nor a list, or past a list's end.
    """
    found = copy.deepcopy(data)
    for edit in edits:
        _apply(found, edit)
    return found


def _apply(data: dict[str, Any], edit: Edit) -> None:
    here: Any = data
    for part in edit.path[:-1]:
        if isinstance(here, dict) and part not in here:
            if edit.value is REMOVED:
                return
            cast("dict[Any, Any]", here)[part] = {}
        here = _inside(here, part, edit)
    last = edit.path[-1]
    if isinstance(here, dict) and isinstance(last, str):
        entries = cast("dict[str, Any]", here)
        if edit.value is REMOVED:
            entries.pop(last, None)
        else:
            entries[last] = copy.deepcopy(edit.value)
    elif isinstance(here, list) and isinstance(last, int) and last >= 0:
        items = cast("list[Any]", here)
        if edit.value is REMOVED:
            del items[last : last + 1]
        elif last == len(items):
            items.append(copy.deepcopy(edit.value))
        else:
            items[last] = copy.deepcopy(edit.value)
    else:
        raise LookupError(f"nothing can stand at {edit.path}")


def _inside(here: Any, part: str | int, edit: Edit) -> Any:
    try:
        return here[part]
    except (LookupError, TypeError):
        raise LookupError(f"{edit.path} leads nowhere") from None


# -- what fixes are made of ---------------------------------------------------------------------------------------


def put(title: str, path: Path, value: Any) -> Fix:
    """Write `value` at `path`."""
    return Fix(title=title, edits=(Edit(path=path, value=value),))


def take_out(title: str, *paths: Path) -> Fix:
    """Take out what stands at the paths; of a list's items the last first, so that the others keep their places."""
    return Fix(title=title, edits=tuple(Edit(path=path) for path in sorted(paths, key=_order, reverse=True)))


def rename_key(path: Path, name: str, value: Any) -> Fix:
    """Write what stands at `path` under another key beside it."""
    edits = (Edit(path=path), Edit(path=(*path[:-1], name), value=value))
    return Fix(title=f"Rename to {name}", edits=edits)


def free_id(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or with the first number behind it that makes it none of those `taken`."""
    known = set(taken)
    if wanted not in known:
        return wanted
    stem = wanted.rstrip("0123456789") if wanted.rpartition("_")[2].isdigit() else f"{wanted}_"
    return next(found for number in range(2, len(known) + 3) if (found := f"{stem}{number}") not in known)


def empty_value(schema: dict[str, Any], whole: dict[str, Any] | None = None) -> Any:
    """A value to begin with for what a JSON Schema describes: its default, its first choice, else an empty one.

    `whole` is the schema that references lead into.
    """
    whole = schema if whole is None else whole
    seen = 0
    while isinstance(reference := schema.get("$ref"), str) and seen < 8:
        schema = cast("dict[str, Any]", whole.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}))
        seen += 1
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    if choices := cast("Sequence[Any]", schema.get("enum", ())):
        return choices[0]
    for key in ("anyOf", "oneOf", "allOf"):
        if branches := cast("Sequence[dict[str, Any]]", schema.get(key, ())):
            return empty_value(branches[0], whole)
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "object":
        properties = cast("dict[str, dict[str, Any]]", schema.get("properties", {}))
        return {name: empty_value(properties.get(name, {}), whole) for name in schema.get("required", ())}
    if kind == "array":
        return list[Any]()
    return {"boolean": False, "null": None}.get(str(kind), "")


def _number(schema: dict[str, Any]) -> int | float:
    if "minimum" in schema:
        return schema["minimum"]
    return schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else 0


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)


__all__ = ["REMOVED", "Edit", "Fix", "apply", "empty_value", "free_id", "put", "rename_key", "take_out"]
