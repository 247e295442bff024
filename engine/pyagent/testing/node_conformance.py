"""What every node type keeps to, checked from outside: `node_problems` for a test, `pyagent node check` for a person.

A problem is data, not an exception: a code, what was seen, and what to do. A node type that declares `none` is run
twice and compared while the interpreter's audit events are watched (`effect_watch`); what a C library does to the
world by itself, and what a node reads of it, is not seen.
"""

from __future__ import annotations

import asyncio
import copy
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError

from pyagent.errors import PyAgentError
from pyagent.sdk.items import Item, JsonObject
from pyagent.sdk.node import NodeType
from pyagent.testing.effect_watch import watched_effects
from pyagent.testing.node_cases import NodeCase
from pyagent.testing.nodes import NodeRun, TestCancelToken, as_items

UNICODE = "Žluťoučký kůň 🐎 العربية \u2028 e\u0301"
"""Letters outside of ASCII, a pair of surrogates in UTF-16, another direction, a line separator, a combining accent."""
CANCEL_WITHIN = 1.0
"""Seconds that a cancelled node has to end."""
BLOCKS_FOR = 1.0
"""Seconds without a turn of the event loop that are told."""
_UNCODED = frozenset({"internal", "node.crashed"})
_WRONG: tuple[Any, ...] = (None, "text", -1, [1], {"a": 1})


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeProblem:
    """One thing that is wrong with a node type."""

    use: str
    code: str
    """`node.check.…`, stable."""
    message: str
    hint: str
    severity: Literal["error", "warning"] = "error"
    case: str = ""
    """The case in which it was seen."""

    def __str__(self) -> str:
        return f"{self.use}{f' ({self.case})' if self.case else ''}: {self.code}: {self.message}. {self.hint}"

    def as_dict(self) -> JsonObject:
        """The problem as JSON."""
        return {
            "type": self.use,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "case": self.case,
        }


async def node_problems(
    node_type: NodeType, cases: Sequence[NodeCase] = (), *, repeat_once: bool = False
) -> list[NodeProblem]:
    """Everything that is wrong with a node type, as it is declared and as it behaves in the cases.

    A case of a node type with effects `once` is run only with `repeat_once`: running it is what it must not be used
    for lightly.
    """
    found = declared_problems(node_type)
    for case in cases:
        found += await _Trial(node_type, case, repeat_once=repeat_once).problems()
    return list(dict.fromkeys(found))


# -- as it is declared ----------------------------------------------------------------------------------------------


def declared_problems(node_type: NodeType) -> list[NodeProblem]:
    """What is wrong with the declaration: words that are missing, a schema that does not hold."""
    return list(_declared(node_type))


def _declared(node_type: NodeType) -> Iterator[NodeProblem]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    def problem(code: str, message: str, hint: str) -> NodeProblem:
        return NodeProblem(use=node_type.use, code=f"node.check.{code}", message=message, hint=hint)

    if not node_type.description:
        yield problem(
            "docstring", "the function has no docstring", "Say in it what the node does; the page and docs show it."
        )
    if not node_type.title.strip():
        yield problem("title", "the title is empty", "Give `title=` a few words.")
    ports = node_type.ports_out
    for port in (*node_type.ports_in, *(() if callable(ports) else ports)):
        if port != "*" and not port.isidentifier():
            yield problem("ports", f"the port {port!r} is no name", "Use letters, digits and `_`.")
    schema = node_type.schema()
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield problem("schema", f"the parameters' JSON Schema is not valid: {error.message}", "See the field's type.")
        return
    for place, field in _fields(schema):
        if not str(field.get("description") or _pointed(field, schema).get("description", "")).strip():
            described = problem(
                "description", f"the parameter {place} is not described", "Give it Field(..., description=…)."
            )
            # Data of other nodes may be a parameter as a whole; nobody fills in its fields in a form.
            yield replace(described, severity="warning") if "." in place else described
        for kind, values in (("default", [field["default"]] if "default" in field else []), ("example", _of(field))):
            for value in values:
                checker: Any = Draft202012Validator({**field, "$defs": schema.get("$defs", {})})
                if not checker.is_valid(value):
                    yield problem(
                        kind, f"the {kind} {value!r} of {place} does not fit its own type", f"Correct the {kind}."
                    )


