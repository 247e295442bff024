"""Template expressions: `{{ … }}` inside the strings of a graph, evaluated for a step.

The language is JavaScript with n8n's names; `docs/concepts/expressions.md` describes it. One `Expressions`
is one trust domain (a graph of one owner): it keeps an engine per thread, compiles each template once, and
reads plain paths such as `$json.a.b` straight from the Python values.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

import orjson

from pyagent.errors import ExpressionError, Where
from pyagent.runtime import _luxon
from pyagent.runtime._core import Engine, ScriptError, analyse, parse_template, plain_path, walk
from pyagent.runtime.expression_context import EvaluationContext, Item, JsonValue, NodeView

__all__ = [
    "EvaluationContext",
    "Expression",
    "Expressions",
    "Item",
    "JsonValue",
    "NodeView",
    "References",
    "Template",
    "check_syntax",
    "is_template",
    "parse",
    "references",
]

MAX_TEMPLATES = 4096
"""Compiled templates that one `Expressions` keeps; beyond it all are dropped and compiled again on demand."""

_ROOTS = {
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
_READERS = frozenset({"$", "$input", "$node"})
_ELSEWHERE = object()


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
    def analysis(self) -> tuple[dict[str, tuple[str, ...] | None], set[str], set[str], bool, bool, bool]:
        """Roots with the keys that are read (None: all), names, nodes, computed node, random, dates."""
        return analyse(self.code)

    @cached_property
    def parameters(self) -> list[str]:
        """The data roots that the code may mention."""
        return list(self.analysis[0])

    @cached_property
    def arguments(self) -> tuple[tuple[str, tuple[str, ...] | None], ...]:
        """For each parameter the context's attribute and the keys needed of it."""
        return tuple((_ROOTS[root], keys) for root, keys in self.analysis[0].items())


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
        raise _expression_error(error, None) from None
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


_checker = threading.local()


def check_syntax(text: str) -> None:
    """Check that each expression of a template parses.

    Raises ExpressionError `expr.syntax` with line and column inside `text`.
    """
    engine: Engine | None = getattr(_checker, "engine", None)
    if engine is None:
        engine = _checker.engine = Engine(timezone="UTC", time_limit=1.0, memory_limit=64 << 20)
    for part in parse(text).parts:
        if isinstance(part, Expression):
            try:
                engine.check(part.code)
            except ScriptError as error:
                raise _expression_error(error, part) from None


