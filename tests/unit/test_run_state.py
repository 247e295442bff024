"""The fold of a run's log where there is much of it: large maps, and maps inside maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyagent.graph.spec import GraphSpec
from pyagent.runtime.log import Entry, StepKey, items_of
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Items
from pyagent.sdk.registry import Registry

ADD: dict[str, Any] = {"id": "add", "use": "data.set@1", "with": {}}
EACH = StepKey("", "each")


def state_of(nodes: list[dict[str, Any]], load: Callable[[str], Program] | None = None) -> RunState:
    """A run of these nodes that has just begun."""
    spec = GraphSpec.model_validate({"pyagent": 1, "id": "case", "nodes": nodes})
    state = RunState(Program(spec, Registry.installed()), load)
    state.apply(Entry("run.started", None, {"inputs": {}, "trigger": "", "at": ""}))
    return state


def mapped(*body: dict[str, Any], id: str = "each", **more: Any) -> dict[str, Any]:
    return {"id": id, "use": "flow.map@1", "body": {"nodes": list(body)}, **more}


def expanded(step: StepKey, elements: list[Items], **more: Any) -> Entry:
    data = {"kind": "map", "parallel": 8, "on_error": "stop", **more}
    return Entry("step.expanded", step, data, {str(number): items for number, items in enumerate(elements)})


def ended(step: StepKey, outputs: Items | None = None, **more: Any) -> Entry:
    given = {"out": outputs} if outputs is not None else {}
    return Entry("step.ended", step, {"status": "completed", "attempt": 1, **more}, given)


def numbered(count: int) -> list[Items]:
    return [items_of([{"n": number}]) for number in range(count)]


def test_of_a_maps_ended_elements_only_their_results_are_left() -> None:
    state = state_of([mapped(ADD)])
    ready = state.apply(expanded(EACH, numbered(1000))).ready

    for _ in range(1000):
        step = ready.pop(0)
        changes = state.apply(ended(step, state.inputs_of(step)["in"]))
        ready.extend(changes.ready)
        assert len(state.frames) <= 10
        assert len(state.outcomes) <= 2
        assert len(state.deliveries) <= 10

    assert changes.expanded == [EACH]
    outputs = state.outcomes[EACH].outputs["out"]
    assert [item.json["n"] for item in outputs] == list(range(1000))
    assert [source.item for item in outputs for source in item.sources] == list(range(1000))


def test_elements_that_are_all_refused_end_one_after_the_other() -> None:
    called = Program(
        GraphSpec.model_validate({"pyagent": 1, "id": "called", "nodes": [ADD]}),
        Registry.installed(),
    )
    state = state_of([{"id": "each", "use": "flow.map@1", "with": {"graph": "called"}}], lambda _: called)
    refused = {str(number): {"code": "input.missing", "message": "no"} for number in range(3000)}

    changes = state.apply(expanded(EACH, numbered(3000), graph="hash", on_error="skip", refused=refused))

    assert changes.expanded == [EACH]
    assert state.outcomes[EACH].outputs == {}


def test_who_records_the_end_of_an_element_may_look_at_what_was_in_it() -> None:
    state = state_of([mapped(mapped(ADD, id="inner"))])
    (inner,) = state.apply(expanded(EACH, numbered(1))).ready
    (step,) = state.apply(expanded(inner, numbered(1))).ready

    changes = state.apply(ended(step, items_of([{"n": 1}])))

    assert changes.expanded == [inner, EACH]
    assert [item.json for item in state.outcomes[inner].outputs["out"]] == [{"n": 1}]
    state.apply(Entry("run.ended", None, {"status": "completed"}))
    assert inner not in state.outcomes
    assert list(state.frames) == [""]


def test_a_failing_element_ends_its_own_open_steps_in_the_order_in_which_they_became_ready() -> None:
    side = {**ADD, "id": "side"}
    state = state_of([mapped(ADD, side, mapped(ADD | {"id": "deep"}, id="inner"))])
    state.apply(expanded(EACH, numbered(3), on_error="skip"))
    inner = StepKey("each[1]", "inner")
    state.apply(expanded(inner, numbered(2)))

    failed = {"status": "failed", "attempt": 1, "error": {"code": "x", "message": "it failed"}}
    changes = state.apply(Entry("step.ended", StepKey("each[1]", "side"), failed))

    assert [str(step) for step, _ in changes.cancel] == [
        "each[1]/add",
        "each[1]/side",
        "each[1]/inner",
        "each[1]/inner[0]/deep",
        "each[1]/inner[1]/deep",
    ]
    assert {step.frame for step in state.startable} == {"", "each[0]", "each[2]"}
    assert inner not in state.expansions
