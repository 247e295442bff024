"""The routes by which an editor runs parts of graphs, looks at what expressions would give, and at runs as a whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine_lab import Lab, graph, opened
from pyagent.graph.yaml import dump
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.server.serving import serving
from pyagent.store.base import Commit, NewEvent
from server_lab import TOKEN, client_of

pytestmark = pytest.mark.integration
CHAIN = graph({"a": {}, "b": {}, "c": {}}, ["a -> b", "b -> c"], inputs={"n": {"type": "number", "default": 1}})


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        found.file(CHAIN)
        yield found


@pytest.fixture
async def client(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    context = ServerContext(engine=lab.engine, keys=Keys(TOKEN))
    async with client_of(context) as made:
        yield made


async def started(lab: Lab, client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/runs", json={"graph": "lab", **body})
    assert answer.status_code == 201, answer.text
    await lab.drive(answer.json()["id"])
    return answer.json()


async def test_a_run_is_started_up_to_a_node_and_forked_at_the_next(lab: Lab, client: httpx.AsyncClient) -> None:
    run = await started(lab, client, until="b", inputs={"n": 5}, test=True)
    assert (run["until"], run["production"]) == ("b", False)
    kept = (await client.get("/api/v1/graphs/lab/kept", params={"node": "c"})).json()
    assert (kept["run"]["id"], kept["reached"], kept["complete"]) == (run["id"], False, True)
    fork = (
        await client.post(f"/api/v1/runs/{run['id']}/fork", json={"step": "c", "until": "c", "graph": "lab"})
    ).json()
    await lab.drive(fork["id"])
    shown = (await client.get(f"/api/v1/runs/{fork['id']}")).json()
    assert {step["step"]: step["kept"] for step in shown["steps"]} == {"a": True, "b": True, "c": False}
    step = (await client.get(f"/api/v1/runs/{fork['id']}/steps/c")).json()
    assert step["inputs"]["in"]["items"][0]["json"] == {"n": 5}
    assert step["inputs"]["in"]["items"][0]["came_from"][0]["step"] == "b"
    for body, expected in (({"until": "zzz"}, 404), ({"until": "a", "trigger": "zzz"}, 422)):
        assert (await client.post("/api/v1/runs", json={"graph": "lab", **body})).status_code == expected


async def test_a_graph_is_run_as_the_editor_has_it_unsaved(lab: Lab, client: httpx.AsyncClient) -> None:
    before = (lab.folder / "lab.yaml").read_text()
    text = dump(graph({"a": {}, "new": {}}, ["a -> new"], inputs=dict(CHAIN.inputs)))
    run = await started(lab, client, text=text)
    assert await lab.statuses(await lab.store.get_run(run["id"])) == {"a": "completed", "new": "completed"}
    assert (lab.folder / "lab.yaml").read_text() == before
    first = await started(lab, client)
    fork = await client.post(f"/api/v1/runs/{first['id']}/fork", json={"step": "new", "until": "new", "text": text})
    assert fork.status_code == 201
    other = dump(graph({"a": {}}, id="other"))
    refused = await client.post("/api/v1/runs", json={"graph": "lab", "text": other})
    assert (refused.status_code, refused.json()["where"]["field"]) == (422, "text")


async def test_an_expression_is_previewed_and_its_error_has_a_place(lab: Lab, client: httpx.AsyncClient) -> None:
    run = await started(lab, client, inputs={"n": 5})

    async def ask(**body: Any) -> dict[str, Any]:
        answer = await client.post("/api/v1/expressions/preview", json={"node": "b", "run": run["id"], **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = await ask(graph="lab", template="{{ $json.n + 1 }}")
    assert (found["ok"], found["value"], found["text"], found["reads"]) == (True, 6, "6", ["$json"])
    template = {"a.b": ["x", "one\ntwo {{ $json.x.y }}"]}
    error = (await ask(spec=CHAIN.to_data(), template=template))["error"]
    assert (error["code"], error["field"], error["line"]) == ("expr.failed", "a.b.1", 2)
    assert template["a.b"][1][error["offset"] :].startswith(("$json", ".x", "x.y", ".y", "y"))
    for body in ({}, {"graph": "lab", "spec": CHAIN.to_data()}):
        answer = await client.post("/api/v1/expressions/preview", json={"node": "b", "template": "", **body})
        assert answer.status_code == 422
    language = (await client.get("/api/v1/expressions/language")).json()["entries"]
    assert {"name": "$json", "on": "global"}.items() <= language[0].items()


async def test_a_run_is_looked_through_moment_by_moment(lab: Lab, client: httpx.AsyncClient) -> None:
    run = await started(lab, client)
    path = f"/api/v1/runs/{run['id']}/moments"
    first = (await client.get(path, params={"limit": 2})).json()
    second = (await client.get(path, params={"after": first["next"]})).json()
    assert [one["n"] for one in (*first["moments"], *second["moments"])] == [1, 2, 3, 4, 5]
    assert (first["count"], second["next"]) == (5, None)
    at = (await client.get(f"{path}/2")).json()
    assert (at["kind"], at["step"], at["steps"]) == ("step.ended", "a", {"a": "completed", "b": "running"})
    assert (await client.get(f"{path}/0")).json()["run_status"] == "queued"
    assert (await client.get(f"{path}/9")).status_code == 404


async def test_runs_are_counted_listed_and_compared(lab: Lab, client: httpx.AsyncClient) -> None:
    one = await started(lab, client, inputs={"n": 1})
    two = await started(lab, client, inputs={"n": 2}, test=True)
    figures = (await client.get("/api/v1/runs/statistics")).json()
    assert (figures["total"], figures["statuses"]) == (2, {"completed": 2})
    assert figures["graphs"][0]["last_run"]["id"] == two["id"]
    assert [day["runs"] for day in figures["days"]] == [2]
    graphs = [one["graph"], "no_such_graph"]
    last = (await client.get("/api/v1/runs/last", params={"graph": graphs, "each": 1})).json()["runs"]
    assert [run["id"] for run in last] == [two["id"]]
    assert (await client.get("/api/v1/runs/last")).status_code == 422
    tests = (await client.get("/api/v1/runs", params={"production": "false"})).json()["runs"]
    assert [run["id"] for run in tests] == [two["id"]]
    assert (await client.get("/api/v1/runs", params={"longer_than": 1000})).json()["runs"] == []
    found = (await client.get("/api/v1/runs/compare", params={"a": one["id"], "b": two["id"]})).json()
    assert (found["inputs_equal"], found["graph_changes"]) == (False, [])
    assert {step["step"]: step["outputs_equal"] for step in found["steps"]} == {"a": False, "b": False, "c": False}
    assert found["steps"][0]["a"]["items_out"] == {"out": 1}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("asked", ["runs?since", "runs?until", "runs/statistics?since"])
async def test_a_time_before_or_after_all_time_is_refused(client: httpx.AsyncClient, asked: str, moment: str) -> None:
    path, _, name = asked.partition("?")
    answer = await client.get(f"/api/v1/{path}", params={name: moment})
    assert (answer.status_code, answer.json()["code"]) == (422, "input.invalid")


async def test_a_stream_in_batches_loses_nothing_and_takes_few_messages(lab: Lab) -> None:
    run = await lab.engine.start(CHAIN)
    lease = await lab.store.claim(run.id, "worker", lab.engine.lease)
    now = await lab.store.now()
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
    cursors: list[int] = []
    messages = 0
    async with (
        serving(lab.engine, token=TOKEN, port=0, work=False) as server,
        httpx.AsyncClient(base_url=server.address, headers=headers, timeout=60) as client,
    ):
        for number in range(20):
            events = [NewEvent(kind="step.log", step="a", at=now, data={"n": number, "i": i}) for i in range(100)]
            await lab.store.commit(lease, Commit(events=events))
        last = await lab.store.last_cursor()
        after = 0
        while not cursors or cursors[-1] < last:
            # A reader that comes back with the last id that it has seen whole misses nothing.
            async with client.stream(
                "GET", f"/api/v1/runs/{run.id}/events", params={"batch": 1, "after": after}
            ) as got:
                async for line in got.aiter_lines():
                    if line.startswith("id: "):
                        after = int(line[4:])
                    if line.startswith("data: "):
                        messages += 1
                        cursors += [event["cursor"] for event in json.loads(line[6:])]
                        assert cursors[-1] == after
                        break
    kept = await lab.store.read_events(0, run.id, 10_000)
    assert cursors == [event.cursor for event in kept]
    assert messages < len(cursors) / 10
