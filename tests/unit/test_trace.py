"""W3C trace context: what is read, what is handed on, and where it goes through a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine_lab import Lab, graph, opened
from pyagent.cli.commands import run as pyagent
from pyagent.runtime.trace import RunTrace, TraceContext, read_labels, span_of
from pyagent.sdk import Context, Items
from pyagent.testing import run_node
from pyagent_nodes.code.python import python
from pyagent_nodes.code.shell import shell

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=a:1,other=2"}


def test_a_context_is_read_and_handed_on_as_it_came() -> None:
    found = TraceContext.read(GIVEN)
    assert found == TraceContext(trace_id=TRACE, span_id=SPAN, sampled=True, state="vendor=a:1,other=2")
    assert found.headers() == GIVEN
    assert read_labels({**GIVEN, "other": "header"}) == GIVEN


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE[:-1]}x-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
    ],
)
def test_a_broken_context_is_none(broken: str) -> None:
    assert TraceContext.read({"traceparent": broken}) is None
    assert read_labels({"traceparent": broken}) == {}


def test_a_later_version_may_say_more_and_a_long_or_broken_state_is_left_out() -> None:
    later = TraceContext.read({"traceparent": f"01-{TRACE}-{SPAN}-00-more", "tracestate": "x" * 513})
    assert later == TraceContext(trace_id=TRACE, span_id=SPAN, sampled=False, state="")
    assert TraceContext.read({**GIVEN, "tracestate": "a=\n1"}) == TraceContext(trace_id=TRACE, span_id=SPAN)


def test_who_makes_no_spans_hands_on_what_came() -> None:
    given = TraceContext.read(GIVEN)
    assert RunTrace(run_id="r", given=given, sampled=None).headers("a", 1) == GIVEN
    assert RunTrace(run_id="r", given=None, sampled=None).headers("a", 1) == {}


def test_who_makes_spans_hands_on_those() -> None:
    alone = RunTrace(run_id="r", given=None, sampled=True)
    assert alone.headers("a", 1) == alone.headers("a", 1) != alone.headers("a", 2)
    assert alone.headers("a", 1)["traceparent"].split("-")[2] == span_of("r", "a", 1)
    within = RunTrace(run_id="r", given=TraceContext.read(GIVEN), sampled=False).headers("a", 1)
    assert within == {"traceparent": f"00-{TRACE}-{span_of('r', 'a', 1)}-00", "tracestate": "vendor=a:1,other=2"}


@pytest.fixture
async def lab(tmp_path: Path) -> Any:
    async with opened(tmp_path) as found:
        yield found


async def test_a_run_hands_the_trace_that_it_was_started_in_to_its_nodes_and_forks(lab: Lab) -> None:
    seen: list[Any] = []

    @lab.on("a")
    async def act(items: Items, ctx: Context) -> Items:
        seen.append(dict(ctx.trace))
        return items

    spec = lab.file(graph({"a": {}}))
    run = await lab.run(spec, labels=read_labels(GIVEN))
    alone = await lab.run(spec)
    fork = await lab.engine.fork(run.id, "a")
    await lab.engine.drive(fork.id)

    assert seen == [GIVEN, {}, GIVEN]
    assert dict(run.labels) == GIVEN
    assert dict(alone.labels) == {}


def test_pyagent_run_is_part_of_the_trace_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "told.yaml"
    file.write_text(
        "pyagent: 1\nid: told\noutputs: {trace: \"{{ $('a').first().json.stdout }}\"}\n"
        "nodes: [{id: a, use: code.shell@1, with: {script: 'printf %s \"$TRACEPARENT\"'}}]\n"
    )
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("TRACEPARENT", GIVEN["traceparent"])
    monkeypatch.setenv("TRACESTATE", GIVEN["tracestate"])
    assert pyagent(["run", str(file), "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["run"]["outputs"] == {"trace": GIVEN["traceparent"]}


async def test_programs_get_the_trace_in_their_environment_unless_the_graph_says_another() -> None:
    code = "import os\nreturn [{'trace': os.environ.get('TRACEPARENT'), 'state': os.environ.get('TRACESTATE')}]"
    found = await run_node(python, [{}], {"code": code}, trace=GIVEN)
    assert found.json() == [{"trace": GIVEN["traceparent"], "state": GIVEN["tracestate"]}]
    other = await run_node(python, [{}], {"code": code, "env": {"TRACEPARENT": "mine"}}, trace=GIVEN)
    assert other.json()[0]["trace"] == "mine"
    said = await run_node(shell, [{}], {"script": 'printf %s "$TRACEPARENT"'}, trace=GIVEN)
    assert said.json() == [{"exit_code": 0, "stdout": GIVEN["traceparent"]}]
