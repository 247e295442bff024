"""Templates taken apart: their text, their expressions, and what those name; nothing is evaluated here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyagent.errors import ExpressionError, Where
from pyagent.native import ScriptError, analyse, parse_template, plain_path

ROOTS = {
    "$json": "json",
    "$binary": "binary",
    "$itemIndex": "item_index",
    "$runIndex": "run_index",
    "$execution": "execution",
    "$workflow": "workflow",
    "$vars": "vars",
    "$inputs": "inputs",
    "$state": "state",
    "$run": "run",
    "$scope": "scope",
    "$prevNode": "prev_node",
}
"""The names that hold data, and the attributes of the context that they read."""


_READERS = frozenset({"$", "$input", "$node"})


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """What a template names."""

    nodes: frozenset[str]
    """Nodes named by literals: `$('Node')`, `$node["Node"]`, `$node.Node`."""
    roots: frozenset[str]
    """Names with a leading `$`, such as `$json`."""
    computed_node: bool
    """Some node is named by more than a literal, so `nodes` may not be all."""


@dataclass(frozen=True)
class Expression:
    """One `{{ … }}` of a template."""

    code: str
    line: int
    """Line of the code in the template, from 1."""
    column: int
    """Column of the code in that line, from 1, in characters."""

    @cached_property
    def path(self) -> tuple[str, str | None, str | None, tuple[tuple[str | int, bool], ...]] | None:
        """Root, node, pick and keys, if the code is nothing but a path."""
        return plain_path(self.code)

    @cached_property
    def analysis(self) -> tuple[dict[str, tuple[str, ...] | None], set[str], set[str], bool, bool, bool, bool]:
        """Roots with the keys that are read (None: all), names, nodes, computed node, random, dates, calm."""
        return analyse(self.code)

    @cached_property
    def plan(self) -> tuple[str, tuple[tuple[str, tuple[str, ...] | None], ...], bool, bool, bool, bool]:
        """The code, its `arguments`, and whether it reads items, needs the clock, needs the seed, and is calm: it
        cannot repeat itself unseen."""
        _, names, _, _, random, dates, calm = self.analysis
        return self.code, self.arguments, not names.isdisjoint(_READERS), dates, random, calm

    @cached_property
    def parameters(self) -> list[str]:
        """The data roots that the code may mention."""
        return list(self.analysis[0])

    @cached_property
    def arguments(self) -> tuple[tuple[str, tuple[str, ...] | None], ...]:
        """For each parameter the context's attribute and the keys needed of it."""
        return tuple((ROOTS[root], keys) for root, keys in self.analysis[0].items())


@dataclass(frozen=True)
class Template:
    """A string taken apart; `Expressions.compile` keeps them."""

    text: str
    parts: tuple[str | Expression, ...]

    @cached_property
    def single(self) -> Expression | None:
        """The expression, if the template is nothing else and so keeps the value's type.

        Line ends after it do not count: YAML's block scalars add them.
        """
        match self.parts:
            case (Expression() as only,):
                return only
            case (Expression() as only, str() as rest) if not rest.strip("\n"):
                return only
            case _:
                return None


def is_template(value: object) -> bool:
    """Whether a value is a string in which `{{` opens an expression."""
    return isinstance(value, str) and "{{" in value and value.count("{{") > value.count("\\{{")


def parse(text: str) -> Template:
    """Take a template apart. Raises ExpressionError `expr.syntax` for a `{{` that is never closed or is empty."""
    try:
        found = parse_template(text)
    except ScriptError as error:
        raise expression_error(error, None) from None
    return Template(text, tuple(part if isinstance(part, str) else Expression(*part) for part in found))


def references(text: str) -> References:
    """The nodes and names that a template mentions. Raises ExpressionError as `parse` does."""
    nodes: set[str] = set()
    roots: set[str] = set()
    computed = False
    for part in parse(text).parts:
        if isinstance(part, Expression):
            roots |= part.analysis[1]
            nodes |= part.analysis[2]
            computed |= part.analysis[3]
    return References(nodes=frozenset(nodes), roots=frozenset(roots), computed_node=computed)


_CODES = {
    "syntax": "expr.syntax",
    "timeout": "expr.timeout",
    "memory": "expr.memory",
}
_HINTS = {
    "syntax": "Correct the expression; a literal `{{` is written `\\{{`.",
    "timeout": "Let the expression do less, or move the work into a code node.",
    "memory": "Let the expression read and build less, or move the work into a code node.",
}


def expression_error(error: ScriptError, expression: Expression | None) -> ExpressionError:
    """The engine's error as ours; positions in the code become positions in the template."""
    kind, message, line, column = error.args
    hint = _HINTS.get(kind, "")
    if message.startswith("cannot read property"):
        hint = "Write `?.` where a value may be missing, or give one by $ifEmpty(value, otherwise)."
    elif message.endswith("is not defined"):
        hint = "Names begin with $, such as $json, $input, $('Node'), $inputs, $state; text needs quotes."
    if expression is not None:
        # Positions are those in the code, whose first line begins somewhere in the template.
        column = column + expression.column - 1 if line <= 1 and column else (column or expression.column)
        line = (line or 1) + expression.line - 1
    return ExpressionError(
        message,
        code=_CODES.get(kind, "expr.failed"),
        hint=hint,
        where=Where(line=line or None, column=column or None),
        details={"expression": expression.code.strip()} if expression is not None else None,
    )
