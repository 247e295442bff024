"""Template expressions: `{{ … }}` inside the strings of a graph, evaluated for a step.

The language is JavaScript with n8n's names; `docs/concepts/expressions.md` describes it. One `Expressions`
is one trust domain (a graph of one owner): it keeps an engine per thread, compiles each template once, and
reads plain paths such as `$json.a.b` straight from the Python values. What only computes runs here, for a moment;
what may repeat itself, or takes longer or more, runs in a process that can be killed.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import Any, TypeAlias, cast
from uuid import uuid4

import orjson

from pyagent.errors import ExpressionError
from pyagent.native import Engine, ScriptError, walk
from pyagent.runtime import _luxon
from pyagent.runtime.expression_context import EvaluationContext, Item, JsonValue, NodeView
from pyagent.runtime.expression_process import Run, Task, run_apart
from pyagent.runtime.expression_template import (
    ROOTS,
    Expression,
    References,
    Template,
    expression_error,
    is_template,
    parse,
    references,
)
from pyagent.sdk.later import Later

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

MAX_SETTLED = 256
"""Answers kept for those who were told `Later`; one who was stopped meanwhile never comes for his."""

_Asked: TypeAlias = tuple[Task, int, int]
"""A task, and the seed and the number of the item for which it is done."""

_ELSEWHERE = object()


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
                raise expression_error(error, part) from None


class Expressions:
    """Evaluates the templates of one trust domain; may be used by several threads.

    `time_limit` is in seconds for each expression, `memory_limit` in bytes for each thread's engine.
    Raises ExpressionError if `timezone` is no IANA name.
    """

    def __init__(self, *, timezone: str = "UTC", time_limit: float = 1.0, memory_limit: int = 64 << 20) -> None:
        self._options = (timezone, time_limit, memory_limit)
        self._domain = uuid4().hex
        self._templates: dict[str, Template] = {}
        self._heavy: set[str] = set()
        self._settled: dict[_Asked, Any] = {}
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

    def evaluate(
        self, template: JsonValue, context: EvaluationContext, *, field: str = "", waits: bool = True
    ) -> JsonValue:
        """The value with all its templates replaced by what they give; keys of objects are left alone.

        `field` is the dotted path of the value, for errors. What a plain path gives is shared with the
        context, not copied. Raises ExpressionError with code `expr.syntax`, `expr.failed`, `expr.timeout`,
        `expr.memory`, `expr.unknown_node` or `expr.not_upstream`, and SetupError `setup.luxon_missing` when
        dates are needed and luxon is not there.

        With `waits=False` no expression is waited for that takes longer than a moment: `Later` is raised in its
        place, once for each.
        """
        if waits:
            if isinstance(template, str):
                return self._text(template, context, field, None) if "{{" in template else template
            return self._evaluate(template, context, field, None)
        used: list[_Asked] = []
        try:
            value = self._evaluate(template, context, field, used)
        except Later:
            # Whoever asks again needs what was answered until here.
            raise
        except BaseException:
            self._forget(used)
            raise
        self._forget(used)
        return value

    def _forget(self, used: list[_Asked]) -> None:
        for asked in used:
            self._settled.pop(asked, None)

    def _evaluate(
        self, template: JsonValue, context: EvaluationContext, field: str, used: list[_Asked] | None
    ) -> JsonValue:
        if isinstance(template, str):
            return self._text(template, context, field, used) if "{{" in template else template
        if isinstance(template, Mapping):
            dot = f"{field}." if field else ""
            return {key: self._evaluate(value, context, f"{dot}{key}", used) for key, value in template.items()}
        if isinstance(template, Sequence):
            dot = f"{field}." if field else ""
            return [self._evaluate(value, context, f"{dot}{index}", used) for index, value in enumerate(template)]
        return template

    def _text(self, text: str, context: EvaluationContext, field: str, used: list[_Asked] | None) -> JsonValue:
        try:
            template = self._templates.get(text) or self.compile(text)
            if (single := template.single) is not None:
                return self._value(single, context, as_text=False, used=used)
            return "".join(
                part if isinstance(part, str) else cast(str, self._value(part, context, as_text=True, used=used))
                for part in template.parts
            )
        except ExpressionError as error:
            if error.where.node is None and error.where.field is None:
                error.where = replace(error.where, node=context.node_id, field=field or None)
            raise

    def _value(
        self, expression: Expression, context: EvaluationContext, *, as_text: bool, used: list[_Asked] | None
    ) -> JsonValue:
        try:
            if (path := expression.path) is not None:
                root, node, pick, keys = path
                if pick is None:
                    value = getattr(context, ROOTS[root])
                else:
                    value = context.items_of("node" if root == "$" else "input", node or "", pick, "")
                if keys:
                    value = walk(value, keys, _ELSEWHERE)
                if as_text:
                    value = _plain_text(value)
                if value is not _ELSEWHERE:
                    return list(value) if pick == "all" and not keys and not as_text else value
            return self._script(expression, context, as_text, used)
        except ExpressionError as error:
            # What the context itself refuses does not know where it was asked for.
            if error.where.line is None:
                error.where = replace(error.where, line=expression.line, column=expression.column)
            raise

    def _script(
        self, expression: Expression, context: EvaluationContext, as_text: bool, used: list[_Asked] | None
    ) -> JsonValue:
        if context.deadline is not None and time.monotonic() > context.deadline:
            raise ExpressionError(
                "all expressions together take too long",
                code="expr.timeout",
                hint="Let them do less, or try one at a time.",
            )
        # What follows is measured in hundredths of microseconds, of which there are 250.
        code, given, reads, dates, random, calm = expression.plan
        if len(given) == 1:
            ((name, keys),) = given
            found = getattr(context, name)
            if keys is not None and len(keys) == 1 and type(found) is dict:
                arguments: tuple[Any, ...] = (_one_key(cast("dict[str, Any]", found), keys[0]),)
            else:
                arguments = (_argument(found, keys),)
        else:
            arguments = tuple([_argument(getattr(context, name), keys) for name, keys in given])
        now = context.now.timestamp() * 1000.0 if dates else 0.0
        seed = context.seed if random else 0
        answer = partial(_answer, context) if reads else None
        try:
            if calm and code not in self._heavy:
                try:
                    engine, programs = self._local.engine
                    program = programs[code]
                except (AttributeError, KeyError):
                    engine, programs = self._engine()
                    program = programs[code] = _compile(engine, expression)
                try:
                    value = engine.run(program, arguments, as_text, now, seed, answer)
                    return decoded(value) if type(value) is bytes else value
                except ScriptError as error:
                    if error.args[0] not in ("timeout", "memory"):
                        raise
                    if len(self._heavy) >= MAX_TEMPLATES:
                        self._heavy.clear()
                    self._heavy.add(code)
            timezone, time_limit, memory_limit = self._options
            task = Task(
                domain=self._domain,
                timezone=timezone,
                time_limit=time_limit,
                memory_limit=memory_limit,
                code=code,
                parameters=tuple(expression.parameters),
                runs=(Run(arguments=arguments, as_text=as_text, now=now, seed=seed),),
            )
            return self._apart(task, answer, context, used)
        except ScriptError as error:
            raise expression_error(error, expression) from None

    def _apart(
        self, task: Task, answer: partial[bytes | None] | None, context: EvaluationContext, used: list[_Asked] | None
    ) -> JsonValue:
        """Run a task in a process: wait for it, or say `Later`, after which its outcome is there once."""
        if used is None:
            return _value_of(_of_one(task, answer))
        # The same code on the same data of another item may read other items: the item belongs to what is asked.
        asked = (task, context.seed, context.item_index)
        if asked in self._settled:
            outcome = self._settled[asked]
            used.append(asked)
            if isinstance(outcome, BaseException):
                raise outcome
            return _value_of(outcome)

        async def settle() -> None:
            loop = asyncio.get_running_loop()
            inside = None if answer is None else partial(_answer_inside, loop, answer)
            outcome = await loop.run_in_executor(_waiting(), partial(_outcome, task, inside))
            if len(self._settled) >= MAX_SETTLED:
                self._settled.clear()
            self._settled[asked] = outcome

        raise Later(settle)

    def _engine(self) -> tuple[Engine, dict[str, int]]:
        """This thread's engine, and the numbers of the programs it has compiled."""
        found: tuple[Engine, dict[str, int]] | None = getattr(self._local, "engine", None)
        if found is None or len(found[1]) >= MAX_TEMPLATES:
            try:
                engine = Engine(timezone=self._options[0])
            except ScriptError as error:
                raise expression_error(error, None) from None
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