class Expressions:
    """Evaluates the templates of one trust domain; may be used by several threads.

    `time_limit` is in seconds for each expression, `memory_limit` in bytes for each thread's engine.
    Raises ExpressionError if `timezone` is no IANA name.
    """

    def __init__(self, *, timezone: str = "UTC", time_limit: float = 1.0, memory_limit: int = 64 << 20) -> None:
        self._options = (timezone, time_limit, memory_limit)
        self._templates: dict[str, Template] = {}
        self._local = threading.local()
        self._engine()

    def compile(self, text: str) -> Template:
        """Take a template apart, or give what that gave before. Raises ExpressionError as `parse` does."""
        template = self._templates.get(text)
        if template is None:
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            template = self._templates[text] = parse(text)
        return template

    def evaluate(self, template: JsonValue, context: EvaluationContext, *, field: str = "") -> JsonValue:
        """The value with all its templates replaced by what they give; keys of objects are left alone.

        `field` is the dotted path of the value, for errors. What a plain path gives is shared with the
        context, not copied. Raises ExpressionError with code `expr.syntax`, `expr.failed`, `expr.timeout`,
        `expr.memory`, `expr.unknown_node` or `expr.not_upstream`, and SetupError `setup.luxon_missing` when
        dates are needed and luxon is not there.
        """
        if isinstance(template, str):
            return self._text(template, context, field) if "{{" in template else template
        if isinstance(template, Mapping):
            dot = f"{field}." if field else ""
            return {key: self.evaluate(value, context, field=f"{dot}{key}") for key, value in template.items()}
        if isinstance(template, Sequence):
            dot = f"{field}." if field else ""
            return [self.evaluate(value, context, field=f"{dot}{index}") for index, value in enumerate(template)]
        return template

    def _text(self, text: str, context: EvaluationContext, field: str) -> JsonValue:
        try:
            template = self._templates.get(text) or self.compile(text)
            if (single := template.single) is not None:
                return self._value(single, context, field, as_text=False)
            return "".join(
                part if isinstance(part, str) else cast(str, self._value(part, context, field, as_text=True))
                for part in template.parts
            )
        except ExpressionError as error:
            if error.where.node is None and error.where.field is None:
                place = error.where
                error.where = Where(node=context.node_id, field=field or None, line=place.line, column=place.column)
            raise

    def _value(self, expression: Expression, context: EvaluationContext, field: str, *, as_text: bool) -> JsonValue:
        if (path := expression.path) is not None:
            root, node, pick, keys = path
            value = (
                getattr(context, _ROOTS[root])
                if pick is None
                else context.items_of("node" if root == "$" else "input", node or "", pick, "")
            )
            if keys:
                value = walk(value, keys, _ELSEWHERE)
            if as_text:
                value = _plain_text(value)
            if value is not _ELSEWHERE:
                return value
        return self._script(expression, context, as_text)

    def _script(self, expression: Expression, context: EvaluationContext, as_text: bool) -> JsonValue:
        engine, programs = self._engine()
        _, names, _, _, random, dates = expression.analysis
        arguments = tuple(_argument(getattr(context, name), keys) for name, keys in expression.arguments)
        try:
            program = programs.get(expression.code)
            if program is None:
                program = programs[expression.code] = _compile(engine, expression)
            value = engine.run(
                program,
                arguments,
                as_text,
                context.now.timestamp() * 1000.0 if dates else 0.0,
                context.seed if random else 0,
                partial(_answer, context) if names & _READERS else None,
            )
        except ScriptError as error:
            raise _expression_error(error, expression) from None
        return _loads(value) if type(value) is bytes else value

    def _engine(self) -> tuple[Engine, dict[str, int]]:
        """This thread's engine, and the numbers of the programs it has compiled."""
        found: tuple[Engine, dict[str, int]] | None = getattr(self._local, "engine", None)
        if found is None or len(found[1]) >= MAX_TEMPLATES:
            timezone, time_limit, memory_limit = self._options
            try:
                engine = Engine(timezone=timezone, time_limit=time_limit, memory_limit=memory_limit)
            except ScriptError as error:
                raise _expression_error(error, None) from None
            found = self._local.engine = (engine, dict[str, int]())
        return found


def _compile(engine: Engine, expression: Expression) -> int:
    try:
        return engine.compile(expression.code, expression.parameters)
    except ScriptError as error:
        if error.args[0] != "needs_luxon":
            raise
    engine.provide_luxon(_luxon.source())
    return engine.compile(expression.code, expression.parameters)


def _argument(value: Any, keys: tuple[str, ...] | None) -> Any:
    """A data root as the engine takes it: a scalar, or JSON of as much of it as the code can read."""
    if keys is not None and isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        value = {key: found[key] for key in keys if key in found}
    return value if value is None or isinstance(value, bool | int | float) else _dumps(value)


def _answer(context: EvaluationContext, kind: str, name: str, which: str, port: str) -> bytes | None:
    """Answers the engine's reads of items; None is undefined."""
    found = context.items_of(kind, name, which, port)
    return None if found is None else _dumps(found)


def _plain(value: object) -> object:
    """Mappings and sequences of other types, such as paged items, as JSON's own."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, Sequence):
        return list(cast("Sequence[object]", value))
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        # Integers beyond 64 bits and halves of surrogate pairs.
        return json.dumps(value, default=_plain).encode()


def _loads(value: bytes) -> JsonValue:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return json.loads(value)


def _plain_text(value: Any) -> Any:
    """How a value reads inside text, or `_ELSEWHERE` where that takes JavaScript to say."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -(2**53) <= value <= 2**53:
        return str(value)
    return _ELSEWHERE


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


def _expression_error(error: ScriptError, expression: Expression | None) -> ExpressionError:
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
