"""Checks of templates: that they parse, and that what they name is there and can have run before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pyagent.graph.check import repair
from pyagent.graph.check.catalogue import Fault, Reading
from pyagent.graph.check.context import Check, Level
from pyagent.graph.check.reach import ancestors
from pyagent.graph.problems import nearest, proposal
from pyagent.graph.spec import Concurrency, Fairness, NodeSpec
from pyagent.graph.yaml_tree import Path


def check_expressions(check: Check, *, upstream: bool) -> None:
    """All templates of the file. `upstream`: also whether named nodes come before, which needs all edges."""
    if check.expressions is None:
        return
    checker = _Expressions(check, upstream)
    for place in check.spec.places():
        level = check.level_of[place.node.id]
        for path, text in templates(place.node.params, (*place.path, "with")):
            if not check.is_literal(place.node, str(path[len(place.path) + 1])):
                checker.template(text, path, place.node, level)
        for path, text in templates(place.node.write, (*place.path, "write")):
            checker.template(text, path, place.node, level)
    for path, text in templates(check.spec.outputs, ("outputs",)):
        checker.template(text, path, None, check.levels[0])
    for name, channel in check.spec.state.items():
        for path, text in templates(channel.migrate, ("state", name, "migrate")):
            checker.migration(text, path)
    for name in ("concurrency", "fairness"):
        said: Concurrency | Fairness | None = getattr(check.spec.settings, name)
        for path, text in templates(said and said.key, ("settings", name, "key")):
            checker.template(text, path, None, check.levels[0])


def templates(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every string with `{{` in `value`, and its path."""
    if isinstance(value, str):
        if "{{" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from templates(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from templates(item, (*path, index))


class _Expressions:
    def __init__(self, check: Check, upstream: bool) -> None:
        self.check = check
        self.upstream = upstream
        self.readings: dict[str, Reading] = {}
        self.names: dict[str, str] = {}
        for place in check.spec.places():
            if place.node.name:
                self.names.setdefault(place.node.name, place.node.id)
        self.all_names = [*check.level_of, *self.names]
        self.ancestors: dict[Path, tuple[dict[str, int], dict[str, int]]] = {}

    def reading(self, text: str, path: Path, owner: str | None) -> Reading | None:
        """What a template reads; None if it does not parse, which is then reported."""
        check = self.check
        assert check.expressions is not None
        if text not in self.readings:
            self.readings[text] = check.expressions.read(text)
        reading = self.readings[text]
        if reading.fault is None:
            return reading
        check.report(
            "graph.expr.syntax",
            f"the expression does not parse: {reading.fault.message}",
            path,
            hint="Expressions are JavaScript between `{{` and `}}`.",
            node=owner,
            place=_place(check, path, text, reading.fault),
        )
        return None

    def migration(self, text: str, path: Path) -> None:
        """Check a channel's migration, which reads the channels of older versions: these are not known here."""
        reading = self.reading(text, path, None)
        if reading is not None and reading.nodes:
            named = ", ".join(f"`{name}`" for name in sorted(reading.nodes))
            message = f"a migration cannot read what nodes put out, such as {named}"
            self.check.report("graph.state.migrate", message, path, hint="It reads $state, as it was, and $inputs.")

    def template(self, text: str, path: Path, node: NodeSpec | None, level: Level) -> None:
        """Check one template; `node` is None for those of the graph itself."""
        check = self.check
        owner = node.id if node else None
        reading = self.reading(text, path, owner)
        if reading is None:
            return
        for name in sorted(reading.nodes):
            self.node(name, path, text, node, level)
        for kind, used, known in (
            ("input", reading.inputs, check.spec.inputs),
            ("state", reading.state, check.spec.state),
        ):
            for name in sorted(used - set(known)):
                close = check.closest(name, known)
                fix = (
                    repair.key_in(text, "$inputs" if kind == "input" else "$state", name, close, path)
                    if close
                    else None
                )
                check.report(
                    f"graph.expr.unknown_{kind}",
                    f"the graph has no {'input' if kind == 'input' else 'state channel'} `{name}`",
                    path,
                    hint=nearest(name, known) or f"Declare it in `{'inputs' if kind == 'input' else 'state'}`.",
                    node=owner,
                    fix=fix or repair.declared("inputs" if kind == "input" else "state", name),
                )

    def node(self, name: str, path: Path, text: str, reader: NodeSpec | None, level: Level) -> None:
        """Check that the node that an expression names is there and comes before the reader."""
        check = self.check
        found = name if name in check.level_of else self.names.get(name)
        owner = reader.id if reader else None
        if found is None:
            if check.was_lost(name):
                return
            code = "graph.expr.unknown_node" if path[0] != "outputs" else "graph.output.unknown_node"
            close = check.closest(name, self.all_names)
            hint = proposal(close, self.all_names) or "Add the node."
            fix = repair.named_in(text, name, close, path) if close else None
            check.report(code, f"no node has the id or name `{name}`", path, hint=hint, node=owner, fix=fix)
            return
        if not self.upstream:
            return
        message, hint = self.why_not(found, reader, level)
        if message:
            check.report("graph.expr.not_upstream", message, path, hint=hint, node=owner)

    def why_not(self, found: str, reader: NodeSpec | None, level: Level) -> tuple[str, str]:
        """Why the reader can never see the outcome of `found`; empty if it may."""
        target = self.check.level_of[found]
        if reader is None:
            if target.owner is None:
                return "", ""
            return f"`{found}` is inside the body of `{target.owner}`", f"Read the result of `{target.owner}`."
        here: Level | None = level
        at: str | None = reader.id
        while here is not None and at is not None:
            if here is target:
                if found == at and here is not level:
                    return f"the result of `{found}` is not there inside of its body", "Read `$input` instead."
                if self.comes_before(found, here, at):
                    return "", ""
                return (
                    f"`{found}` does not come before `{reader.id}`",
                    f"Only nodes from which edges lead to `{at}` can be read. Add an edge, or use the state.",
                )
            here, at = here.parent, here.owner
        return f"`{found}` is inside the body of `{target.owner}`", f"Read the result of `{target.owner}`."

    def comes_before(self, node: str, level: Level, reader: str) -> bool:
        """Whether a chain of edges leads from `node` to `reader`, back edges followed."""
        if level.path not in self.ancestors:
            self.ancestors[level.path] = ancestors(level.sources)
        bit, before = self.ancestors[level.path]
        return bool(before[reader] & bit[node])


def _place(check: Check, path: Path, text: str, fault: Fault) -> tuple[int, int]:
    """Line and column in the file; the template's own place where its text has escapes or is folded."""
    line, column = check.tree.locate(path)
    here = check.tree
    for part in path:
        entry = here.entry(part)
        if entry is None:
            return line, column
        here = entry[1]
    if here.alias:
        return line, column
    if here.style == "|":
        lines = check.text.split("\n")[line:]
        indent = next((len(row) - len(row.lstrip(" ")) for row in lines if row.strip()), 0)
        return line + fault.line, indent + fault.column
    quotes = 1 if here.style in ("'", '"') else 0
    plain = here.end - here.start == len(text) + 2 * quotes and fault.line == 1
    return (line, column + quotes + fault.column - 1) if plain else (line, column)
