"""Values of every kind survive a checkpoint as what they were, and what would not is refused by its name."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import ipaddress
import math
import operator
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import ModuleType
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import Item
from langgraph.types import Command, Interrupt, Overwrite, Send, TimeoutPolicy, interrupt
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from pyagent.errors import StoreError
from pyagent.store.checkpoints import StoreSaver, langgraph_saver
from pyagent.store.typed import TypedSerializer

SERDE = TypedSerializer()


def copy_of(value: Any) -> Any:
    return SERDE.loads_typed(SERDE.dumps_typed(value))


def same(first: Any, second: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return list(map(repr, first)) == list(map(repr, second)) and all(
            same(one, other) for one, other in zip(first.values(), second.values(), strict=True)
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and bool((first == second).all())
    if isinstance(first, BaseModel):
        return same(first.__dict__, second.__dict__) and first.model_fields_set == second.model_fields_set
    return bool(first == second) or (first != first and second != second)


class Colour(enum.Enum):
    RED = "r"
    BLUE = ("b", 1)


class Rights(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    name: str
    at: tuple[float, float]
    seen: frozenset[str] = frozenset()


@dataclasses.dataclass
class Derived:
    first: int
    twice: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.twice = self.first * 2


class Pair(NamedTuple):
    left: Any
    right: Any = None


class Address(BaseModel):
    street: str
    tags: set[str] = set()


class Person(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)
    name: str
    address: Address | None = None
    born: date | None = Field(None, alias="birthday")
    anything: Any = None

    @cached_property
    def greeting(self) -> str:
        return f"Hello {self.name}"


class Counting(BaseModel):
    name: str
    _count: int = PrivateAttr(default=7)


class Marked(str):
    pass


class Named(dict):  # type: ignore[type-arg]
    pass


class Outer:
    class Inner(enum.Enum):
        ONE = 1


NOW = datetime(2026, 1, 2, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "plain": {"a": [1, 2.5, "x", None, True, b"bytes", -(2**63), 2**64 - 1]},
    "large numbers": [2**70, -(2**100), 10**300],
    "special numbers": [math.inf, -math.inf, math.nan, 1 + 2j, Decimal("1.10"), Decimal("NaN")],
    "tuples": (1, (2, [3, (4,)]), ()),
    "sets": [{1, 2}, frozenset({"a", ("b", 1)}), set()],
    "keys": {1: "a", (1, 2): "b", None: "c", date(2026, 1, 1): "d", Colour.RED: "e", 2.5: {3: (4,)}, 2**70: 1},
    "text with lone surrogates": ["\ud800", {"\udfff": "x\ud800"}],
    "times": [
        datetime(2026, 1, 2, 3, 4, 5, 6),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30), "IST")),
        date(2026, 1, 2),
        time(3, 4, 5, 6, tzinfo=UTC),
        timedelta(days=-1, microseconds=5),
        UTC,
        ZoneInfo("America/New_York"),
    ],
    "identities and paths": [
        UUID(int=5),
        Path("/tmp/a b"),
        PurePosixPath("x"),
        PureWindowsPath("c:/x"),
        ipaddress.ip_address("::1"),
        ipaddress.ip_network("10.0.0.0/8"),
        re.compile("a+", re.IGNORECASE),
        range(1, 10, 3),
    ],
    "enums": [Colour.BLUE, Rights.READ | Rights.WRITE, Level.HIGH, Outer.Inner.ONE],
    "dataclasses": [Place("home", (1.5, 2.5), frozenset({"x"})), Derived(4)],
    "named tuples": [Pair(1, (2,)), Pair(None)],
    "models": [
        Person(name="Ada", address=Address(street="Main", tags={"a"}), birthday=date(1815, 12, 10), more=(1, 2)),  # type: ignore[call-arg]
        Person(name="Bob", anything=Place("x", (0.0, 0.0))),
        Counting(name="x"),
    ],
    "messages": [
        HumanMessage("hello", id="1"),
        AIMessage("", tool_calls=[{"name": "f", "args": {"x": [1]}, "id": "c"}], response_metadata={"when": (1, 2)}),
        ToolMessage("done", tool_call_id="c", artifact={"set": {1}}),
        SystemMessage([{"type": "text", "text": "x"}]),
        Document(page_content="text", metadata={"n": 1}),
    ],
    "LangGraph's own": [
        Interrupt(value={"q": (1,)}, id="i"),
        Send("node", {"x": (1, {2})}),
        Send("node", 1, timeout=TimeoutPolicy(run_timeout=5)),
        Command(goto="a", update={"x": (1,)}, resume={"i": 1}),
        Overwrite([1]),
        Item(value={"a": 1}, key="k", namespace=("n",), created_at=NOW, updated_at=NOW),
    ],
    "containers": [deque([1, (2,)], maxlen=5), OrderedDict(b=1, a=2), Counter("aab"), defaultdict(list, a=[1])],
    "subclasses": [Marked("text"), Named(a=(1,))],
    "numpy": [
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.ones((2, 3))),
        np.arange(10)[::2],
        np.array([], dtype="f4"),
        np.array(["2026-01-01"], dtype="M8[D]"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.float32(1.5),
        np.int64(7),
        np.bool_(True),
    ],
    "secrets": [SecretStr("hidden")],
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_what_it_was(name: str) -> None:
    found = copy_of(VALUES[name])
    assert same(found, VALUES[name]), found


@pytest.mark.parametrize("value", [None, b"", b"bytes", bytearray(b"x"), "text", 0, (), Colour.RED])
def test_a_value_by_itself_comes_back(value: Any) -> None:
    assert same(copy_of(value), value)


def test_an_array_can_be_written_to_and_a_factory_still_makes() -> None:
    array = copy_of(np.zeros(3))
    array[0] = 1
    made = copy_of(defaultdict(list))
    made["new"].append(1)
    assert made == {"new": [1]}


def test_private_attributes_begin_anew_and_cached_properties_are_made_again() -> None:
    person = Person(name="Ada")
    assert person.greeting == "Hello Ada"
    assert "greeting" not in copy_of(person).__dict__
    assert copy_of(Counting(name="x"))._count == 7


def test_an_exception_is_kept_as_its_text_as_langgraph_does() -> None:
    assert copy_of({"error": ValueError("no")}) == {"error": "ValueError('no')"}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.timedeltas()
    | st.sampled_from(Colour),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=20,
)


@given(values)
def test_every_nesting_comes_back(value: Any) -> None:
    assert same(copy_of(value), value)


@given(st.binary(max_size=200))
def test_bytes_of_anybody_are_a_value_or_an_error(content: bytes) -> None:
    with contextlib.suppress(StoreError):
        SERDE.loads_typed(("typed1", content))


class Unknown:
    pass


def local_class() -> Any:
    @dataclasses.dataclass
    class Local:
        x: int = 1

    return Local()


ByName = namedtuple("Other", "x")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Unknown(), "Unknown"),
        (lambda: 1, "function"),
        (local_class(), "Local"),
        (ByName(1), "Other"),
        (Fraction(1, 2), "Fraction"),
        (int, "type"),
        (np.array([object()]), "ndarray"),
        (defaultdict(lambda: 1), "defaultdict"),
        (ModuleType("x"), "module"),
        (iter([1]), "iterator"),
    ],
)
def test_an_unknown_type_is_refused_by_its_name_when_it_is_written(value: Any, name: str) -> None:
    for nested in (value, [value], {"a": (1, [value])}, {1: value}, Pair(value), Place("x", value)):
        with pytest.raises(StoreError, match=name) as caught:
            SERDE.dumps_typed(nested)
        assert caught.value.code == "store.type_unknown"
        assert name in caught.value.details["type"]


def test_what_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    pair = Pair(circle)
    for value in (circle, pair, {1: circle}):
        with pytest.raises(StoreError) as caught:
            SERDE.dumps_typed(value)
        assert caught.value.code == "store.type_unknown"


def test_a_class_that_is_gone_or_something_else_is_said_by_name() -> None:
    def written(code: int, *content: Any) -> tuple[str, bytes]:
        return "typed1", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(list(content))))

    from pyagent.store.typed import codes

    for data in (
        written(codes.DATACLASS, "no_such_module:Thing", {}),
        written(codes.DATACLASS, f"{__name__}:Gone", {}),
        written(codes.DATACLASS, f"{__name__}:Colour", {}),
        written(codes.ENUM, f"{__name__}:Colour", True, "GREEN"),
        written(codes.ENUM, f"{__name__}:Place", True, "RED"),
        written(codes.MODEL, f"{__name__}:Place", {}, None, None),
        written(codes.NAMED_TUPLE, f"{__name__}:Pair", [1, 2, 3]),
        written(codes.SECRET, "os:system", "true"),
        written(codes.SECRET, "builtins:list", "true"),
        written(codes.SUBCLASS, "subprocess:Popen", "true", None),
    ):
        with pytest.raises(StoreError) as caught:
            SERDE.loads_typed(data)
        assert caught.value.code == "store.type_unknown", data


def test_a_class_may_get_fields_with_defaults_and_lose_others(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = SERDE.dumps_typed([Place("x", (1.0, 2.0)), Address(street="Main")])

    @dataclasses.dataclass
    class NewPlace:
        name: str
        zoom: int = 3

    class NewAddress(BaseModel):
        street: str
        city: str = "Paris"

    from pyagent.store.typed import codes

    monkeypatch.setattr(codes, "_known", {})
    monkeypatch.setattr(sys.modules[__name__], "Place", NewPlace)
    monkeypatch.setattr(sys.modules[__name__], "Address", NewAddress)
    assert SERDE.loads_typed(kept) == [NewPlace("x", 3), NewAddress(street="Main", city="Paris")]


def test_what_langgraphs_serializer_wrote_is_read() -> None:
    value = {"messages": [HumanMessage("hello", id="1")], "when": date(2026, 1, 1)}
    assert SERDE.loads_typed(JsonPlusSerializer().dumps_typed(value)) == value


class State(TypedDict):
    values: Annotated[list[Any], operator.add]


@pytest.fixture
async def saver(tmp_path: Path) -> AsyncIterator[StoreSaver]:
    async with langgraph_saver(str(tmp_path / "app.db")) as saver:
        yield saver


async def test_all_of_them_survive_a_graph_that_is_interrupted_and_resumed(saver: StoreSaver) -> None:
    builder = StateGraph(State)
    builder.add_node("make", lambda state: {"values": list(VALUES.values())})
    builder.add_node("ask", lambda state: {"values": [interrupt((1, Colour.RED))]})
    for source, target in ((START, "make"), ("make", "ask"), ("ask", END)):
        builder.add_edge(source, target)
    graph = builder.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "1"}}
    stopped = await graph.ainvoke({"values": []}, config)
    assert same(stopped["__interrupt__"][0].value, (1, Colour.RED))
    ended = await graph.ainvoke(Command(resume=Place("x", (0.0, 1.0))), config)
    assert same(ended["values"], [*VALUES.values(), Place("x", (0.0, 1.0))])


async def test_a_graph_that_puts_out_an_unknown_type_is_told_so_at_once(saver: StoreSaver) -> None:
    builder = StateGraph(State)
    builder.add_node("make", lambda state: {"values": [Unknown()]})
    builder.add_edge(START, "make")
    graph = builder.compile(checkpointer=saver)
    with pytest.raises(StoreError, match="Unknown"):
        await graph.ainvoke({"values": []}, {"configurable": {"thread_id": "1"}})
