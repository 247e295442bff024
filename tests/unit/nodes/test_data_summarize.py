"""Counts, sums and averages."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pyagent.sdk import NodeError
from pyagent.testing import run_node
from pyagent_nodes.data.summarize import summarize


async def work_out(take, given, **options):
    params = {key: options.pop(key) for key in ("numbers_in_text", "others") if key in options}
    summary = {"take": take, "of": "v", "into": "r", **options}
    items = [{} if value is ... else {"v": value} for value in given]
    run = await run_node(summarize, items, {"summaries": [summary], **params})
    return run.json()[0]["r"]


@pytest.mark.parametrize(
    ("take", "given", "expected"),
    [
        ("sum", [0.1, 0.2], 0.3),
        ("sum", [0.1] * 10, 1),
        ("sum", [1e308, 1e-308, -1e308], 1e-308),
        ("sum", [2**63, 2**62, 1], 2**63 + 2**62 + 1),
        ("sum", [-(2**63), -1], float(-(2**63) - 1)),
        ("sum", [10**30, 1], 1e30),
        ("sum", [1, None, ..., 2], 3),
        ("sum", [], 0),
        ("mean", [1, 2], 1.5),
        ("mean", [0.1, 0.2, 0.3], 0.2),
        ("mean", [2**63, 2**63], 2**63),
        ("mean", [None], None),
        ("median", [3, 1, 2], 2),
        ("median", [1, 0.2, 3, 0.1], 0.6),
        ("median", [], None),
        ("stdev", [2, 4, 4, 4, 5, 5, 7, 9], 2.138089935299395),
        ("stdev", [10**15 + 1, 10**15 + 2, 10**15 + 3], 1),
        ("stdev", [1e-200, 3e-200], 1.4142135623730951e-200),
        ("stdev", [5], None),
        ("min", [3, "a", 1.5, [0]], 1.5),
        ("max", [3, "a", 1.5, "B"], "a"),
        ("max", [None, ...], None),
        ("count", [1, None, ..., "", False], 3),
        ("count_unique", [1, 1.0, "1", True, None, [1], [1.0]], 4),
        ("first", [None, False, 1], False),
        ("last", [1, {"a": 2}, None], {"a": 2}),
        ("list", [1, None, "a", 1], [1, "a", 1]),
        ("unique", [1, None, 1.0, "a", {"x": 1, "y": 2}, {"y": 2, "x": 1}], [1, "a", {"x": 1, "y": 2}]),
        ("join", ["ä", 1, None, True, ["x"]], 'ä, 1, true, ["x"]'),
        ("join", [], ""),
    ],
)
async def test_what_is_worked_out_is_exact_and_leaves_out_null_and_missing(take, given, expected):
    found = await work_out(take, given)
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (25, 1.75), (50, 2.5), (99.9, 3.997), (100, 4)])
async def test_percentiles_lie_between_two_values(percent, expected):
    assert await work_out("percentile", [4, 1, 3, 2], percent=percent) == expected


@pytest.mark.parametrize("value", ["5", True, [1], {"a": 1}])
async def test_what_is_no_number_is_an_error_that_names_it_or_is_left_out(value):
    with pytest.raises(NodeError, match="sum of v: ") as caught:
        await work_out("sum", [1, value])
    assert caught.value.code == "node.summarize_number"
    assert await work_out("sum", [1, value], others="skip") == 1


async def test_text_may_be_numbers():
    given = ["1", " 2.5 ", "1e2", "-.5", ".5", "0.1"]
    assert await work_out("sum", given, numbers_in_text=True) == 103.6
    for text in ("1,5", "0x10", "NaN", "1_000", "", "١", "1e99999"):
        with pytest.raises(NodeError):
            await work_out("sum", [text], numbers_in_text=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("take", ["sum", "min", "count_unique", "median"])
async def test_nan_and_infinity_are_refused(take, value):
    with pytest.raises(NodeError) as caught:
        await work_out(take, [1, value])
    assert caught.value.code == "node.not_json"


async def test_a_sum_beyond_all_numbers_is_an_error():
    with pytest.raises(NodeError) as caught:
        await work_out("sum", [1.7e308, 1.7e308])
    assert caught.value.code == "node.summarize_range"


async def test_groups_come_in_the_order_of_their_first_items_with_the_lineage_of_all():
    given = [{"k": "b", "p": 1}, {"k": "a", "p": 2}, {"p": 3}, {"k": "b", "p": 4}, {"k": None}, {"k": 1}, {"k": 1.0}]
    params = {"by": ["k"], "summaries": [{"take": "count"}, {"take": "sum", "of": "p"}]}
    run = await run_node(summarize, given, params)
    assert run.json() == [
        {"k": "b", "count": 2, "sum_p": 5},
        {"k": "a", "count": 1, "sum_p": 2},
        {"k": None, "count": 2, "sum_p": 3},
        {"k": 1, "count": 2, "sum_p": 0},
    ]
    assert run.sources() == [[0, 3], [1], [2, 4], [5, 6]]


async def test_nothing_becomes_one_item_or_no_group():
    summaries = [{"take": "count"}, {"take": "sum", "of": "a.b"}, {"take": "percentile", "of": "a", "percent": 99.5}]
    run = await run_node(summarize, [], {"summaries": summaries})
    assert run.json() == [{"count": 0, "sum_b": 0, "percentile99_5_a": None}]
    assert (await run_node(summarize, [], {"summaries": summaries, "by": ["k"]})).outputs == {}


@pytest.mark.parametrize(
    "params",
    [
        {"summaries": []},
        {"summaries": [{"take": "sum"}]},
        {"summaries": [{"take": "count"}, {"take": "count"}]},
        {"summaries": [{"take": "count", "into": "k"}], "by": ["k"]},
        {"summaries": [{"take": "percentile", "of": "a", "percent": 101}]},
    ],
)
async def test_parameters_that_do_not_fit_are_refused(params):
    with pytest.raises(ValidationError):
        await run_node(summarize, [], params)


async def test_many_items_in_many_groups():
    given = [{"k": number % 100, "v": 0.1} for number in range(20_000)]
    run = await run_node(summarize, given, {"by": ["k"], "summaries": [{"take": "sum", "of": "v"}]})
    assert [json["sum_v"] for json in run.json()] == [20] * 100
