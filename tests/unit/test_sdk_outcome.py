"""What a node's function returned becomes one form, with lineage."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import Field, ValidationError

from pyagent.errors import ExpressionError, InputError, NodeCancelled, NodeError, Where
from pyagent.sdk import BlobRef, Context, Item, Items, NodeParams, NoParams, Result, Stop, Wait, node
from pyagent.sdk.each import run_each
from pyagent.sdk.items import ItemSource
from pyagent.sdk.outcome import (
    ItemOutcome,
    NodeReturnError,
    as_error,
    failed_item,
    join_outcomes,
    mark,
    normalise,
    normalise_item,
)
from pyagent.testing import TestCancelToken, TestContext, run_node


@node("test.whole", title="Whole", ports_out=["out", "rest"])
async def whole(items: Items, params: NoParams, ctx: Context):
    """Takes all items."""
    return list(items)


class Number(NodeParams):
    by: int = Field(1, ge=0)


@node("test.divide", title="Divide", each_item=True, ports_out=["out", "rest"])
async def divide(item: Item, params: Number, ctx: Context):
    """Divides each item's number."""
    return {"n": item.json["n"] / params.by}


def given(*values: int) -> Items:
    return mark(Items.of(Item({"n": value}) for value in values))


def sources(result: Result, port: str = "out") -> list[list[int]]:
    return [[source.item for source in item.sources] for item in result.outputs[port]]


def norm(returned, items: Items, ports=("out", "rest")):
    return normalise(returned, whole, ports, items)


def test_marked_items_name_themselves_and_their_pages_stay_unloaded():
    loaded: list[int] = []

    def load(number: int) -> list[Item]:
        loaded.append(number)
        return [Item({"page": number}, sources=(ItemSource(99),))] * 3

    items = mark(Items([3, 3], load), port="left", start=10)
    assert loaded == []
    assert [item.sources for item in items] == [(ItemSource(index, "left"),) for index in range(10, 16)]
    assert items[4].json == {"page": 1}


def test_nothing_returned_is_no_output():
    assert norm(None, given(1)).outputs == {}
    assert norm([], given(1)).outputs == {}
    assert norm({"out": [], "rest": None}, given(1)).outputs == {}


def test_a_list_goes_to_the_first_port_and_keeps_lineage_one_to_one():
    result = norm([{"a": 1}, Item({"a": 2})], given(1, 2))
    assert [item.json for item in result.outputs["out"]] == [{"a": 1}, {"a": 2}]
    assert sources(result) == [[0], [1]]


def test_filtered_and_sorted_items_keep_their_lineage_for_nothing():
    items = given(3, 1, 2)
    result = norm(sorted((item for item in items if item.json["n"] < 3), key=lambda item: item.json["n"]), items)
    assert sources(result) == [[1], [2]]


def test_all_that_comes_from_a_single_item_names_it():
    result = norm({"out": [{"a": 1}, {"a": 2}], "rest": [{"a": 3}]}, given(1))
    assert sources(result) == [[0], [0]]
    assert sources(result, "rest") == [[0]]


def test_new_items_of_several_inputs_say_nothing_of_their_lineage():
    assert sources(norm([{"a": 1}], given(1, 2))) == [[]]


def test_items_passed_on_are_not_loaded():
    def load(number: int) -> list[Item]:
        raise AssertionError("loaded")

    items = mark(Items([10_000, 10_000], load))
    for returned in (items, {"out": items}, Result({"out": items})):
        assert norm(returned, items).outputs["out"] is items


def test_lineage_that_the_node_gave_stays():
    made = Item({}, sources=(ItemSource(0), ItemSource(1)))
    assert sources(norm([made], given(1, 2, 3))) == [[0, 1]]


def test_a_result_keeps_its_word_that_there_is_more():
    result = norm(Result({"rest": list(given(1))}, more=True), given(1))
    assert result.more
    assert sources(result, "rest") == [[0]]


@pytest.mark.parametrize("command", [Wait(kind="signal", signal="go"), Stop()])
def test_a_command_passes_as_it_is(command):
    assert norm(command, given(1)) is command


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (5, "returned int where a list of items goes"),
        ("text", "returned str"),
        (Item({}), "returned Item"),
        ([1], "returned int where an item's JSON object goes"),
        ([Item([])], "returned list where an item's JSON object goes"),
        ({"nowhere": []}, "put items on 'nowhere', its ports are out, rest"),
        ({"out": {"a": 1}}, "returned dict where a list of items goes"),
    ],
)
def test_anything_else_is_refused_with_what_it_was(returned, message):
    with pytest.raises(NodeReturnError, match=message) as caught:
        norm(returned, given(1))
    assert caught.value.code == "node.returned"


def test_an_item_for_a_node_without_ports_is_refused():
    with pytest.raises(NodeReturnError, match="no output port"):
        norm([{}], given(1), ports=())


