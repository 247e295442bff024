"""The nodes that lead a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from pyagent.sdk import Answer, BlobRef, Call, Item, ItemSource, Map, NodeError, Registry, Restart, Stop, Wait
from pyagent.testing import run_node
from pyagent_nodes.flow.approve import approve
from pyagent_nodes.flow.ask import ask
from pyagent_nodes.flow.fail import fail
from pyagent_nodes.flow.filter import filter_
from pyagent_nodes.flow.graph import graph
from pyagent_nodes.flow.if_ import if_
from pyagent_nodes.flow.loop import loop
from pyagent_nodes.flow.manual import manual
from pyagent_nodes.flow.map import map_
from pyagent_nodes.flow.merge import merge
from pyagent_nodes.flow.noop import noop
from pyagent_nodes.flow.restart import restart
from pyagent_nodes.flow.signal import signal
from pyagent_nodes.flow.stop import stop
from pyagent_nodes.flow.switch import switch
from pyagent_nodes.flow.wait import wait

NUMBERS = [{"n": 1}, {"n": 2}, {"n": 3}]
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "manual",
        "if",
        "filter",
        "switch",
        "merge",
        "loop",
        "map",
        "graph",
        "wait",
        "approve",
        "ask",
        "restart",
        "stop",
        "fail",
        "noop",
    ],
)
def test_each_type_is_found_by_its_name_alone_says_what_it_does_and_has_no_effects(name):
    found = Registry({"flow": "pyagent_nodes.flow"}).get(f"flow.{name}@1")
    assert found is not None
    assert found.description
    assert found.effects_for(None) == "none"
    for field in found.params.model_fields.values():
        assert field.description


async def test_manual_starts_with_the_inputs_of_the_run():
    run = await run_node(manual, inputs={"mail": {"from": "ü"}})
    assert run.json() == [{"mail": {"from": "ü"}}]
    assert manual.kind == "trigger"
    assert manual.ports_in == ()


async def test_noop_passes_items_binaries_and_lineage():
    run = await run_node(noop, [Item({"a": 1}, {"f": BlobRef("0" * 64, 3)}), {"a": 2}])
    assert run.outputs["out"][0].binary == {"f": BlobRef("0" * 64, 3)}
    assert run.sources() == [[0], [1]]


class TestFilter:
    async def test_items_stay_or_go_to_rest_in_order_with_their_lineage(self):
        items = [{"n": number} for number in range(5)]
        run = await run_node(filter_, items, lambda json, _: {"when": json["n"] in (1, 4)})
        assert run.json("out") == [{"n": 1}, {"n": 4}]
        assert run.sources("out") == [[1], [4]]
        assert run.sources("rest") == [[0], [2], [3]]

    async def test_a_condition_that_is_no_condition_fails_its_item_alone(self):
        def params(json, _):
            return {"when": json["w"]}

        run = await run_node(filter_, [{"w": True}, {"w": []}], params, on_error="route")
        assert run.json("out") == [{"w": True}]
        assert run.json("error")[0]["error"]["code"] == "input.params"
        assert run.json("error")[0]["input"] == {"w": []}


class TestIf:
    async def test_items_are_routed_one_by_one_in_order(self):
        run = await run_node(if_, NUMBERS, lambda json, _: {"when": json["n"] != 2})
        assert run.json("true") == [{"n": 1}, {"n": 3}]
        assert run.json("false") == [{"n": 2}]
        assert run.sources("true") == [[0], [2]]
        assert run.sources("false") == [[1]]

    @pytest.mark.parametrize("value", [True, 1, 0.5, "true", " TRUE "])
    async def test_what_counts_as_true(self, value):
        assert (await run_node(if_, [{}], {"when": value})).json("true") == [{}]

    @pytest.mark.parametrize("value", [False, None, 0, "", "false"])
    async def test_what_counts_as_false(self, value):
        assert (await run_node(if_, [{}], {"when": value})).json("false") == [{}]

    @pytest.mark.parametrize("value", ["no", "0", [], {}, [1]])
    async def test_what_is_neither_is_refused(self, value):
        with pytest.raises(ValidationError, match="neither true nor false"):
            await run_node(if_, [{}], {"when": value})

    async def test_a_condition_that_is_not_evaluated_yet_is_accepted_and_never_counts_as_true(self):
        assert if_.validate_params({"when": "{{ $json.a }}"})
        assert (await run_node(if_, [{}], {"when": "{{ $json.a }}"})).json("true") == []

    async def test_no_items_are_no_outputs(self):
        assert (await run_node(if_, [], {"when": True})).outputs == {}

    async def test_a_missing_condition_is_refused(self):
        with pytest.raises(ValidationError, match="when"):
            await run_node(if_, [{}], {})

    async def test_many_items_are_routed(self):
        many = [{"n": number} for number in range(20_000)]
        run = await run_node(if_, many, lambda json, _: {"when": json["n"] % 2 == 0})
        assert len(run.outputs["true"]) == len(run.outputs["false"]) == 10_000
        assert run.sources("false")[-1] == [19_999]


class TestSwitch:
    @staticmethod
    def params(json, _):
        return {
            "rules": [
                {"when": json["n"] > 2, "to": "big"},
                {"when": json["n"] > 1, "to": "middle"},
                {"when": json["n"] > 9, "to": "big"},
            ]
        }

    async def test_an_item_goes_to_the_first_rule_that_holds_or_to_rest(self):
        run = await run_node(switch, NUMBERS, self.params)
        assert run.outputs.keys() == {"big", "middle", "rest"}
        assert (run.json("big"), run.json("middle"), run.json("rest")) == ([{"n": 3}], [{"n": 2}], [{"n": 1}])
        assert run.sources("big") == [[2]]

    async def test_in_mode_all_an_item_goes_to_every_rule_that_holds_but_once_to_a_port(self):
        run = await run_node(switch, [{"n": 10}], lambda *given: {**self.params(*given), "mode": "all"})
        assert (run.json("big"), run.json("middle"), run.json("rest")) == ([{"n": 10}], [{"n": 10}], [])

    def test_the_ports_are_those_of_the_rules_in_order_and_rest(self):
        params = switch.validate_params({"rules": [{"when": "{{ $json.a }}", "to": to} for to in ("b", "a", "b")]})
        assert switch.ports_out_for(params) == ("b", "a", "rest")

    @pytest.mark.parametrize(
        "params", [{}, {"rules": []}, {"rules": [{"when": True, "to": "Not a port"}]}, {"rules": [{"to": "a"}]}]
    )
    async def test_bad_rules_are_refused(self, params):
        with pytest.raises(ValidationError):
            await run_node(switch, [{}], params)


class TestMerge:
    left = ({"id": 1, "l": "a"}, {"id": 2, "l": "b"}, {"id": 2, "l": "c"}, {"id": None, "l": "d"})
    right = ({"id": 2.0, "r": "x", "l": "R"}, {"id": 3, "r": "y"}, {"r": "z"})

    async def run(self, params, left=left, right=right):
        return await run_node(merge, ports={"left": left, "right": right}, params=params)

    async def test_append_puts_the_ports_one_after_the_other(self):
        run = await self.run({}, [{"a": 1}], [{"a": 2}, {"a": "ü"}])
        assert run.json() == [{"a": 1}, {"a": 2}, {"a": "ü"}]
        assert run.outputs["out"][2].sources == (ItemSource(1, "right"),)

    async def test_position_pairs_first_with_first_and_drops_what_has_no_partner(self):
        run = await self.run({"mode": "position"}, [{"a": 1, "c": 1}, {"a": 2}], [{"b": 1, "c": 2}])
        assert run.json() == [{"a": 1, "b": 1, "c": 2}]
        assert run.outputs["out"][0].sources == (ItemSource(0, "left"), ItemSource(0, "right"))

    @pytest.mark.parametrize(("clash", "value"), [("first", 1), ("last", 2)])
    async def test_clashing_fields_go_to_the_port_chosen(self, clash, value):
        run = await self.run({"mode": "position", "clash": clash}, [{"c": 1}], [{"c": 2}])
        assert run.json() == [{"c": value}]

    async def test_each_port_may_get_a_field_of_its_own(self):
        run = await self.run({"mode": "position", "clash": "nest", "keep": "all"}, [{"c": 1}, {"c": 2}], [{"c": 3}])
        assert run.json() == [{"left": {"c": 1}, "right": {"c": 3}}, {"left": {"c": 2}}]

    async def test_key_joins_every_pair_of_equal_values_whatever_the_spelling_of_the_number(self):
        run = await self.run({"mode": "key", "by": "id", "clash": "first"})
        assert run.json() == [{"id": 2, "l": "b", "r": "x"}, {"id": 2, "l": "c", "r": "x"}]

    async def test_key_keeps_all_of_the_first_port_if_asked(self):
        run = await self.run({"mode": "key", "by": "id", "keep": "first"})
        assert [item.get("r") for item in run.json()] == [None, "x", "x", None]

    async def test_key_keeps_all_if_asked_and_null_equals_nothing(self):
        assert len((await self.run({"mode": "key", "by": "id", "keep": "all"})).json()) == 6

    async def test_key_keeps_what_has_no_partner_if_asked(self):
        run = await self.run({"mode": "key", "by": "id", "keep": "unmatched"})
        assert run.json() == [{"id": 1, "l": "a"}, {"id": 3, "r": "y"}, {"id": None, "l": "d"}, {"r": "z"}]

    async def test_key_may_differ_by_port_and_be_a_path(self):
        run = await self.run(
            {"mode": "key", "by": {"left": "user.id", "right": "id"}}, [{"user": {"id": "ä"}}], [{"id": "ä", "x": 1}]
        )
        assert run.json() == [{"user": {"id": "ä"}, "id": "ä", "x": 1}]

    async def test_a_port_without_a_key_is_named(self):
        with pytest.raises(NodeError, match="no field for the port 'right'"):
            await self.run({"mode": "key", "by": {"left": "id"}})

    async def test_one_and_true_are_different_keys(self):
        assert (await self.run({"mode": "key", "by": "id"}, [{"id": 1}], [{"id": True}, {"id": "1"}])).json() == []

    async def test_three_ports_are_paired_too(self):
        run = await run_node(
            merge, ports={name: [{"id": 1, name: True}] for name in "abc"}, params={"mode": "key", "by": "id"}
        )
        assert run.json() == [{"id": 1, "a": True, "b": True, "c": True}]

    async def test_a_port_that_got_nothing_leaves_no_pairs(self):
        assert (await self.run({"mode": "position"}, self.left, [])).json() == []
        assert (await self.run({"mode": "key", "by": "id"}, self.left, [])).json() == []

    async def test_choose_takes_the_port_named_or_the_first_with_items(self):
        assert (await self.run({"mode": "choose", "port": "right"}, [{"a": 1}], [{"a": 2}])).json() == [{"a": 2}]
        assert (await self.run({"mode": "choose"}, [], [{"a": 2}])).json() == [{"a": 2}]
        assert (await self.run({"mode": "choose", "port": "gone"}, [{"a": 1}], [])).outputs == {}

    async def test_pairing_what_came_by_one_port_says_how_to_name_ports(self):
        with pytest.raises(NodeError, match="all came by one") as caught:
            await run_node(merge, [{"a": 1}], {"mode": "position"})
        assert "merge.left" in caught.value.hint

    @pytest.mark.parametrize("params", [{"mode": "key"}, {"by": "id"}, {"mode": "append", "port": "left"}])
    async def test_parameters_that_contradict_one_another_are_refused(self, params):
        with pytest.raises(ValidationError):
            await self.run(params)

    async def test_many_items_are_joined_in_linear_time(self):
        many = [{"id": number} for number in range(20_000)]
        run = await self.run({"mode": "key", "by": "id"}, many, list(reversed(many)))
        assert len(run.json()) == 20_000


class TestLoop:
    entry = ({"n": 1}, {"n": 2}, {"n": 3})

    async def test_each_iteration_gets_its_batch_and_the_last_one_all_that_came_back(self):
        returned: list[list[dict]] = []
        batches = []
        for _ in range(3):
            run = await run_node(loop, params={"batch": 2}, loop=(self.entry, returned))
            batches.append((run.json("loop"), run.more, run.json("done")))
            returned.append([{**json, "back": True} for json in run.json("loop")])
        assert batches == [
            ([{"n": 1}, {"n": 2}], True, []),
            ([{"n": 3}], True, []),
            ([], False, [{"n": 1, "back": True}, {"n": 2, "back": True}, {"n": 3, "back": True}]),
        ]

    async def test_lineage_names_the_entry_and_the_iteration(self):
        run = await run_node(loop, params={"batch": 2}, loop=(self.entry, [[]]))
        assert run.outputs["loop"][0].sources == (ItemSource(2, "entry"),)
        run = await run_node(loop, params={"batch": 3}, loop=(self.entry, [[{"n": 9}]]))
        assert run.outputs["done"][0].sources == (ItemSource(0, "returned.1"),)

    async def test_without_entry_items_it_is_done_at_once(self):
        run = await run_node(loop, loop=([], []))
        assert (run.outputs, run.more) == ({}, False)

    async def test_a_batch_of_nothing_is_refused(self):
        with pytest.raises(ValidationError):
            await run_node(loop, params={"batch": 0}, loop=([], []))

    async def test_outside_a_loop_it_fails(self):
        with pytest.raises(NodeError, match="no loop's header"):
            await run_node(loop, [{}])


async def test_map_makes_elements_of_batches_in_order():
    run = await run_node(map_, NUMBERS, {"batch": 2, "parallel": 3, "on_error": "skip", "graph": "other"})
    assert isinstance(run.command, Map)
    assert [[item.json["n"] for item in element] for element in run.command.elements] == [[1, 2], [3]]
    assert run.command.elements[1][0].sources == (ItemSource(2),)
    assert (run.command.parallel, run.command.on_error, run.command.graph) == (3, "skip", "other")


async def test_map_of_nothing_has_no_elements():
    run = await run_node(map_, [])
    assert isinstance(run.command, Map)
    assert list(run.command.elements) == []


def test_map_has_an_error_port_only_where_failures_go_there():
    assert map_.ports_out_for(map_.validate_params({})) == ("out",)
    assert map_.ports_out_for(map_.validate_params({"on_error": "route"})) == ("out", "error")


async def test_graph_calls_with_its_inputs():
    run = await run_node(graph, [{}], {"graph": "child", "inputs": {"a": [1]}, "wait": False, "on_parent": "cancel"})
    assert run.command == Call(graph="child", inputs={"a": [1]}, wait=False, on_parent="cancel")


async def test_stop_ends_the_run():
    run = await run_node(stop, [{}], {"status": "failed", "message": "enough"})
    assert run.command == Stop(status="failed", message="enough")


async def test_fail_raises_what_the_graph_says():
    with pytest.raises(NodeError) as caught:
        await run_node(fail, [{}], {"message": "nein", "code": "mail.bounced", "hint": "try", "details": {"a": 1}})
    assert caught.value.as_dict() == {
        "code": "mail.bounced",
        "message": "nein",
        "hint": "try",
        "details": {"a": 1},
    }


async def test_fail_refuses_a_code_that_is_none():
    with pytest.raises(ValidationError):
        await run_node(fail, [{}], {"code": "Not a code"})


class TestWait:
    @pytest.mark.parametrize(
        ("params", "until"),
        [
            ({"for": "1h30m"}, START + timedelta(minutes=90)),
            ({"for": "0s"}, START),
            ({"until": "2026-02-03T04:05:06"}, datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
            ({"until": "2026-02-03T04:05:06+02:00"}, datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC)),
        ],
    )
    async def test_it_waits_until_the_time(self, params, until):
        run = await run_node(wait, [{}], params, now=START)
        assert run.command == Wait(kind="time", until=until)

    async def test_when_the_time_has_come_the_items_pass(self):
        run = await run_node(wait, NUMBERS, {"for": "1s"}, answer=Answer(kind="time"))
        assert run.json() == NUMBERS
        assert run.sources() == [[0], [1], [2]]

    async def test_it_waits_for_a_signal_with_its_key(self):
        run = await run_node(wait, [{}], {"signal": "paid", "key": 17, "timeout": "1d"}, now=START)
        assert run.command == Wait(kind="signal", signal="paid", key="17", until=START + timedelta(days=1))

    async def test_what_the_signal_carries_is_put_into_each_item(self):
        answer = Answer(kind="signal", value={"sum": 5}, actor="shop")
        run = await run_node(wait, [{"a": 1}], {"signal": "paid", "into": "x.y"}, answer=answer)
        said = {"name": "paid", "key": "", "value": {"sum": 5}, "actor": "shop"}
        assert run.json() == [{"a": 1, "x": {"y": said}}]
        assert run.sources() == [[0]]

    async def test_a_signal_that_does_not_come_in_time_leads_elsewhere(self):
        params = {"signal": "paid", "timeout": "1s"}
        run = await run_node(wait, [{"a": 1}], params, answer=Answer(kind="timeout"))
        assert run.json("timeout") == [{"a": 1}]
        assert wait.ports_out_for(wait.validate_params(params)) == ("out", "timeout")

    @pytest.mark.parametrize(
        "params",
        [{}, {"for": "1s", "signal": "a"}, {"for": "1s", "key": "k"}, {"for": "soon"}, {"signal": ""}, {"for_": "1"}],
    )
    async def test_unclear_parameters_are_refused(self, params):
        with pytest.raises(ValidationError):
            await run_node(wait, [{}], params)


class TestApprove:
    async def test_the_person_sees_the_question_and_the_first_items(self):
        run = await run_node(
            approve, NUMBERS, {"title": "Senden?", "message": "m", "show": 2, "timeout": "1h"}, now=START
        )
        assert isinstance(run.command, Wait)
        assert run.command.kind == "approval"
        assert run.command.title == "Senden?"
        assert run.command.prompt == {"message": "m", "items": [{"n": 1}, {"n": 2}], "count": 3}
        assert run.command.until == START + timedelta(hours=1)
        assert run.command.response_schema is not None

    @pytest.mark.parametrize(("yes", "port"), [(True, "approved"), (False, "rejected")])
    async def test_the_answer_routes_the_items_and_is_kept_with_them(self, yes, port):
        answer = Answer(kind="approval", value={"approved": yes, "comment": "gut"}, actor="eve", at=START)
        run = await run_node(approve, NUMBERS, answer=answer)
        assert run.outputs.keys() == {port}
        assert run.json(port)[0]["approval"] == {
            "approved": yes,
            "comment": "gut",
            "actor": "eve",
            "at": "2026-01-01T00:00:00+00:00",
            "by": "person",
        }
        assert run.sources(port) == [[0], [1], [2]]

    @pytest.mark.parametrize("value", [None, {}, "yes", {"approved": "yes"}, {"approved": 1}])
    async def test_an_unclear_answer_never_passes_for_a_yes(self, value):
        with pytest.raises(NodeError, match="does not say"):
            await run_node(approve, [{}], answer=Answer(kind="approval", value=value))

    @pytest.mark.parametrize(("then", "port"), [("reject", "rejected"), ("approve", "approved")])
    async def test_what_happens_when_nobody_answers_is_a_choice(self, then, port):
        run = await run_node(approve, [{}], {"timeout": "1s", "on_timeout": then}, answer=Answer(kind="timeout"))
        assert run.json(port)[0]["approval"]["by"] == "timeout"

    async def test_it_may_fail_when_nobody_answers(self):
        with pytest.raises(NodeError) as caught:
            await run_node(approve, [{}], {"timeout": "1s", "on_timeout": "fail"}, answer=Answer(kind="timeout"))
        assert caught.value.code == "node.approval_timeout"

    async def test_switched_off_it_asks_nobody(self):
        run = await run_node(approve, NUMBERS, {"enabled": False})
        assert run.json("approved") == NUMBERS


class TestAsk:
    FIELDS = (
        {"name": "who", "required": True, "label": "Who?"},
        {"name": "age", "type": "integer", "default": 1, "description": "In years"},
        {"name": "tags", "type": "choices", "options": ["a", "b"], "required": True},
    )

    async def test_a_list_of_fields_is_a_schema(self):
        run = await run_node(ask, NUMBERS, {"title": "Who?", "message": "Say", "fields": list(self.FIELDS), "show": 1})
        assert run.command == Wait(
            kind="form",
            title="Who?",
            prompt={"message": "Say", "items": [{"n": 1}], "count": 3},
            response_schema={
                "type": "object",
                "properties": {
                    "who": {"title": "Who?", "type": "string", "minLength": 1},
                    "age": {"title": "age", "type": "integer", "description": "In years", "default": 1},
                    "tags": {
                        **{"title": "tags", "type": "array", "uniqueItems": True},
                        **{"items": {"enum": ["a", "b"]}, "minItems": 1},
                    },
                },
                "required": ["who", "tags"],
                "additionalProperties": False,
            },
        )

    async def test_json_schema_properties_are_taken_as_they_are(self):
        params = {"fields": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"], "timeout": "1h"}
        run = await run_node(ask, NUMBERS, params, now=START)
        assert isinstance(run.command, Wait)
        assert run.command.until == START + timedelta(hours=1)
        assert run.command.response_schema["properties"] == {"a": {"type": "string", "maxLength": 3}}
        assert run.command.response_schema["required"] == ["a"]

    async def test_the_answer_is_put_into_each_item(self):
        params = {"fields": {"a": {}}, "into": "form.said", "by": "by"}
        answer = Answer(kind="form", value={"a": 1}, actor="ann", at=START)
        run = await run_node(ask, NUMBERS[:2], params, answer=answer)
        by = {"actor": "ann", "at": START.isoformat()}
        assert run.json("out") == [{"n": number, "form": {"said": {"a": 1}}, "by": by} for number in (1, 2)]
        assert run.sources("out") == [[0], [1]]

    async def test_the_end_of_the_time_is_a_port(self):
        params = {"fields": {"a": {}}, "timeout": "1h"}
        run = await run_node(ask, NUMBERS, params, answer=Answer(kind="timeout"))
        assert run.json("timeout") == NUMBERS
        assert run.context.ports_out == ["out", "timeout"]

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"fields": []},
            {"fields": [{"name": "a b"}]},
            {"fields": [{"name": "a"}, {"name": "a"}]},
            {"fields": [{"name": "a", "type": "choice"}]},
            {"fields": [{"name": "a", "options": [1]}]},
            {"fields": [{"name": "a"}], "required": ["a"]},
            {"fields": {"a": {}}, "required": ["b"]},
        ],
    )
    async def test_a_form_that_is_none_is_refused(self, params):
        with pytest.raises(ValidationError):
            await run_node(ask, NUMBERS, params)


class TestSignal:
    async def test_each_item_sends_its_signal_and_passes(self):
        run = await run_node(signal, NUMBERS[:2], lambda json, _: {"name": "go", "key": json["n"], "value": json})
        assert run.context.signals == [
            {"name": "go", "key": str(number), "value": {"n": number}, "run": None} for number in (1, 2)
        ]
        assert run.json() == NUMBERS[:2]

    async def test_it_may_be_repeated_because_it_is_sent_once(self):
        assert signal.effects_for(None) == "idempotent"


class TestRestart:
    async def test_the_items_given_go_on_by_default(self):
        run = await run_node(restart, NUMBERS)
        assert isinstance(run.command, Restart)
        assert [item.json for item in run.command.items] == NUMBERS
        assert (run.command.inputs, run.command.state, run.command.version) == (None, None, "newest")

    async def test_what_the_successor_begins_with_is_chosen(self):
        params = {"items": "inputs", "inputs": {"a": 1}, "state": {"b": 2}, "version": "same"}
        run = await run_node(restart, NUMBERS, params)
        assert run.command == Restart(inputs={"a": 1}, state={"b": 2}, version="same")
