"""The extension types' numbers, and classes by their names."""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

from pyagent.errors import StoreError

TUPLE, SET, FROZENSET, DEQUE, INTEGER, DECIMAL, UUID, COMPLEX, RANGE = range(1, 10)
MOMENT, DATE, TIME, SPAN, OFFSET, ZONE = range(10, 16)
PATH, PATTERN, ADDRESS = range(16, 19)
ENUM, DATACLASS, NAMED_TUPLE, MODEL, SECRET, SEND, SUBCLASS = range(19, 26)
ARRAY, SCALAR, PAIRS, TEXT, LANGGRAPH = range(26, 31)


BASES: Any = (dict, list, str, int, float, bytes, set, frozenset)
"""Whose subclasses are kept as what they were."""


def base_of(kind: Any) -> Any:
    """Which of `BASES` the class is a subclass of."""
    return next(base for base in BASES if issubclass(kind, base))


def name_of(kind: Any) -> str:
    """A class as people read it."""
    return f"{kind.__module__}.{kind.__qualname__}"


def place_of(kind: Any) -> str:
    """Where a class is found again. Raises `StoreError` `store.type_unknown` if it is not."""
    place = _places.get(kind)
    if place is None:
        place = f"{kind.__module__}:{kind.__qualname__}"
        if _look_up(place) is not kind:
            raise refused(name_of(kind), "it is not found by that name in its module")
        _places[kind] = place
        _known[place] = kind
    return place


def class_at(place: str, base: Any) -> Any:
    """The class at a place, one of `base` if that is given. Raises `StoreError` `store.type_unknown`."""
    found = _known.get(place)
    if found is None:
        found = _look_up(place)
        if found is None:
            raise changed(place, "is not there")
        _known[place] = found
    if base is not None and not issubclass(found, base):
        raise changed(place, "is something else now")
    return found


_known: dict[str, Any] = {}
"""Classes that were found, and where."""
_places: dict[Any, str] = {}


def _look_up(place: str) -> type[Any] | None:
    module, _, path = place.partition(":")
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None
    return cast("type[Any]", found) if isinstance(found, type) else None


def refused(name: str, why: str) -> StoreError:
    """The error for a value that cannot be written."""
    what = f"A value of the type {name}" if name else "A value"
    return StoreError(
        f"{what} cannot be kept in a checkpoint: {why}.",
        code="store.type_unknown",
        hint="Keep plain data, a dataclass or a pydantic model that is defined at the top of a module, or give the "
        "checkpointer a `serde` that knows the type.",
        details={"type": name},
    )


def changed(place: str, why: str) -> StoreError:
    """The error for a class that is not what it was."""
    name = place.replace(":", ".")
    return StoreError(
        f"A checkpoint holds a {name}, but the class {why}.",
        code="store.type_unknown",
        hint="Import the module that defines it, or bring back the class as it was when the checkpoint was written.",
        details={"type": name},
    )