class TestItemwise:
    item = mark(Items.of([Item({"n": 1}, {"file": BlobRef("0" * 64, 1)})]))[0]

    def of(self, returned):
        return normalise_item(returned, divide, ("out", "rest"), self.item)

    def test_an_object_is_the_new_json_and_binaries_stay(self):
        assert self.of({"a": 1}) == {"out": [Item({"a": 1}, self.item.binary, self.item.sources)]}
        assert self.of({}) == {"out": [Item({}, self.item.binary, self.item.sources)]}

    def test_an_object_whose_key_is_a_port_is_still_json_unless_it_holds_items(self):
        assert self.of({"out": [1]})["out"][0].json == {"out": [1]}
        assert self.of({"rest": [Item({"a": 1})]}) == {"rest": [Item({"a": 1}, None, self.item.sources)]}

    def test_an_item_or_several_go_to_the_first_port(self):
        assert self.of(self.item) == {"out": [self.item]}
        assert [made.sources for made in self.of([{"a": 1}, Item({})])["out"]] == [self.item.sources] * 2

    def test_nothing_is_nothing(self):
        assert self.of(None) == {}
        assert self.of([]) == {}

    def test_a_command_is_refused(self):
        with pytest.raises(NodeReturnError, match="cannot return Stop"):
            self.of(Stop())

    def test_normalise_takes_the_single_item(self):
        assert normalise({"a": 1}, divide, ("out",), [self.item]).outputs["out"][0].json == {"a": 1}
        with pytest.raises(NodeReturnError, match="item by item"):
            normalise({"a": 1}, divide, ("out",), [])


class TestRunEach:
    async def test_outcomes_come_in_item_order_and_failures_do_not_end_the_others(self):
        ctx = TestContext(ports_out=["out"])
        outcomes = await run_each(divide, given(4, 6, 8), lambda index: Number(by=index), ctx)
        assert [outcome.index for outcome in outcomes] == [0, 1, 2]
        assert isinstance(outcomes[0].error, NodeError)
        assert outcomes[0].error.message == "ZeroDivisionError: division by zero"
        assert [outcome.outputs["out"][0].json["n"] for outcome in outcomes[1:] if outcome.outputs] == [6, 4]

    async def test_only_failing_items_are_tried_again(self):
        ctx, seen, told = TestContext(ports_out=["out"]), [], []

        async def tell(outcome: ItemOutcome) -> None:
            told.append(outcome.index)

        def params_for(index: int) -> Number:
            seen.append(index)
            return Number(by=0 if index == 1 and len(seen) < 4 else 1)

        first = await run_each(divide, given(1, 2, 3), params_for, ctx, on_outcome=tell)
        kept = {outcome.index: outcome for outcome in first}
        second = await run_each(divide, given(1, 2, 3), params_for, ctx, kept=kept, on_outcome=tell)
        assert seen == [0, 1, 2, 1]
        assert told == [0, 1, 2, 1]
        assert [outcome.error for outcome in second] == [None, None, None]

    async def test_no_more_items_run_at_once_than_asked_for_and_they_begin_in_order(self):
        begun, running, most, gate = [], 0, 0, asyncio.Event()

        @node("test.gate", title="Gate", each_item=True, concurrency=2)
        async def gated(item: Item, params: NoParams, ctx: Context):
            nonlocal running, most
            begun.append(item.json["n"])
            running += 1
            most = max(most, running)
            if running == 2:
                gate.set()
            await gate.wait()
            running -= 1
            return item

        outcomes = await run_each(gated, given(*range(10)), lambda _: NoParams(), TestContext())
        assert begun == list(range(10))
        assert most == 2
        assert [outcome.outputs["out"][0].json["n"] for outcome in outcomes if outcome.outputs] == list(range(10))

    async def test_parameters_that_fail_are_the_error_of_their_item(self):
        def params_for(index: int) -> Number:
            if index == 0:
                raise ExpressionError("no such name", where=Where(field="with.by"))
            return Number(by=-1)

        outcomes = await run_each(divide, given(1, 2), params_for, TestContext(node_id="d"))
        assert isinstance(outcomes[0].error, ExpressionError)
        assert outcomes[0].error.where == Where(node="d", field="with.by", step="d")
        assert isinstance(outcomes[1].error, InputError)
        assert outcomes[1].error.where.field == "with.by"

    async def test_each_item_has_a_key_of_its_own_and_its_log_names_it(self):
        keys = []

        @node("test.keys", title="Keys", each_item=True)
        async def keyed(item: Item, params: NoParams, ctx: Context):
            keys.append((ctx.idempotency_key, ctx.run_id))
            ctx.log("here", level="warning", more=1)

        ctx = TestContext()
        await run_each(keyed, given(5, 6), lambda _: NoParams(), ctx)
        assert keys == [(f"{ctx.idempotency_key}:0", "run"), (f"{ctx.idempotency_key}:1", "run")]
        assert ctx.logs[1] == {"message": "here", "level": "warning", "more": 1, "item": 1}

    async def test_a_cancel_ends_the_call_before_the_next_item(self):
        token, begun = TestCancelToken(), []

        async def begin(index: int) -> None:
            begun.append(index)
            token.trigger()

        with pytest.raises(NodeCancelled):
            await run_each(divide, given(1, 2), lambda _: Number(), TestContext(cancel=token), on_begin=begin)
        assert begun == [0]

    async def test_what_a_commit_raises_ends_all_workers(self):
        started, ended = asyncio.Event(), []

        @node("test.slow", title="Slow", each_item=True, concurrency=2)
        async def slow(item: Item, params: NoParams, ctx: Context):
            if item.json["n"]:
                started.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(item.json["n"])
            await started.wait()

        async def refuse(outcome: ItemOutcome) -> None:
            raise RuntimeError("lease lost")

        with pytest.raises(RuntimeError, match="lease lost"):
            await run_each(slow, given(0, 1), lambda _: NoParams(), TestContext(), on_outcome=refuse)
        assert ended == [1]

    async def test_no_items_are_no_outcomes(self):
        assert await run_each(divide, given(), lambda _: Number(), TestContext()) == []