def _of(field: Mapping[str, Any]) -> list[Any]:
    return cast("list[Any]", field.get("examples") or [])


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field of the parameters and of the models inside of them, with its place."""
    for name, field in cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {})).items():
        yield name, field
    for model, part in cast("Mapping[str, Mapping[str, Any]]", schema.get("$defs", {})).items():
        for name, field in cast("Mapping[str, Mapping[str, Any]]", part.get("properties", {})).items():
            yield f"{model}.{name}", field


def _pointed(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(field.get("$ref", "")).rpartition("/")[2]
    return cast("Mapping[str, Any]", schema.get("$defs", {}).get(name, {}))


# -- as it behaves --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """How a run came out; equal where nothing that matters differs."""

    seen: Any
    """Items by port as JSON, the command, or the error's code."""
    run: NodeRun | None = None
    error: Exception | None = None

    def same(self, other: _Outcome) -> bool:
        return self.seen == other.seen


class _Trial:
    """One node type in one case."""

    def __init__(self, node_type: NodeType, case: NodeCase, *, repeat_once: bool) -> None:
        self.type = node_type
        self.case = case
        self.repeat_once = repeat_once
        self.found: list[NodeProblem] = []

    async def problems(self) -> list[NodeProblem]:
        with tempfile.TemporaryDirectory(prefix="pyagent-check-", ignore_cleanup_errors=True) as folder:
            self.folder = Path(folder)
            await self._look()
        return self.found

    async def _look(self) -> None:
        params = self._round_trip()
        if params is None:
            return
        effects = self.type.effects_for(params)
        if effects == "once" and not self.repeat_once:
            return
        before = [copy.deepcopy(item.json) for item in as_items(self.case.given)]
        case = replace(self.case, items=_own(self.case.items), ports=_own_ports(self.case.ports))
        started = time.perf_counter()
        with _blocking() as gaps:
            first = await self._run(case)
        took = time.perf_counter() - started
        if gaps() > BLOCKS_FOR:
            self._add(
                "blocks",
                f"the event loop stood still for {gaps():.1f} s",
                "Await what takes time: asyncio.to_thread for computing, asyncio's own calls for input and output.",
                severity="warning",
            )
        if [item.json for item in as_items(case.given)] != before:
            self._add(
                "mutates", "the items it was given were changed", "Make new ones: {**item.json, …}, or `with_field`."
            )
        self._error(first, "")
        if first.run is not None:
            self._outputs(first.run, case)
        if effects == "none":
            await self._pure(first)
            await self._odd_items()
        await self._cancelled(took)

    # what is looked at

    def _round_trip(self) -> Any:
        """The parameters, to JSON and back; None where they do not fit."""
        from jsonschema import Draft202012Validator

        items = as_items(self.case.given)
        values = self.case.params_of(items[0].json if len(items) else {}, 0)
        try:
            params = self.type.validate_params(values)
        except ValidationError as error:
            self._add("params", f"the case's parameters do not fit: {error}", "Correct the case.")
            return None
        try:
            dumped = params.model_dump(mode="json", by_alias=True, exclude_unset=True)
            again = self.type.validate_params(dumped)
        except (ValidationError, ValueError) as error:
            self._add(
                "round_trip",
                f"the parameters do not come back from JSON: {str(error).splitlines()[0]}",
                "What the model gives as JSON must be what it takes; see its validators and serializers.",
            )
            return params
        if again != params:
            self._add("round_trip", "the parameters come back from JSON as others", "See validators and serializers.")
        checker: Any = Draft202012Validator(self.type.schema())
        errors: list[Any] = list(islice(checker.iter_errors(dict(values)), 1))
        if errors:
            place = ".".join(map(str, errors[0].absolute_path))
            self._add(
                "schema",
                f"the model takes what its JSON Schema refuses: {place}: {errors[0].message}",
                "Declare the field's types so that the schema says all that the model takes.",
                severity="warning",
            )
        return params

    def _outputs(self, run: NodeRun, case: NodeCase) -> None:
        import json

        given = {port: len(items) for port, items in run.context.ports.items()}
        for port, items in run.outputs.items():
            for index, item in enumerate(items):
                try:
                    json.dumps(item.json, allow_nan=False).encode()
                except (TypeError, ValueError) as error:
                    self._add(
                        "json", f"item {index} on {port} is no JSON: {error}", "Use None, bool, numbers, text, lists."
                    )
                    return
                if self.type.kind != "action" or self.type.makes_items or not any(given.values()):
                    continue
                if not item.sources:
                    self._add(
                        "lineage",
                        f"item {index} on {port} does not say which input items it came from",
                        "Use item.derive(json, index) or Item(json, None, sources), "
                        "or declare makes_items=True if it comes from none.",
                    )
                    return
                wrong = [source for source in item.sources if source.item >= given.get(source.port, 0)]
                if wrong:
                    self._add(
                        "lineage",
                        f"item {index} on {port} names {wrong[0].port}[{wrong[0].item}], and there is no such item",
                        "`sources` are those of the items that the node was given.",
                    )
                    return

    async def _pure(self, first: _Outcome) -> None:
        """It says `none`: it gives the same again, and does nothing to the world."""
        with watched_effects(allowed=[self.folder]) as seen:
            again = await self._run(self.case)
        if not again.same(first):
            self._add(
                "effects",
                f"it says `none`, and gives {_brief(again.seen)} the second time, {_brief(first.seen)} the first",
                "Use ctx.now for the time; leave chance to the caller; else declare effects='idempotent' or 'once'.",
            )
        if seen:
            self._add(
                "effects",
                f"it says `none`, and acts on the world: {seen[0]}",
                "Declare effects='idempotent' if it may be repeated, 'once' if not.",
            )

    async def _odd_items(self) -> None:
        """No items at all; letters of the world; fields of other types than it hopes for."""
        self._error(await self._run(self.case.with_items([], "no items")), "without items: ")
        given = [item.json for item in as_items(self.case.given)]
        first = given[0] if given else {}
        told = [_with_text(json) for json in given] or [{"text": UNICODE}]
        self._error(await self._run(self.case.with_items(told, "letters")), f"with texts such as {UNICODE!r}: ")
        self._error(await self._run(self.case.with_items([{}], "an empty item")), "with an empty item: ")
        for name in list(first)[:5]:
            for wrong in _WRONG:
                case = self.case.with_items([{**first, name: wrong}], "an odd item")
                self._error(await self._run(case), f"with {name}: {wrong!r}: ")

    async def _cancelled(self, took: float) -> None:
        token = TestCancelToken()
        task = asyncio.create_task(self._run(self.case, token))
        # Halfway, where it takes some time; else as soon as it has begun.
        await asyncio.wait({task}, timeout=min(took / 2, 1.0))
        token.trigger()
        task.cancel()
        _, open_ = await asyncio.wait({task}, timeout=CANCEL_WITHIN)
        if open_:
            self._add(
                "cancel",
                f"it does not end within {CANCEL_WITHIN:.0f} s when it is cancelled",
                "Let asyncio.CancelledError through, and wait with asyncio, so that it comes.",
            )
        else:
            await asyncio.gather(task, return_exceptions=True)

    # helpers

    async def _run(self, case: NodeCase, cancel: TestCancelToken | None = None) -> _Outcome:
        try:
            run = await case.run(self.type, cancel, self.folder)
        except Exception as error:
            return _Outcome(seen={"error": getattr(error, "code", type(error).__name__)}, error=error)
        items = {port: [item.as_dict() for item in made] for port, made in run.outputs.items()}
        return _Outcome(seen={"items": items, "command": repr(run.command), "more": run.more}, run=run)

    def _error(self, outcome: _Outcome, when: str) -> None:
        """An error is one that somebody meant, and says what to do."""
        error = outcome.error
        if error is None or isinstance(error, ValidationError):
            return  # the engine tells parameters that do not fit by itself
        cause = error.__cause__ if isinstance(error, PyAgentError) and error.code in _UNCODED else error
        if not isinstance(error, PyAgentError) or error.code in _UNCODED:
            self._add(
                "error",
                f"{when}it raises {type(cause).__name__}: {cause}",
                "Raise NodeError with a code and a hint for what may happen.",
            )
        elif not error.hint:
            self._add("error", f"{when}the error {error.code} has no hint", "Say in `hint` what to do.")

    def _add(self, code: str, message: str, hint: str, *, severity: Literal["error", "warning"] = "error") -> None:
        self.found.append(
            NodeProblem(
                use=self.type.use,
                code=f"node.check.{code}",
                message=message,
                hint=hint,
                severity=severity,
                case=self.case.name,
            )
        )


def _own(items: Sequence[Any]) -> list[Item]:
    return [Item(copy.deepcopy(item.json), item.binary) for item in as_items(items)]


def _own_ports(ports: Mapping[str, Sequence[Any]] | None) -> dict[str, Sequence[Any]] | None:
    return {port: _own(items) for port, items in ports.items()} if ports is not None else None


def _with_text(value: Any) -> Any:
    """The value with every text in it replaced by one of many letters."""
    if isinstance(value, str):
        return UNICODE
    if isinstance(value, dict):
        return {key: _with_text(inner) for key, inner in cast("JsonObject", value).items()}
    if isinstance(value, list):
        return [_with_text(inner) for inner in cast("list[Any]", value)]
    return value


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


class _blocking:
    """Measures the longest time in which the event loop had no turn."""

    def __enter__(self) -> Callable[[], float]:
        self._longest = 0.0
        self._task = asyncio.create_task(self._beat())
        return lambda: self._longest

    def __exit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        every = 0.01
        while True:
            last = time.perf_counter()
            await asyncio.sleep(every)
            self._longest = max(self._longest, time.perf_counter() - last - every)
