"""The nodes that change items."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pyagent.sdk import BlobRef, Item, NodeError, Registry
from pyagent.testing import run_node
from pyagent_nodes.data.aggregate import aggregate
from pyagent_nodes.data.set import set_
from pyagent_nodes.data.split import split

FILE = BlobRef("0" * 64, 3, "f")


@pytest.mark.parametrize("name", ["set", "aggregate", "split"])
def test_each_type_is_found_by_its_name_alone_says_what_it_does_and_has_no_effects(name):
    found = Registry({"data": "pyagent_nodes.data"}).get(f"data.{name}")
    assert found is not None
    assert found.description
    assert found.effects_for(None) == "none"
    for field in found.params.model_fields.values():
        assert field.description


class TestSet:
    async def test_fields_are_added_and_replaced_along_paths(self):
        run = await run_node(
            set_, [{"a": 1, "o": {"x": 1, "y": 2}}], {"fields": {"a": "ü", "o.x": 5, "new.deep.0": None, "k\\.k": 1}}
        )
        assert run.json() == [{"a": "ü", "o": {"x": 5, "y": 2}, "new": {"deep": {"0": None}}, "k.k": 1}]

    async def test_each_item_gets_its_own_values_and_keeps_lineage_and_binaries(self):
        items = [Item({"n": 1}, {"file": FILE}), {"n": 2}]
        run = await run_node(set_, items, lambda json, index: {"fields": {"double": json["n"] * 2, "i": index}})
        assert run.json() == [{"n": 1, "double": 2, "i": 0}, {"n": 2, "double": 4, "i": 1}]
        assert run.sources() == [[0], [1]]
        assert run.outputs["out"][0].binary == {"file": FILE}

    async def test_the_incoming_item_is_not_changed(self):
        before = Item({"o": {"list": [1, 2]}})
        await run_node(set_, [before], {"fields": {"o.list.0": 9, "o.more": 1}, "remove": ["o.list.1"]})
        assert before.json == {"o": {"list": [1, 2]}}

    async def test_list_elements_are_replaced_and_appended(self):
        run = await run_node(set_, [{"l": [1, 2]}], {"fields": {"l.0": "a", "l.2": "c"}})
        assert run.json() == [{"l": ["a", 2, "c"]}]

    async def test_only_the_fields_to_keep_stay(self):
        given = {"a": 1, "o": {"x": 1, "y": 2}, "z": 0}
        run = await run_node(set_, [given], {"keep": ["o.y", "a", "gone"], "fields": {"n": 1}})
        assert run.json() == [{"o": {"y": 2}, "a": 1, "n": 1}]
        assert (await run_node(set_, [given], {"keep": []})).json() == [{}]

    async def test_fields_are_removed_where_they_are(self):
        run = await run_node(set_, [{"a": 1, "o": {"x": [1, 2]}}], {"remove": ["o.x.0", "nowhere.at.all", "a"]})
        assert run.json() == [{"o": {"x": [2]}}]

    @pytest.mark.parametrize("path", ["a.b", "l.5", "l.x"])
    async def test_a_path_through_something_else_is_an_error_that_names_it(self, path):
        with pytest.raises(NodeError, match=path):
            await run_node(set_, [{"a": 1, "l": [0]}], {"fields": {path: 1}})

    @pytest.mark.parametrize("params", [{"fields": {"": 1}}, {"fields": {"a..b": 1}}, {"keep": ["."]}, {"field": {}}])
    async def test_paths_without_names_are_refused(self, params):
        with pytest.raises(ValidationError):
            await run_node(set_, [{}], params)

    async def test_nothing_in_nothing_out(self):
        assert (await run_node(set_, [], {"fields": {"a": 1}})).outputs == {}

    async def test_many_items(self):
        run = await run_node(set_, [{"n": number} for number in range(20_000)], {"fields": {"a.b": 1}})
        assert len(run.json()) == 20_000
        assert run.json()[-1] == {"n": 19_999, "a": {"b": 1}}


class TestAggregate:
    items = ({"k": "a", "n": 1, "o": {"x": 1}}, {"k": "b", "n": None}, {"k": "a", "o": {"x": 3}})

    async def test_whole_items_become_a_list_of_one_item_that_comes_from_all(self):
        run = await run_node(aggregate, self.items, {"into": "all.items"})
        assert run.json() == [{"all": {"items": list(self.items)}}]
        assert run.sources() == [[0, 1, 2]]

    async def test_fields_are_collected_null_counts_and_missing_does_not(self):
        run = await run_node(aggregate, self.items, {"fields": ["n", "o.x"]})
        assert run.json() == [{"n": [1, None], "o": {"x": [1, 3]}}]

    async def test_missing_fields_count_as_null_if_asked(self):
        run = await run_node(aggregate, self.items, {"fields": {"numbers": "n", "xs": "o.x"}, "missing": True})
        assert run.json() == [{"numbers": [1, None, None], "xs": [1, None, 3]}]

    async def test_groups_come_in_the_order_of_their_first_items(self):
        run = await run_node(aggregate, self.items, {"by": ["k"], "fields": ["n"], "missing": True})
        assert run.json() == [{"k": "a", "n": [1, None]}, {"k": "b", "n": [None]}]
        assert run.sources() == [[0, 2], [1]]

    async def test_a_group_may_be_made_by_several_fields_and_by_missing_ones(self):
        run = await run_node(aggregate, self.items, {"by": ["k", "o.x"]})
        assert [(group["k"], group["o"]["x"]) for group in run.json()] == [("a", 1), ("b", None), ("a", 3)]

    async def test_one_number_is_one_group_however_it_is_written(self):
        run = await run_node(aggregate, [{"k": 1}, {"k": 1.0}, {"k": True}, {"k": "1"}], {"by": ["k"], "into": "i"})
        assert [len(group["i"]) for group in run.json()] == [2, 1, 1]

    async def test_nothing_becomes_one_item_with_empty_lists_or_no_group(self):
        assert (await run_node(aggregate, [])).json() == [{"items": []}]
        assert (await run_node(aggregate, [], {"fields": ["a"]})).json() == [{"a": []}]
        assert (await run_node(aggregate, [], {"by": ["a"]})).outputs == {}

    async def test_no_fields_at_all_are_refused(self):
        with pytest.raises(ValidationError, match="names no field"):
            await run_node(aggregate, [], {"fields": []})

    async def test_many_items(self):
        many = [{"k": number % 100} for number in range(20_000)]
        run = await run_node(aggregate, many, {"by": ["k"]})
        assert len(run.json()) == 100
        assert len(run.json()[7]["items"]) == 200


class TestSplit:
    async def test_objects_become_items_that_come_from_the_item_that_held_them(self):
        run = await run_node(split, [{"l": [{"a": 1}, {"a": "ü"}]}, {"l": []}, {"l": [{"b": 2}]}], {"field": "l"})
        assert run.json() == [{"a": 1}, {"a": "ü"}, {"b": 2}]
        assert run.sources() == [[0], [0], [2]]

    async def test_other_elements_get_the_name_of_the_list_or_another(self):
        given = [{"o": {"tags": ["x", None, [1]]}}]
        assert (await run_node(split, given, {"field": "o.tags"})).json() == [
            {"tags": "x"},
            {"tags": None},
            {"tags": [1]},
        ]
        assert (await run_node(split, given, {"field": "o.tags", "into": "tag.name"})).json()[0] == {
            "tag": {"name": "x"}
        }

    async def test_other_fields_go_along_if_asked(self):
        given = [{"id": 7, "o": {"l": [{"a": 1}], "x": 2}, "z": 3}]
        run = await run_node(split, given, {"field": "o.l", "include": "all"})
        assert run.json() == [{"id": 7, "o": {"x": 2}, "z": 3, "a": 1}]
        run = await run_node(split, given, {"field": "o.l", "include": ["id", "gone"], "into": "e"})
        assert run.json() == [{"id": 7, "e": {"a": 1}}]

    async def test_a_missing_list_is_skipped_or_fails(self):
        assert (await run_node(split, [{}, {"l": None}], {"field": "l"})).outputs == {}
        with pytest.raises(NodeError) as caught:
            await run_node(split, [{}], {"field": "l", "missing": "fail"})
        assert caught.value.code == "node.split_missing"

    async def test_what_is_no_list_is_an_error(self):
        with pytest.raises(NodeError, match="is str, not a list"):
            await run_node(split, [{"l": "abc"}], {"field": "l"})

    async def test_split_and_aggregate_are_each_others_reverse(self):
        items = [{"n": number} for number in range(20_000)]
        collected = await run_node(aggregate, items)
        assert (await run_node(split, collected.outputs["out"], {"field": "items"})).json() == items