class TestJoining:
    items = given(1, 2)
    error = NodeError("bad", code="node.bad")
    outcomes = (ItemOutcome(index=1, error=error), ItemOutcome(index=0, outputs={"rest": [items[0]]}))

    def join(self, on_error):
        return join_outcomes(self.outcomes, self.items, ports_out=["out", "rest"], on_error=on_error, node_id="d")

    def test_stop_raises_the_failure(self):
        with pytest.raises(NodeError, match="bad"):
            self.join("stop")

    def test_continue_passes_the_failed_item_on_the_first_port(self):
        said = {"code": "node.bad", "message": "bad", "node": "d", "attempt": 1}
        assert self.join("continue") == Result(
            {"out": [Item({"n": 2, "error": said}, None, self.items[1].sources)], "rest": [self.items[0]]}
        )

    def test_route_puts_it_on_the_error_port_with_its_input(self):
        result = self.join("route")
        assert result.outputs["error"] == [failed_item(self.error, self.items[1], "route", node_id="d", attempt=1)]
        assert result.outputs["error"][0].json["input"] == {"n": 2}
        assert sources(result, "error") == [[1]]


def test_any_exception_becomes_an_error_with_a_code_and_a_place():
    assert as_error(ValueError("x"), node_id="a").as_dict() == {
        "code": "node.crashed",
        "message": "ValueError: x",
        "hint": "The node raised an error that it does not declare; its log may say more.",
        "where": {"node": "a"},
    }
    assert as_error(KeyError()).message == "KeyError"
    with pytest.raises(ValidationError) as caught:
        Number(by="x")  # type: ignore[arg-type]
    assert as_error(caught.value).code == "input.params"


class TestRunNode:
    async def test_parameters_may_depend_on_the_item(self):
        run = await run_node(divide, [{"n": 4}, {"n": 9}], lambda json, index: {"by": index + 2})
        assert run.json() == [{"n": 2}, {"n": 3}]
        assert run.sources() == [[0], [1]]

    async def test_bad_parameters_are_refused(self):
        with pytest.raises(ValidationError):
            await run_node(divide, [{"n": 1}], {"by": -1})

    async def test_a_failing_item_is_raised_or_treated_as_the_graph_would(self):
        with pytest.raises(NodeError):
            await run_node(divide, [{"n": 1}], {"by": 0})
        run = await run_node(divide, [{"n": 1}], {"by": 0}, on_error="route")
        assert run.json("error")[0]["input"] == {"n": 1}

    async def test_asking_for_the_items_of_many_ports_at_once_is_an_error(self):
        @node("test.two", title="Two", ports_out=["a", "b"])
        async def two(items: Items, params: NoParams, ctx: Context):
            return {"a": [{}], "b": [{}]}

        run = await run_node(two, [{}])
        with pytest.raises(ValueError, match="name one"):
            run.json()
        assert run.json("a") == [{}]

    async def test_the_context_keeps_what_the_node_said(self):
        @node("test.says", title="Says")
        async def says(items: Items, params: NoParams, ctx: Context):
            ctx.log("hello")
            ctx.progress(0.5, "half")
            ctx.token("t")
            ref = await ctx.blobs.put(b"data", name="d")
            run = await ctx.run_graph("other", {"a": 1})
            secret = await ctx.credential("key")
            (ctx.work_dir / "file").write_text("x")
            return [{"blob": (await ctx.blobs.get(ref)).decode(), "run": run, "secret": secret["token"]}]

        run = await run_node(says, [{}], credentials={"key": {"token": "s"}})
        assert run.json() == [{"blob": "data", "run": "run-1", "secret": "s"}]
        assert run.logs == [{"message": "hello", "level": "info"}]
        assert run.progress == [(0.5, "half")]
        assert run.context.tokens == ["t"]
        assert run.context.started == [("other", {"a": 1})]
