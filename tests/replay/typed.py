"""How `typed.jsonl` was made: values as checkpoints of every version keep them.

    cd tests && python -m replay.typed >> replay/typed.jsonl

Lines are only ever added.
"""

from __future__ import annotations

import enum
import json
import sys
from base64 import b64encode
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

from pyagent.store.typed import TypedSerializer

PLACE = "replay.typed"


class Colour(enum.Enum):
    RED = "r"


@dataclass
class Place:
    name: str
    at: tuple[int, int]


class Pair(NamedTuple):
    left: int
    right: int


class Person(BaseModel):
    name: str
    tags: set[str] = set()


VALUES: dict[str, Any] = {
    "plain": {"a": [1, 2.5, "x", None, True, b"bytes"]},
    "collections": [
        (1, (2,)),
        {1, 2},
        frozenset({3}),
        deque([1], maxlen=3),
        OrderedDict(b=1, a=2),
        {1: "a", (1, 2): 2**80},
    ],
    "numbers": [2**70, Decimal("1.10"), 1 + 2j, UUID(int=5), range(1, 5)],
    "times": [
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        *(date(2026, 1, 2), time(3, 4), timedelta(days=1, microseconds=5), timezone(timedelta(hours=1), "X")),
    ],
    "classes": [Colour.RED, Place("x", (1, 2)), Pair(1, 2), Person(name="Ada", tags={"a"}), PurePosixPath("a/b")],
    "messages": [
        HumanMessage("hi", id="1"),
        AIMessage("", id="2", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "c"}]),
    ],
    "langgraph": [Interrupt(value=(1,), id="i"), Send("node", {"x": (1,)}), Command(goto="a", update={"x": 1})],
}
OLD = ("plain", "messages")
"""What LangGraph's own serializer, which the first release used, gives back as it was."""


def lines() -> list[dict[str, str]]:
    """What today's version writes, and what the first release wrote."""
    sys.modules[PLACE] = sys.modules[__name__]
    for kind in (Colour, Place, Pair, Person):
        kind.__module__ = PLACE
    found: list[dict[str, str]] = []
    for version, serde, names in (("first release", JsonPlusSerializer(), OLD), ("typed1", TypedSerializer(), VALUES)):
        for name in names:
            kind, data = serde.dumps_typed(VALUES[name])
            found.append({"version": version, "value": name, "kind": kind, "data": b64encode(data).decode()})
    return found


if __name__ == "__main__":
    for line in lines():
        sys.stdout.write(json.dumps(line) + "\n")
