"""What holds for the data nodes whatever the items."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pyagent.testing import run_node
from pyagent_nodes.data._dates import read_date, write_date, zone
from pyagent_nodes.data._values import canonical, equal, fingerprint, order
from pyagent_nodes.data.compare import compare
from pyagent_nodes.data.datetime import difference
from pyagent_nodes.data.limit import limit
from pyagent_nodes.data.rename import rename
from pyagent_nodes.data.sort import sort
from pyagent_nodes.data.summarize import summarize
from pyagent_nodes.data.unique import unique

pytestmark = pytest.mark.timeout(300)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0.0, -0.0, 1.0, 0.1, 2.0**53, 2**53 + 1, 1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
texts = st.one_of(
    st.sampled_from(["", "a", "A", "ä", "ß", "SS", "file2", "file10", "😀", "\ud800"]), st.text(max_size=5)
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=4,
)
items = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=12)
few = st.lists(
    st.fixed_dictionaries({}, optional={"a": st.sampled_from([None, 1, 1.0, "x", True]), "b": st.integers(0, 2)}),
    max_size=12,
)


def texts_of(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


@SETTINGS
@given(values, values, values)
def test_values_have_one_total_order_that_agrees_with_equality(one: Any, two: Any, three: Any):
    first, second, third = order(one), order(two), order(three)
    assert (first < second) + (first == second) + (first > second) == 1
    assert (first == second) == equal(one, two) == (fingerprint(one) == fingerprint(two))
    if first <= second <= third:
        assert first <= third
    assert equal(one, canonical(one))


@SETTINGS
@given(items, st.sampled_from(["a", "-a"]), st.sampled_from(["first", "last"]), st.sampled_from(["exact", "natural"]))
async def test_sorting_gives_the_same_items_in_order_and_equal_ones_as_they_came(rows, by, missing, text):
    key = {"field": by.removeprefix("-"), "order": "descending" if by[0] == "-" else "ascending", "text": text}
    run = await run_node(sort, rows, {"by": [key], "missing": missing})
    made = run.json()
    assert texts_of(made) == texts_of(rows)
    there = [row["a"] is not None for row in made if "a" in row]
    absent = len(rows) - sum(there)
    present = made[absent:] if missing == "first" else made[: len(made) - absent]
    assert all(row.get("a") is not None for row in present)
    keys = [order(row["a"], text) for row in present]
    places = [source for [source] in run.sources()]
    places = places[absent:] if missing == "first" else places[: len(made) - absent]
    for index in range(1, len(keys)):
        before, after = (keys[index - 1], keys[index])
        assert before <= after if by[0] != "-" else before >= after
        assert before != after or places[index - 1] < places[index]


@SETTINGS
@given(items, st.integers(0, 15), st.integers(0, 15), st.sampled_from(["first", "last"]))
async def test_limit_is_a_slice(rows, count, offset, keep):
    run = await run_node(limit, rows, {"count": count, "offset": offset, "keep": keep})
    ordered = rows if keep == "first" else rows[::-1]
    kept = ordered[offset : offset + count]
    assert run.json() == (kept if keep == "first" else kept[::-1])


@SETTINGS
@given(st.one_of(items, few), st.sampled_from([[], ["a"], ["a", "b"]]), st.sampled_from(["first", "last"]))
async def test_what_is_unique_and_what_was_dropped_are_all_items(rows, by, keep):
    run = await run_node(unique, rows, {"by": by, "keep": keep})
    kept, dropped = run.json("out"), run.json("duplicates")
    assert texts_of(kept + dropped) == texts_of(rows)
    marks = [fingerprint([row.get(name) for name in by] if by else row) for row in kept]
    assert len(set(marks)) == len(marks)
    assert {fingerprint([row.get(name) for name in by] if by else row) for row in dropped} <= set(marks)
    assert run.sources("out") == sorted(run.sources("out"))


@SETTINGS
@given(
    st.lists(
        st.fixed_dictionaries(
            {"k": st.sampled_from(["x", "y", None, 1])},
            optional={
                "v": st.one_of(st.none(), st.integers(-(2**40), 2**40), st.decimals(-999, 999, places=3).map(float))
            },
        ),
        max_size=15,
    )
)
async def test_the_groups_sums_are_the_total_and_none_is_lost(rows):
    summaries = [
        {"take": "count"},
        {"take": "count", "of": "v", "into": "n"},
        {"take": "sum", "of": "v", "into": "sum"},
        {"take": "min", "of": "v", "into": "min"},
        {"take": "max", "of": "v", "into": "max"},
        {"take": "mean", "of": "v", "into": "mean"},
        {"take": "median", "of": "v", "into": "median"},
    ]
    groups = (await run_node(summarize, rows, {"by": ["k"], "summaries": summaries})).json()
    [total] = (await run_node(summarize, rows, {"summaries": summaries})).json()
    found = [row["v"] for row in rows if row.get("v") is not None]
    exact = sum((Fraction(repr(value)) for value in found), Fraction(0))
    assert total["sum"] == (exact if exact.denominator == 1 else float(exact))
    assert sum(group["count"] for group in groups) == total["count"] == len(rows)
    assert sum(group["n"] for group in groups) == total["n"] == len(found)
    rounded = sum((Fraction(repr(group["sum"])) for group in groups), Fraction(0))
    assert abs(rounded - exact) <= abs(exact) / 2**40 + Fraction(1, 2**10)
    if found:
        assert total["min"] == min(found) <= total["median"] <= max(found) == total["max"]
        assert min(found) <= total["mean"] <= max(found)


@SETTINGS
@given(few, few, st.sampled_from([["a"], ["b"], ["a", "b"]]))
async def test_comparing_shares_both_lists_out(first, second, by):
    run = await run_node(compare, params={"by": by}, ports={"first": first, "second": second})
    same, different = run.json("same"), run.json("different")
    assert texts_of(run.json("only_first") + same + [row["first"] for row in different]) == texts_of(first)
    assert len(run.json("only_second")) + len(same) + len(different) == len(second)
    for row in different:
        assert row["changes"]
        assert not equal(row["first"], row["second"])


@SETTINGS
@given(few)
async def test_a_list_compared_with_itself_is_the_same(rows):
    run = await run_node(compare, params={"by": ["b"]}, ports={"first": rows, "second": rows})
    assert run.json("different") == []
    assert run.json("same") == [row for row in rows if "b" in row]


@SETTINGS
@given(
    st.dictionaries(st.sampled_from("abcdef"), values, max_size=6),
    st.permutations("abcdef"),
)
async def test_renaming_all_at_once_keeps_every_value_and_its_place(row, names):
    mapping = dict(zip("abcdef", names, strict=True))
    [made] = (await run_node(rename, [row], {"names": mapping})).json()
    assert list(made.items()) == [(mapping[name], value) for name, value in row.items()]
    back = {new: old for old, new in mapping.items()}
    assert (await run_node(rename, [made], {"names": back})).json() == [row]


@SETTINGS
@given(st.dictionaries(st.text(max_size=8), values, max_size=5), st.sampled_from(["snake", "camel", "kebab"]))
async def test_a_style_keeps_values_and_done_twice_changes_nothing_more(row, style):
    [made] = (await run_node(rename, [row], {"style": style, "clash": "last"})).json()
    assert len(made) <= len(row)
    assert all(any(value is kept for kept in row.values()) for value in made.values())
    if style != "camel":
        assert (await run_node(rename, [made], {"style": style, "clash": "last"})).json() == [made]


zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "-03:30"])
moments = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1))


@SETTINGS
@given(
    moments, zones, st.sampled_from(["", "unix", "unix_ms", "yyyy-MM-dd HH:mm:ss.SSS ZZ", "d MMMM yyyy h:mm:ss a ZZZ"])
)
def test_a_date_that_is_written_is_read_as_the_same_moment(local, name, written):
    if written != "" and "SSS" not in written:
        local = local.replace(microsecond=0)
    local = local.replace(microsecond=local.microsecond // 1000 * 1000)
    where = zone(name)
    value = local.replace(tzinfo=zone("UTC")).astimezone(where)
    assert read_date(write_date(value, written), written, where).timestamp() == value.timestamp()


@SETTINGS
@given(moments, moments, zones)
def test_a_difference_turned_round_is_its_negative_and_hours_are_exact(one, two, name):
    where = zone(name)
    first, second = (value.replace(tzinfo=zone("UTC")).astimezone(where) for value in (one, two))
    for unit in ("years", "months", "days", "hours"):
        assert difference(first, second, [unit]) == -difference(second, first, [unit])  # type: ignore[operator]
    assert difference(first, second, ["hours"]) == (two - one) / timedelta(hours=1)


@SETTINGS
@given(st.text(alphabet="aA1_ -.ß", max_size=12))
async def test_names_in_snake_style_hold_no_other_characters(name):
    assume(re.search(r"[^\W_]", name))
    [made] = (await run_node(rename, [{name: 1}], {"style": "snake"})).json()
    assert re.fullmatch(r"[a-zß0-9]+(_[a-zß0-9]+)*", next(iter(made)))