def _one_key(found: dict[str, Any], key: str) -> bytes:
    """As `_argument`, of a mapping of which one key is read."""
    if key not in found:
        return b"{}"
    try:
        return orjson.dumps({key: found[key]})
    except TypeError:
        return encoded({key: found[key]})


def _argument(value: Any, keys: tuple[str, ...] | None) -> Any:
    """A data root as the engine takes it: a scalar, or JSON of as much of it as the code can read."""
    if type(value) is dict:
        found = cast("dict[str, Any]", value)
        if keys is not None:
            found = {key: found[key] for key in keys if key in found}
        try:
            return orjson.dumps(found)
        except TypeError:
            return encoded(found)
    return value if value is None or isinstance(value, bool | int | float) else encoded(value)


def _answer(context: EvaluationContext, kind: str, name: str, which: str, port: str) -> bytes | None:
    """Answers the engine's reads of items; None is undefined."""
    found = context.items_of(kind, name, which, port)
    return None if found is None else encoded(found)


def _answer_inside(
    loop: asyncio.AbstractEventLoop, answer: partial[bytes | None], kind: str, name: str, which: str, port: str
) -> bytes | None:
    """Answers where the run's state lives: nothing changes it meanwhile."""

    async def look() -> bytes | None:
        return answer(kind, name, which, port)

    return asyncio.run_coroutine_threadsafe(look(), loop).result()


def _outcome(task: Task, answer: partial[bytes | None] | None) -> Any:
    """What a task gave, or the error that it raised."""
    try:
        return _of_one(task, answer)
    except Exception as error:
        return error


def _of_one(task: Task, answer: partial[bytes | None] | None) -> Any:
    """What the only run of a task gives."""
    (value,) = run_apart(task, None if answer is None else partial(_numbered, answer))
    return value


def _numbered(answer: partial[bytes | None], run: int, kind: str, name: str, which: str, port: str) -> bytes | None:
    return answer(kind, name, which, port)


@cache
def _waiting() -> ThreadPoolExecutor:
    """Threads that wait for processes, so that those of others do not."""
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="expressions")


def _value_of(value: Any) -> JsonValue:
    return decoded(value) if type(value) is bytes else value


def _plain(value: object) -> object:
    """Mappings and sequences of other types, such as paged items, as JSON's own."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, Sequence):
        return list(cast("Sequence[object]", value))
    raise TypeError(f"{type(value).__name__} is no JSON value")


def encoded(value: object) -> bytes:
    """A value as the JSON that the engine reads."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        # Integers beyond 64 bits and halves of surrogate pairs.
        return json.dumps(value, default=_plain).encode()


def decoded(value: bytes) -> JsonValue:
    """The value of JSON that the engine gave."""
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
