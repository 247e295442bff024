"""What state channels begin with in another version, for all declarations and values (SEMANTICS 23)."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from pyagent.errors import InputError
from pyagent.graph.json_types import JsonType, fits
from pyagent.graph.migration import takes, unmigrated
from pyagent.graph.spec import GraphSpec, StateChannel
from pyagent.runtime.migration import carried

TYPES: list[Any] = list(get_args(JsonType))
VALUES: dict[str, Any] = {
    "string": st.text(max_size=3),
    "number": st.floats(-5, 5),
    "integer": st.integers(-5, 5),
    "boolean": st.booleans(),
    "array": st.lists(st.integers(), max_size=2),
    "object": st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    "null": st.none(),
}
ANY = st.one_of(*VALUES.values())
NAMES = ("a", "b", "c")


def graph(channels: dict[str, StateChannel]) -> GraphSpec:
    """A graph that declares these."""
    return GraphSpec(pyagent=1, id="g", state=channels)


@st.composite
def channels(draw: Any) -> dict[str, StateChannel]:
    """Some of three channels, each of any type, with or without a value to be migrated to."""
    found: dict[str, StateChannel] = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        kind = draw(st.sampled_from(TYPES))
        migrate = draw(st.one_of(st.none(), ANY, VALUES.get(kind, ANY)))
        found[name] = StateChannel(type=kind, migrate=migrate)
    return found


@given(channels(), channels(), st.data())
def test_every_value_that_goes_over_fits_and_what_does_not_is_refused(
    old: dict[str, StateChannel], new: dict[str, StateChannel], data: Any
) -> None:
    given_values = {
        name: data.draw(VALUES.get(channel.type, ANY)) for name, channel in old.items() if data.draw(st.booleans())
    }
    asked: list[str] = []
    begin: dict[str, Any] = {}

    def migrate(name: str, value: Any) -> Any:
        asked.append(name)
        return value

    try:
        begin = carried(graph(old), graph(new), given_values, migrate)
    except InputError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.code == "run.state_migration"
        name = refused.where.field.split(".")[1] if refused.where and refused.where.field else ""
        unfit = not fits(new[name].type, new[name].migrate)
        assert unfit or name in unmigrated(old, new)
        assert name not in old or name in given_values
        return
    assert set(begin) <= set(new)
    assert len(asked) == len(set(asked))
    for name, value in begin.items():
        assert fits(new[name].type, value)
        if name in asked:
            assert name not in old or not takes(new[name].type, old[name].type)
        else:
            assert value == given_values[name]
    for name in set(given_values) & set(new):
        if takes(new[name].type, old[name].type):
            assert begin[name] == given_values[name]


@given(channels(), st.data())
def test_the_same_version_takes_everything_as_it_is(declared: dict[str, StateChannel], data: Any) -> None:
    held = {name: data.draw(VALUES.get(channel.type, ANY)) for name, channel in declared.items()}

    def migrate(name: str, value: Any) -> Any:
        raise AssertionError(name)

    assert carried(graph(declared), graph(declared), held, migrate) == held


@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.data())
def test_a_type_takes_another_where_all_its_values_fit(channel: Any, value: Any, data: Any) -> None:
    if takes(channel, value):
        assert fits(channel, data.draw(VALUES.get(value, ANY)))
