"""What is wrong with a graph file: one `Problem` each, with code, place and hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from heapq import nsmallest
from typing import Any, Literal, cast

from pydantic import BaseModel, ValidationError

from pyagent.errors import PyAgentError, Where
from pyagent.graph.fixes import Fix, put, rename_key, take_out
from pyagent.graph.parts import ID_PATTERN
from pyagent.graph.spec import (
    FORMAT,
    Body,
    CacheSpec,
    Canvas,
    Concurrency,
    Fairness,
    FrameSpec,
    GraphSpec,
    LoopSpec,
    NodeSpec,
    NoteSpec,
    RetrySpec,
    RunsOn,
    Settings,
    StateChannel,
)
from pyagent.graph.yaml_format import is_node, key_order
from pyagent.graph.yaml_tree import Path, Tree, field_of

Severity = Literal["error", "warning"]

_IN_NODE: dict[str, type[BaseModel]] = {
    "retry": RetrySpec,
    "loop": LoopSpec,
    "cache": CacheSpec,
    "runs_on": RunsOn,
    "body": Body,
}
_UNVERSIONED = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_HINTS = {
    "graph.edge.syntax": "Write `node.port -> node.port`; a port left out is the first one.",
    "graph.id.invalid": f"Ids are small letters, digits and underscores, a letter first ({ID_PATTERN}).",
    "graph.version.unsupported": f"This engine reads `pyagent: {FORMAT}`.",
    "use": "Write the type and its major version, such as `data.set@1`.",
    "duration": "Write a number and a unit: 500ms, 2s, 1m, 1h30m.",
    "join": "Write `all`, `any`, or `2 of 3` where three edges come in.",
    "timezone": "Write a name of the IANA time zone database, such as Europe/Berlin.",
    "pins": "Write the items' data: `pins: {fetch: [{a: 1}]}`.",
}
_KINDS = {
    "string_type": "a string",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_KIND_HINTS = {
    "a string": "Write a text, in quotes where it looks like a number or begins with a special sign.",
    "a mapping": "Write a `key: value` on each line below it, or `{key: value}`.",
    "a list": "Write one entry a line, each behind `- `, or `[a, b]`.",
    "a whole number": "Write a number without quotes and without a point.",
    "true or false": "Write `true` or `false`, without quotes.",
}
_ANY_HINT = "docs/concepts/graph-file.md says what may stand here; `pyagent graph schema` tells it to editors."


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a graph."""

    code: str
    """Stable and dotted: `graph.port.unknown`."""
    severity: Severity = "error"
    message: str
    hint: str = ""
    where: Where
    path: Path = ()
    """Where it is in the graph's data, or where what is missing should be: `("nodes", 3, "with", "url")`."""
    fix: Fix | None = None
    """What makes it go, where the check knows that."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON: `{code, severity, message, hint, where, path}`, and `fix` where there is one."""
        found: dict[str, Any] = {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "where": self.where.as_dict(),
            "path": list(self.path),
        }
        return found | ({"fix": self.fix.as_dict()} if self.fix else {})

    @staticmethod
    def of(error: PyAgentError) -> Problem:
        """The error as a problem."""
        return Problem(code=error.code, message=error.message, hint=error.hint, where=error.where)


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that proposes the known name closest to `word`, or lists a few; empty if there is none."""
    names = set(known)
    return proposal(closest(word, names), names)


def proposal(close: str | None, known: Iterable[str]) -> str:
    """A sentence that proposes the name `close`, or lists a few of the known ones; empty if there is none."""
    if close:
        return f"Did you mean `{close}`?"
    names = nsmallest(9, set(known))
    if not names:
        return ""
    shown = ", ".join(f"`{name}`" for name in names[:8])
    return f"Known: {shown}{', …' if len(names) > 8 else ''}."


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known name that somebody may have meant by `word`; None if none is like it."""
    names = sorted(set(known))
    # The name of a node type is better known than its domain: `data.filter` means `flow.filter@1`. And what is a type
    # here is a domain elsewhere: `http.request` means `io.http@1`.
    parts = word.partition("@")[0].split(".")
    same = [name for name in names if len(parts) > 1 and _last(name) == parts[-1]]
    same = same or [name for name in names if len(parts) > 1 and "." in name and _last(name) in parts]
    close = get_close_matches(word, same, 1, 0.0) or get_close_matches(word, names, 1, 0.6)
    return close[0] if close else None


def node_at(tree: Tree, path: Path) -> str | None:
    """Id of the innermost node that `path` leads into."""
    for length in range(len(path), 1, -1):
        if is_node(path[:length]):
            node = value_at(tree, path[:length])
            found = node.get("id") if isinstance(node, dict) else None  # pyright: ignore
            return found if isinstance(found, str) else None
    return None


def value_at(tree: Tree, path: Path) -> Any:
    """The plain value at `path`, None if there is none."""
    here = tree
    for part in path:
        found = here.entry(part)
        if found is None:
            return None
        here = found[1]
    return here.value


