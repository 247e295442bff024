"""How the data nodes compare JSON values: one total order, one equality, and numbers without surprises."""

from __future__ import annotations

import asyncio
import json
import math
import re
import unicodedata
from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Any, Literal, TypeAlias, cast

from pyagent.sdk import Context, Item, Items, NodeError

TextOrder: TypeAlias = Literal["exact", "ignore_case", "natural"]

_TURN = 2000
"""Items between two looks at whether the step is to stop."""
_DIGITS = re.compile(r"([0-9]+)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_LONGEST_NUMBER = 1000


class NotJson(NodeError):
    """An item holds a number that JSON does not have."""

    code = "node.not_json"
    hint = "Replace NaN and infinity by null where they come from."


async def paced(items: Items, ctx: Context) -> AsyncIterator[tuple[int, Item]]:
    """The items with their indexes; now and then the event loop gets a turn and a stop is heeded."""
    index = 0
    async for page in items.batches():
        for item in page:
            if index % _TURN == _TURN - 1:
                await asyncio.sleep(0)
                ctx.cancel.check()
            yield index, item
            index += 1


def fold(text: str) -> str:
    """The text as it compares where case does not count: Unicode's case folding, composed (NFKC)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def canonical(value: Any, *, ignore_case: bool = False) -> Any:
    """The value such that equal JSON has equal text: 1.0 is 1, -0.0 is 0. Raises `NotJson`."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson(f"{value} is no JSON number")
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        return fold(value) if ignore_case else value
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: canonical(part, ignore_case=ignore_case) for name, part in fields.items()}
    if isinstance(value, list):
        return [canonical(part, ignore_case=ignore_case) for part in cast("list[Any]", value)]
    return value


def fingerprint(value: Any, *, ignore_case: bool = False) -> bytes:
    """16 bytes that are the same for equal JSON, whatever the order of its keys. Raises `NotJson`."""
    text = json.dumps(canonical(value, ignore_case=ignore_case), sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).digest()


def equal(left: Any, right: Any) -> bool:
    """Whether both are the same JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(left, dict) and isinstance(right, dict):
        one, other = cast("dict[str, Any]", left), cast("dict[str, Any]", right)
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    if isinstance(left, list) and isinstance(right, list):
        first, second = cast("list[Any]", left), cast("list[Any]", right)
        return len(first) == len(second) and all(map(equal, first, second))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def order(value: Any, text: TextOrder = "exact") -> tuple[Any, ...]:
    """A sort key for any JSON value: null < false < true < numbers < text < lists < objects.

    Numbers compare exactly, whatever their size; text by code points, by folded case, or naturally (`file2` before
    `file10`); lists element by element; objects by their sorted names, then the values. Raises `NotJson`.
    """
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise NotJson(f"{value} is no JSON number")
        return (2, value)
    if isinstance(value, str):
        return (3, text_order(value, text))
    if isinstance(value, list):
        return (4, tuple(order(part, text) for part in cast("list[Any]", value)))
    fields = cast("dict[str, Any]", value)
    names = sorted(fields)
    return (5, tuple(names), tuple(order(fields[name], text) for name in names))


def text_order(value: str, how: TextOrder) -> Any:
    """A sort key for text."""
    if how == "exact":
        return value
    folded = fold(value)
    if how == "ignore_case":
        return folded
    # Text and numbers take turns, so that like stands against like; digits longer than any number stay comparable
    # by length, then by digits.
    parts = _DIGITS.split(folded)
    return tuple((len(part.lstrip("0")), part.lstrip("0")) if index % 2 else part for index, part in enumerate(parts))


def number_in(text: str) -> int | float | None:
    """The number that the text is, written as in JSON or a spreadsheet (no separators of thousands), or None."""
    text = text.strip()
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return number if math.isfinite(number) else None


def kind(value: Any) -> str:
    """What a value is, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return {str: "text", list: "a list", dict: "an object"}.get(cast("type[Any]", type(value)), type(value).__name__)
