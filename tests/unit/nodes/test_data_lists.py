"""The nodes that order, choose and compare items."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pyagent.sdk import BlobRef, Context, Item, Items, NodeCancelled, NodeError
from pyagent.testing import TestCancelToken, run_node
from pyagent_nodes.data.compare import compare
from pyagent_nodes.data.limit import limit
from pyagent_nodes.data.sort import sort
from pyagent_nodes.data.unique import unique

FILE = BlobRef("0" * 64, 3, "f")
NAN = float("nan")


def values(run, name="v", port="out"):
    return [json.get(name, "missing") for json in run.json(port)]


def of(*given):
    return [{"v": value} for value in given]


class TestSort:
    async def test_values_of_all_types_have_one_order(self):
        given = of({"b": 1}, [1, 2], "text", 2, True, "Text", 1.5, False, [1], {"a": 2}, -(2**80), 2**80)
        run = await run_node(sort, given, {"by": ["v"]})
        ordered = [False, True, -(2**80), 1.5, 2, 2**80, "Text", "text", [1], [1, 2], {"a": 2}, {"b": 1}]
        assert values(run) == ordered
        run = await run_node(sort, given, {"by": ["-v"]})
        assert values(run) == ordered[::-1]

    async def test_numbers_compare_exactly_whatever_their_size(self):
        run = await run_node(sort, of(2**53 + 1, float(2**53), 2**53 - 1, 1e300, -0.0, 0), {"by": ["v"]})
        assert values(run) == [-0.0, 0, 2**53 - 1, float(2**53), 2**53 + 1, 1e300]

    @pytest.mark.parametrize("order", ["v", "-v"])
    async def test_missing_and_null_come_last_or_first_whatever_the_order(self, order):
        given = [{"i": 0}, {"v": 1}, {"v": None}, {"v": 2}]
        assert [json.get("i") for json in (await run_node(sort, given, {"by": [order]})).json()][2:] == [0, None]
        first = await run_node(sort, given, {"by": [order], "missing": "first"})
        assert [json.get("v") for json in first.json()][:2] == [None, None]

    async def test_equal_items_keep_their_order_and_all_keep_lineage_and_binaries(self):
        given = [Item({"k": 1, "n": 0}, {"f": FILE}), {"k": 0, "n": 1}, {"k": 1, "n": 2}, {"k": 0, "n": 3}]
        run = await run_node(sort, given, {"by": ["-k"]})
        assert values(run, "n") == [0, 2, 1, 3]
        assert run.sources() == [[0], [2], [1], [3]]
        assert run.outputs["out"][0].binary == {"f": FILE}

    async def test_several_fields_count_the_first_most(self):
        given = [{"a": 1, "b": 1}, {"a": 0, "b": 1}, {"a": 1, "b": 2}, {"a": 0, "b": 2}]
        run = await run_node(sort, given, {"by": ["a", "-b"]})
        assert [(json["a"], json["b"]) for json in run.json()] == [(0, 2), (0, 1), (1, 2), (1, 1)]

    @pytest.mark.parametrize(
        ("text", "ordered"),
        [
            ("exact", ["B", "a", "file10", "file9", "Ä", "ß"]),
            ("ignore_case", ["a", "B", "file10", "file9", "ß", "Ä"]),
            ("natural", ["a", "B", "file9", "file10", "ß", "Ä"]),
        ],
    )
    async def test_text_compares_by_code_points_without_case_or_naturally(self, text, ordered):
        given = of("file10", "Ä", "a", "B", "ß", "file9")
        run = await run_node(sort, given, {"by": [{"field": "v", "text": text}]})
        assert values(run) == ordered

    async def test_natural_order_takes_digits_of_any_length(self):
        long = "9" * 10_000
        given = of(f"v{long}", "v10", "v009", "10", "v", "v1.10", "v1.9")
        run = await run_node(sort, given, {"by": [{"field": "v", "text": "natural"}]})
        assert values(run) == ["10", "v", "v1.9", "v1.10", "v009", "v10", f"v{long}"]

    async def test_text_may_count_as_number_number_as_text_and_text_as_date(self):
        run = await run_node(sort, of("10", "x", 9, " 1e1 ", "-1.5"), {"by": [{"field": "v", "as": "number"}]})
        assert values(run) == ["-1.5", 9, "10", " 1e1 ", "x"]
        run = await run_node(sort, of(10, "1", 9), {"by": [{"field": "v", "as": "text"}]})
        assert values(run) == ["1", 10, 9]
        dates = ["2026-01-01T01:00:00+02:00", "2026-01-01", "no date", "2025-12-31T23:30:00Z"]
        run = await run_node(sort, of(*dates), {"by": [{"field": "v", "as": "date"}]})
        assert values(run) == [dates[0], dates[3], dates[1], dates[2]]

    async def test_nan_is_refused(self):
        with pytest.raises(NodeError) as caught:
            await run_node(sort, of(1, NAN), {"by": ["v"]})
        assert caught.value.code == "node.not_json"

    @pytest.mark.parametrize("by", [[], [""], [{"field": "a", "order": "up"}], "a"])
    async def test_what_is_no_list_of_fields_is_refused(self, by):
        with pytest.raises(ValidationError):
            await run_node(sort, [], {"by": by})

    async def test_a_stop_is_heeded_while_many_items_are_read(self):
        token = TestCancelToken()
        token.trigger()
        with pytest.raises(NodeCancelled):
            await run_node(sort, of(*range(10_000)), {"by": ["v"]}, cancel=token)


class TestLimit:
    @pytest.mark.parametrize(
        ("params", "kept"),
        [
            ({}, [0]),
            ({"count": 2}, [0, 1]),
            ({"count": 2, "offset": 3}, [3, 4]),
            ({"count": 2, "keep": "last"}, [3, 4]),
            ({"count": 2, "keep": "last", "offset": 1}, [2, 3]),
            ({"count": 9, "keep": "last", "offset": 4}, [0]),
            ({"count": 9, "offset": 9}, []),
            ({"count": 9, "keep": "last", "offset": 9}, []),
            ({"count": 0}, []),
        ],
    )
    async def test_the_first_or_last_items_stay_with_their_lineage(self, params, kept):
        run = await run_node(limit, of(*range(5)), params)
        assert values(run) == kept
        assert run.sources() == [[index] for index in kept]

    @pytest.mark.parametrize(("keep", "pages"), [("first", {0}), ("last", {99})])
    async def test_pages_that_are_not_wanted_are_not_read(self, keep, pages):
        read: set[int] = set()

        def load(page: int) -> list[Item]:
            read.add(page)
            return [Item({"v": page * 10 + index}) for index in range(10)]

        context: Context = None  # type: ignore[assignment]
        made = await limit(Items([10] * 100, load), limit.validate_params({"count": 5, "keep": keep}), context)
        assert len(list(made)) == 5
        assert read == pages

    @pytest.mark.parametrize("params", [{"count": -1}, {"offset": -1}, {"count": "many"}])
    async def test_what_is_no_count_is_refused(self, params):
        with pytest.raises(ValidationError):
            await run_node(limit, [], params)


class TestUnique:
    async def test_the_first_of_equal_items_stays_and_the_others_can_be_seen(self):
        given = [{"a": 1, "b": [1, {}]}, {"b": [1.0, {}], "a": 1.0}, {"a": "1", "b": [1, {}]}, {"a": True}, {"a": 1}]
        run = await run_node(unique, given)
        assert run.sources("out") == [[0], [2], [3], [4]]
        assert run.sources("duplicates") == [[1]]

    async def test_the_last_may_stay_at_its_own_place(self):
        given = [{"k": 1, "n": 0}, {"k": 2, "n": 1}, {"k": 1, "n": 2}]
        run = await run_node(unique, given, {"by": ["k"], "keep": "last"})
        assert values(run, "n") == [1, 2]
        assert values(run, "n", "duplicates") == [0]

    async def test_missing_counts_as_null_and_huge_numbers_are_told_apart(self):
        run = await run_node(unique, [{"k": None}, {}, {"k": 2**53}, {"k": 2**53 + 1}, {"k": 0}], {"by": ["k"]})
        assert run.sources("out") == [[0], [2], [3], [4]]

    async def test_case_and_some_fields_may_not_count(self):
        given = [{"k": "Straße", "t": 1}, {"k": "STRASSE", "t": 2}, {"k": "ﬁ", "t": 3}, {"k": "FI", "t": 4}]
        run = await run_node(unique, given, {"ignore": ["t"], "ignore_case": True})
        assert run.sources("out") == [[0], [2]]

    async def test_by_and_ignore_together_are_refused(self):
        with pytest.raises(ValidationError):
            await run_node(unique, [], {"by": ["a"], "ignore": ["b"]})

    async def test_nan_is_refused(self):
        with pytest.raises(NodeError, match="no JSON number"):
            await run_node(unique, of(NAN))


class TestCompare:
    async def run(self, first, second, **params):
        return await run_node(compare, params={"by": ["id"], **params}, ports={"first": first, "second": second})

    async def test_items_are_told_apart_by_their_key(self):
        run = await self.run(
            [{"id": 1, "a": 1}, {"id": 2, "a": 1}, {"id": 3}], [{"id": 4}, {"id": 2.0, "a": 1.0}, {"id": 1, "a": 2}]
        )
        assert run.json("only_first") == [{"id": 3}]
        assert run.json("only_second") == [{"id": 4}]
        assert run.json("same") == [{"id": 2, "a": 1}]
        assert run.json("different") == [
            {
                "key": {"id": 1},
                "first": {"id": 1, "a": 1},
                "second": {"id": 1, "a": 2},
                "changes": [{"field": "a", "first": 1, "second": 2}],
            }
        ]
        assert [(source.item, source.port) for source in run.outputs["different"][0].sources] == [
            (0, "first"),
            (2, "second"),
        ]

    async def test_changes_are_named_by_path_and_missing_is_not_null(self):
        first = {"id": 1, "o": {"x.y": 1, "z": 1}, "l": [1, 2], "n": None, "t": True}
        second = {"id": 1, "o": {"x.y": 2, "z": 1}, "l": [2, 1], "t": 1, "new": None}
        run = await self.run([first], [second])
        assert run.json("different")[0]["changes"] == [
            {"field": r"o.x\.y", "first": 1, "second": 2},
            {"field": "l", "first": [1, 2], "second": [2, 1]},
            {"field": "n", "first": None},
            {"field": "t", "first": True, "second": 1},
            {"field": "new", "second": None},
        ]
        run = await self.run([first], [second], null_is_missing=True, ignore=["o.x\\.y", "l", "t"])
        assert run.json("same") == [first]

    async def test_only_some_fields_may_be_compared(self):
        run = await self.run([{"id": 1, "o": {"a": 1, "b": 1}}], [{"id": 1, "o": {"a": 1, "b": 2}}], fields=["o.a"])
        assert len(run.json("same")) == 1

    async def test_keys_may_have_different_names_and_then_do_not_count_as_changes(self):
        run = await self.run(
            [{"mail": "A@x", "n": 1}], [{"to": {"mail": "a@X"}, "n": 1}], by={"mail": "to.mail"}, ignore_case=True
        )
        assert run.json("different")[0]["changes"] == [{"field": "to", "second": {}}]
        run = await self.run([{"mail": "a"}], [{"to": "a"}], by={"mail": "to"})
        assert run.json("same") == [{"mail": "a"}]

    async def test_a_tolerance_is_exact_in_decimals(self):
        run = await self.run([{"id": 1, "v": [0.1]}], [{"id": 1, "v": [0.3]}], tolerance=0.2)
        assert len(run.json("same")) == 1
        run = await self.run([{"id": 1, "v": 0.1}], [{"id": 1, "v": 0.30001}], tolerance=0.2)
        assert len(run.json("different")) == 1

    async def test_nan_is_refused(self):
        with pytest.raises(NodeError) as caught:
            await self.run([{"id": 1, "v": [NAN]}], [{"id": 1, "v": [1]}], tolerance=1)
        assert caught.value.code == "node.not_json"

    async def test_items_without_a_key_have_no_partner(self):
        run = await self.run([{}, {"id": None}], [{}, {"id": None}])
        assert len(run.json("only_first")) == len(run.json("only_second")) == 2

    async def test_equal_keys_pair_in_order_or_are_an_error(self):
        first, second = [{"id": 1, "n": 1}, {"id": 1, "n": 2}], [{"id": 1, "n": 1}]
        run = await self.run(first, second)
        assert run.json("same") == [first[0]]
        assert run.json("only_first") == [first[1]]
        for sides in ((first, second), (second, first)):
            with pytest.raises(NodeError, match="several items") as caught:
                await self.run(*sides, duplicates="fail")
            assert caught.value.code == "node.compare_duplicates"

    async def test_one_side_may_be_chosen_and_an_empty_side_is_a_side(self):
        run = await self.run([{"id": 1, "a": 1}], [{"id": 1, "a": 2}], different="second")
        assert run.json("different") == [{"id": 1, "a": 2}]
        run = await run_node(compare, params={"by": ["id"]}, ports={"second": [{"id": 1}]})
        assert run.json("only_second") == [{"id": 1}]