def schema_problems(error: ValidationError, tree: Tree, file: str | None) -> list[Problem]:
    """What does not fit the format, in the order of the file."""
    problems: dict[tuple[int, int, str], Problem] = {}
    for details in error.errors(include_url=False, include_input=False):
        path = _existing(tree, details["loc"])
        problem = _schema_problem(details["type"], details["msg"], details["loc"], path, tree, file)
        where = problem.where
        # the branches of a union say the same thing several times
        problems.setdefault((where.line or 0, where.column or 0, problem.code), problem)
    return [problems[key] for key in sorted(problems)]


def _existing(tree: Tree, location: Path) -> Path:
    """The part of pydantic's location that is in the file; the rest names branches of unions."""
    here = tree
    for length, part in enumerate(location):
        found = here.entry(part)
        if found is None:
            return location[:length]
        here = found[1]
    return location


def _schema_problem(kind: str, message: str, location: Path, path: Path, tree: Tree, file: str | None) -> Problem:
    known = _known_keys(path[:-1])
    name = str(location[-1]) if location else ""
    hint = _HINTS.get(kind, "")
    fix: Fix | None = None
    if kind == "missing":
        code, text = "graph.schema", f"`{name}` is missing"
        hint = f"Add `{name}:`."
        fix = _missing(path, name)
    elif kind == "extra_forbidden":
        code, text = "graph.schema", f"`{name}` is no key here"
        hint = nearest(name, known)
        close = closest(name, set(known) - set(_keys_at(tree, path[:-1])))
        fix = rename_key(path, close, value_at(tree, path)) if close else take_out(f"Remove {name}", path)
    elif kind == "use" and isinstance(used := value_at(tree, path), str) and _UNVERSIONED.fullmatch(used):
        code, text, hint = "graph.schema", f"`{used}` names no major version", f"Write `{used}@1`."
        fix = put(f"Use {used}@1", path, f"{used}@1")
    elif kind == "graph.id.invalid" and (slug := _slug(value_at(tree, path))):
        code, text, fix = kind, message, put(f"Name it {slug}", path, slug)
    elif kind == "graph.edge.syntax":
        code, text, fix = kind, message, take_out("Remove the edge", path)
    elif kind in _KINDS:
        code, text = "graph.schema", f"`{path[-1] if path else 'the file'}` must be {_KINDS[kind]}"
        hint = hint or _KIND_HINTS[_KINDS[kind]]
    else:
        code = kind if kind.startswith("graph.") else "graph.schema"
        text = message if code != "graph.schema" or kind in _HINTS else f"`{path[-1]}`: {_plain(message)}"
    line, column = tree.locate(path, key=kind == "extra_forbidden")
    where = Where(file=file, line=line, column=column, node=node_at(tree, path), field=field_of(location) or None)
    place = (*path, name) if kind == "missing" else path
    return Problem(code=code, message=text, hint=hint or _ANY_HINT, where=where, path=place, fix=fix)


def _missing(path: Path, name: str) -> Fix | None:
    """What begins a key that must be there: of the file, of a note or a frame."""
    begin: dict[str, Any] = {}
    if not path:
        begin = {"pyagent": FORMAT, "id": "graph"}
    elif path[0] == "canvas":
        begin = {"text": "", "at": [0, 0], "size": [240, 120]}
    return put(f"Add {name}", (*path, name), begin[name]) if name in begin else None


def _slug(value: Any) -> str | None:
    """The id that is most like a value that is none."""
    found = re.sub(r"[^a-z0-9]+", "_", str(value).casefold()).strip("_") if isinstance(value, (str, int)) else ""
    found = found if found[:1].isalpha() else f"n_{found}" if found else ""
    return found if re.fullmatch(ID_PATTERN, found) else None


def _keys_at(tree: Tree, path: Path) -> list[str]:
    value = value_at(tree, path)
    return list(cast("dict[str, Any]", value)) if isinstance(value, dict) else []


def _plain(message: str) -> str:
    return message.replace("Input should be", "must be").replace("Value error, ", "")


def _known_keys(path: Path) -> list[str]:
    """The keys that the format knows in the mapping at `path`."""
    if not path:
        return key_order(GraphSpec)
    if is_node(path):
        return key_order(NodeSpec)
    if is_node(path[:-1]) and (model := _IN_NODE.get(str(path[-1]))):
        return key_order(model)
    if path == ("settings",):
        return key_order(Settings)
    if path == ("settings", "concurrency"):
        return key_order(Concurrency)
    if path == ("settings", "fairness"):
        return key_order(Fairness)
    if path[0] == "canvas":
        inside = {"notes": NoteSpec, "frames": FrameSpec}.get(str(path[1])) if len(path) == 3 else None
        return key_order(Canvas) if len(path) == 1 else key_order(inside) if inside else []
    return key_order(StateChannel) if path[0] == "state" else []


def _last(name: str) -> str:
    """`filter` of `flow.filter@1`."""
    return name.partition("@")[0].rpartition(".")[2]
