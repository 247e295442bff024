"""Reads JSON, JSON lines and YAML into plain JSON values, within limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from pyagent.sdk import JsonObject
from pyagent_nodes.io._parsing import ParseJson, ParseTooLarge, ParseYaml

DEEPEST = 200
"""Levels of lists and objects in a YAML file."""
MOST_VALUES = 2_000_000
"""Values in a YAML file, those of aliases counted each time."""
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LONG_INTEGER = re.compile(r"[-+]?[0-9]{19,}", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)


def read_json(text: str, name: str) -> Any:
    """The value; integers beyond 64 bits are text. Raises `ParseJson` with line and column."""
    try:
        return _loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise ParseJson(
            f"{name or 'the content'} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}",
            details={"line": error.lineno, "column": error.colno},
        ) from error
    except (ValueError, RecursionError) as error:
        words = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ParseJson(f"{name or 'the content'} is not JSON: {words}") from error


def read_lines(text: str, name: str) -> Iterator[JsonObject]:
    """The objects of JSON lines; a line that is no object is `{value}`, blank ones are left out.

    Raises `ParseJson` with the line.
    """
    begin, number = 0, 0
    while begin < len(text):
        # Not splitlines(): JSON may hold the line separators of other languages.
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        line, number, begin = text[begin:end].strip(), number + 1, end + 1
        if not line:
            continue
        try:
            value = _loads(line)
        except (ValueError, RecursionError) as error:
            words = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ParseJson(
                f"line {number} of {name or 'the content'} is not JSON: {words}", details={"line": number}
            ) from error
        yield value if isinstance(value, dict) else {"value": value}


def _loads(text: str) -> Any:
    # The hook for integers costs time: it is for texts that need it.
    hook = _integer if _LONG_INTEGER.search(text) else None
    return json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=hook)


def _integer(text: str) -> int | str:
    found = int(text) if len(text) <= 20 else None
    return found if found is not None and -(2**63) <= found < 2**64 else text


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON value")


def _finite(text: str) -> float:
    if math.isinf(found := float(text)):
        raise ValueError(f"the number {text[:40]} is too large")
    return found


@dataclass(slots=True)
class _Open:
    """A list or an object that is being read."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    start: int
    """Values read before it."""
    key: str | None = None
    wants_key: bool = False
    depth: int = 0
    """Levels below it."""
    merged: list[Any] = field(default_factory=list[Any])


def read_yaml(text: str, name: str, most: int = MOST_VALUES, check: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """Each document's value, by the core schema of YAML 1.2: `no` and dates are text, `012` too. Tags are ignored.

    `most` bounds the values of all documents together, aliases counted as what they stand for. Raises `ParseYaml`
    with line and column, and `ParseTooLarge`.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stack: list[_Open] = []
    anchors: dict[str, tuple[Any, int, int]] = {}
    count = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=loader)):
            if number % 4096 == 0:
                check()
            if isinstance(event, yaml.DocumentStartEvent):
                anchors = {}
                continue
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(stack) >= DEEPEST:
                    raise _at(event, name, f"more than {DEEPEST} levels")
                mapping = isinstance(event, yaml.MappingStartEvent)
                if stack and stack[-1].wants_key:
                    raise _at(event, name, "a list or an object as a key")
                count += 1
                stack.append(_Open({} if mapping else [], event.anchor, count, wants_key=mapping))
                continue
            size = depth = 0
            if isinstance(event, yaml.ScalarEvent):
                is_key = bool(stack) and stack[-1].wants_key
                value: Any = event.value if is_key else _scalar(event)
                size = 1
                if event.anchor:
                    anchors[event.anchor] = (value, size, 0)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in anchors:
                    raise _at(event, name, f"nothing is called &{event.anchor} before here")
                value, size, depth = anchors[event.anchor]
                if stack and stack[-1].wants_key and not isinstance(value, str):
                    raise _at(event, name, "a key that is not text")
                if len(stack) + depth > DEEPEST:
                    raise _at(event, name, f"more than {DEEPEST} levels")
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                ended = stack.pop()
                value, depth = _ended(ended, event, name), ended.depth + 1
                if ended.anchor:
                    anchors[ended.anchor] = (value, count - ended.start + 1, depth)
            else:
                continue
            count += size
            if count > most:
                raise ParseTooLarge(
                    f"{name or 'the content'} holds more than {most} values, aliases counted",
                    hint="Are its aliases a bomb? Else split the file.",
                )
            if not stack:
                yield value
            else:
                stack[-1].depth = max(stack[-1].depth, depth)
                _put(stack[-1], value, event, name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        words = getattr(error, "problem", None) or str(error)
        if mark is None:
            raise ParseYaml(f"{name or 'the content'} is not YAML: {words}") from error
        raise ParseYaml(
            f"{name or 'the content'} is not YAML: line {mark.line + 1}, column {mark.column + 1}: {words}",
            details={"line": mark.line + 1, "column": mark.column + 1},
        ) from error


def _put(into: _Open, value: Any, event: Any, name: str) -> None:
    if isinstance(into.value, list):
        into.value.append(value)
    elif into.wants_key:
        into.key, into.wants_key = value, False
    else:
        key = cast(str, into.key)
        into.wants_key = True
        if key == "<<" and isinstance(value, dict | list):
            into.merged += value if isinstance(value, list) else [value]
            return
        if key in into.value:
            raise _at(event, name, f"the key {key!r} comes twice")
        into.value[key] = value


def _ended(ended: _Open, event: Any, name: str) -> Any:
    if not ended.merged:
        return ended.value
    found: JsonObject = {}
    for base in reversed(ended.merged):  # the first one wins, and the object's own keys over all
        if not isinstance(base, dict):
            raise _at(event, name, "`<<` merges objects only")
        found |= base
    return found | cast("JsonObject", ended.value)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted, or tagged
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _LEADING_ZERO.match(text) or _LONG_INTEGER.fullmatch(text):
        return text
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _at(event: Any, name: str, words: str) -> ParseYaml:
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    return ParseYaml(
        f"{name or 'the content'}: line {line}, column {column}: {words}", details={"line": line, "column": column}
    )
