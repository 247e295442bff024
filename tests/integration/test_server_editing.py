"""Editors over the API: texts follow graphs, merges, comparisons, the stream of changes, history."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyagent.runtime.graph_files import text_hash
from pyagent.server.context import ServerContext
from pyagent.server.serving import serving
from server_lab import TOKEN, client_of, server_of_graphs

TEXT = """\
pyagent: 1
id: greet
name: Greet  # a comment
nodes:
  - id: first
    use: data.set@1
    with: {fields: {a: 1}}  # what it sets
  - id: second
    use: data.set@1
    with: {fields: {b: 1}}
edges: [first -> second]
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    async with server_of_graphs(tmp_path / "graphs", greet=TEXT) as made:
        yield made


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as made:
        yield made


async def edit(client: httpx.AsyncClient, text: str, spec: Any = None) -> dict[str, Any]:
    answer = await client.post("/api/v1/graphs/edit", json={"text": text, "spec": spec})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_text_is_read_with_all_that_an_editor_draws(client: httpx.AsyncClient) -> None:
    found = await edit(client, TEXT)
    assert (found["ok"], found["text"]) == (True, TEXT)
    assert found["spec"]["nodes"][0]["id"] == "first"
    assert found["nodes"]["first"] == {
        "title": "Set fields",
        "installed": True,
        "kind": "action",
        "trigger": False,
        "effects": "none",
        "ports_in": ["in"],
        "ports_out": ["out"],
        "ports_known": True,
        "owner": None,
        "loop_header": False,
        "back_edges": [],
    }


async def test_an_edit_of_the_data_changes_only_its_lines(client: httpx.AsyncClient) -> None:
    spec = (await edit(client, TEXT))["spec"]
    spec["nodes"][1]["with"]["fields"]["b"] = 2
    assert (await edit(client, TEXT, spec))["text"] == TEXT.replace("b: 1", "b: 2")


async def test_a_save_takes_the_data_instead_of_the_text(client: httpx.AsyncClient) -> None:
    graph = (await client.get("/api/v1/graphs/greet")).json()
    spec = graph["spec"] | {"name": "Hello"}
    saved = await client.put("/api/v1/graphs/greet", json={"spec": spec, "base": graph["text_hash"]})
    assert saved.json()["text"] == TEXT.replace("name: Greet", "name: Hello")


async def test_a_save_takes_exactly_one_of_text_and_data(client: httpx.AsyncClient) -> None:
    bodies: list[dict[str, Any]] = [{}, {"text": TEXT, "spec": {}}]
    for body in bodies:
        assert (await client.put("/api/v1/graphs/greet", json=body)).status_code == 422


# -- editing ------------------------------------------------------------------------------------------------------


async def test_data_that_is_no_graph_leaves_the_text_and_says_where_it_is_wrong(client: httpx.AsyncClient) -> None:
    spec = (await edit(client, TEXT))["spec"]
    del spec["nodes"][1]["use"]
    spec["nodes"][0]["disbled"] = True
    found = await edit(client, TEXT, spec)
    assert (found["ok"], found["text"], found["spec"], found["hash"], found["nodes"]) == (False, TEXT, None, None, {})
    assert [(one["path"], one["where"].get("line")) for one in found["problems"]] == [
        (["nodes", 0, "disbled"], None),
        (["nodes", 1, "use"], None),
    ]
    assert found["problems"][0]["fix"] == {
        "title": "Rename to disabled",
        "edits": [
            {"path": ["nodes", 0, "disbled"], "value": None, "remove": True},
            {"path": ["nodes", 0, "disabled"], "value": True, "remove": False},
        ],
    }


@pytest.mark.parametrize(
    "spec",
    ['{"pyagent": 1, "id": "a", "layout": {"x": [NaN, 0]}}', '{"pyagent": 1, "id": "a", "name": "\\ud800"}', "{}"],
)
async def test_data_that_no_file_can_hold_is_a_problem(client: httpx.AsyncClient, spec: str) -> None:
    body = '{"text": "", "spec": ' + spec + "}"
    answer = await client.post(
        "/api/v1/graphs/edit", content=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["ok"] is False
    assert answer.json()["problems"][0]["code"] == "graph.schema"


async def test_a_text_that_is_no_yaml_is_told_with_its_line(client: httpx.AsyncClient) -> None:
    found = await edit(client, "pyagent: 1\nid: [\n")
    assert (found["ok"], found["spec"]) == (False, None)
    assert found["problems"][0]["where"]["line"] in (2, 3)


async def test_an_empty_text_becomes_a_new_file(client: httpx.AsyncClient) -> None:
    spec = {"pyagent": 1, "id": "fresh", "nodes": [{"id": "a", "use": "flow.noop@1"}]}
    found = await edit(client, "", spec)
    assert found["text"] == "pyagent: 1\nid: fresh\nnodes:\n  - id: a\n    use: flow.noop@1\n"
    made = await client.post("/api/v1/graphs", json={"spec": spec})
    assert (made.status_code, made.json()["text"]) == (201, found["text"])


async def test_nodes_are_told_by_their_parameters_and_their_edges(client: httpx.AsyncClient) -> None:
    text = """\
pyagent: 1
id: shapes
nodes:
  - {id: start, use: flow.manual@1}
  - {id: switch, use: flow.switch@1, with: {rules: [{when: "{{ true }}", to: high}]}}
  - {id: again, use: flow.loop@1}
  - {id: work, use: io.http@1, with: {url: "http://x", method: POST}, on_error: route}
  - {id: strange, use: some.thing@2}
  - id: each
    use: flow.map@1
    body: {nodes: [{id: inner, use: flow.noop@1}]}
edges:
  - start -> switch
  - switch.high -> again
  - again.loop -> work
  - work -> again
  - work.error -> strange.left
  - strange.odd -> each
"""
    nodes = (await edit(client, text))["nodes"]
    assert [name for name, node in nodes.items() if node["trigger"]] == ["start"]
    assert nodes["switch"]["ports_out"] == ["high", "rest"]
    assert nodes["again"]["loop_header"] is True
    assert nodes["again"]["back_edges"] == ["work -> again"]
    assert nodes["work"]["ports_out"][-1] == "error"
    assert nodes["work"]["effects"] == "once"
    assert nodes["inner"]["owner"] == "each"
    assert {key: nodes["strange"][key] for key in ("installed", "ports_in", "ports_out", "ports_known", "title")} == {
        "installed": False,
        "ports_in": ["left"],
        "ports_out": ["odd"],
        "ports_known": False,
        "title": "some.thing",
    }


# -- saving -------------------------------------------------------------------------------------------------------


async def test_a_save_of_data_over_a_file_that_was_changed_elsewhere_is_merged(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    graph = (await client.get("/api/v1/graphs/greet")).json()
    file = tmp_path / "graphs" / "greet.yaml"
    file.write_text(TEXT.replace("b: 1", "b: 7"))
    saved = await client.put(
        "/api/v1/graphs/greet", json={"spec": graph["spec"] | {"name": "Hello"}, "base": graph["text_hash"]}
    )
    assert saved.json()["merged"] is True
    assert file.read_text() == TEXT.replace("b: 1", "b: 7").replace("name: Greet", "name: Hello")


async def test_a_conflict_has_all_that_a_merge_view_shows(client: httpx.AsyncClient, tmp_path: Path) -> None:
    graph = (await client.get("/api/v1/graphs/greet")).json()
    theirs = TEXT.replace("name: Greet", "name: Theirs")
    (tmp_path / "graphs" / "greet.yaml").write_text(theirs)
    spec = graph["spec"] | {"name": "Ours"}
    refused = await client.put("/api/v1/graphs/greet", json={"spec": spec, "base": graph["text_hash"]})
    assert refused.status_code == 409
    assert refused.json()["code"] == "graph.conflict"
    details = refused.json()["details"]
    assert (details["base"], details["ours"]) == (TEXT, TEXT.replace("name: Greet", "name: Ours"))
    assert (details["theirs"], details["with_theirs"]) == (theirs, theirs)
    assert {name: spec["name"] for name, spec in details["specs"].items()} == {
        "base": "Greet",
        "ours": "Ours",
        "theirs": "Theirs",
        "with_ours": "Ours",
        "with_theirs": "Theirs",
    }
    [conflict] = details["conflicts"]
    assert (conflict["path"], conflict["parts"], conflict["absent"]) == ("name", ["name"], [])
    assert (conflict["base"], conflict["ours"], conflict["theirs"]) == ("Greet", "Ours", "Theirs")


async def test_data_based_on_a_text_that_nobody_knows_needs_that_text(client: httpx.AsyncClient) -> None:
    graph = (await client.get("/api/v1/graphs/greet")).json()
    refused = await client.put("/api/v1/graphs/greet", json={"spec": graph["spec"], "base": "0" * 64})
    assert (refused.status_code, refused.json()["code"]) == (409, "graph.base_unknown")


async def test_a_copy_has_another_id_and_the_comments(client: httpx.AsyncClient, tmp_path: Path) -> None:
    made = await client.post("/api/v1/graphs/greet/duplicate", json={"id": "greet_2", "name": "Greet again"})
    assert made.status_code == 201
    wanted = TEXT.replace("id: greet", "id: greet_2").replace("name: Greet", "name: Greet again")
    assert (tmp_path / "graphs" / "greet_2.yaml").read_text() == wanted
    assert (await client.post("/api/v1/graphs/greet/duplicate", json={"id": "greet_2"})).json()[
        "code"
    ] == "graph.exists"
    assert (await client.post("/api/v1/graphs/nobody/duplicate", json={"id": "b"})).status_code == 404


async def test_a_file_gets_another_name_and_no_other_file_is_lost(client: httpx.AsyncClient, tmp_path: Path) -> None:
    folder = tmp_path / "graphs"
    (folder / "taken.yaml").write_text("mine")
    base = (await client.get("/api/v1/graphs/greet")).json()["text_hash"]

    async def rename(file: str, base: str) -> httpx.Response:
        return await client.post(
            "/api/v1/graphs/greet/rename-file", json={"file": file}, headers={"If-Match": f'"{base}"'}
        )

    assert (await rename("taken.yaml", base)).json()["code"] == "graph.exists"
    assert (await rename("hello.yaml", "0" * 64)).json()["code"] == "graph.conflict"
    assert (await rename("../hello.yaml", base)).status_code == 422
    renamed = await rename("hello.yml", base)
    assert (renamed.status_code, Path(renamed.json()["file"]).name) == (200, "hello.yml")
    assert (await rename("hello.yml", base)).status_code == 200
    assert sorted(path.name for path in folder.iterdir()) == ["hello.yml", "taken.yaml"]
    assert (folder / "taken.yaml").read_text() == "mine"


# -- merging and comparing ----------------------------------------------------------------------------------------


async def test_texts_and_data_are_merged_and_conflicts_take_their_side(client: httpx.AsyncClient) -> None:
    ours = (await edit(client, TEXT))["spec"] | {"name": "Ours"}
    theirs = TEXT.replace("name: Greet", "name: Theirs").replace("b: 1", "b: 9")
    answer = await client.post("/api/v1/graphs/merge", json={"base": TEXT, "ours": ours, "theirs": theirs})
    found = answer.json()
    assert (found["clean"], found["spec"]["name"], found["with_ours_spec"]["name"]) == (False, "Theirs", "Ours")
    assert found["with_ours_spec"]["nodes"][1]["with"]["fields"]["b"] == 9
    assert [conflict["path"] for conflict in found["conflicts"]] == ["name"]
    assert "<<<<<<<" in found["marked"]


async def test_what_does_not_merge_is_an_error_that_names_it(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/graphs/merge", json={"base": TEXT, "ours": "a: [", "theirs": TEXT})
    assert (answer.status_code, answer.json()["where"]["file"]) == (422, "ours")
    answer = await client.post("/api/v1/graphs/merge", json={"base": TEXT, "ours": {"id": 1}, "theirs": TEXT})
    assert (answer.status_code, answer.json()["code"]) == (422, "graph.schema")


async def test_texts_are_compared_with_what_only_moved_apart(client: httpx.AsyncClient) -> None:
    old, new = f"{TEXT}layout:\n  first: [0, 0]\n", f"{TEXT}layout:\n  first: [5, 5]\n".replace("b: 1", "b: 2")
    changes = (await client.post("/api/v1/graphs/diff", json={"old": old, "new": new})).json()["changes"]
    assert [(change["kind"], change["path"]) for change in changes] == [
        ("changed", "nodes.second.with.fields.b"),
        ("moved", "layout.first"),
    ]


# -- history ------------------------------------------------------------------------------------------------------


async def test_saved_versions_are_history_and_can_be_read_again(client: httpx.AsyncClient) -> None:
    graph = (await client.get("/api/v1/graphs/greet")).json()
    text = TEXT.replace("b: 1", "b: 2")
    await client.put("/api/v1/graphs/greet", json={"text": text, "base": graph["text_hash"]})
    entries = (await client.get("/api/v1/graphs/greet/history")).json()["entries"]
    assert {entry["source"] for entry in entries} == {"store"}
    assert {entry["text_hash"] for entry in entries} >= {graph["text_hash"]}
    shown = (await client.get(f"/api/v1/graphs/greet/history/{graph['hash']}")).json()
    assert (shown["text"], shown["spec"]["id"]) == (TEXT, "greet")
    assert (await client.get(f"/api/v1/graphs/greet/history/{'0' * 40}")).status_code == 404
    assert (await client.get("/api/v1/graphs/greet/history/HEAD")).status_code == 422


# -- watching -----------------------------------------------------------------------------------------------------


async def messages(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """The stream's messages as they come: their event's name and data."""
    name = "message"
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
            name = "message"


async def test_changes_of_files_are_a_stream_that_says_when_it_begins(server: ServerContext, tmp_path: Path) -> None:
    async with serving(server.engine, token=TOKEN, port=0, work=False) as made:
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(base_url=made.address, headers=headers, timeout=30) as client,
            client.stream("GET", "/api/v1/graphs/watch") as answer,
        ):
            found = messages(answer)
            assert await anext(found) == ("ready", {})
            text = f"{TEXT}# changed\n"
            (tmp_path / "graphs" / "greet.yaml").write_text(text)
            async for name, change in found:
                assert (name, change["graph"], change["kind"]) == ("message", "greet", "changed")
                if change["text_hash"] == text_hash(text):
                    break
            (tmp_path / "graphs" / "greet.yaml").unlink()
            async for _, change in found:
                if change["kind"] == "removed":
                    assert change["text_hash"] is None
                    break


async def test_a_graph_that_is_called_watch_is_found_at_that_address(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "graphs" / "watch.yaml").write_text(TEXT.replace("id: greet", "id: watch"))
    assert (await client.get("/api/v1/graphs/watch")).json()["id"] == "watch"


@pytest.mark.parametrize("levels", [65, 300, 800])
async def test_data_that_is_nested_too_deep_is_a_problem_and_no_failure(client: httpx.AsyncClient, levels: int) -> None:
    deep: Any = 1
    for _ in range(levels):
        deep = [deep]
    spec = {"pyagent": 1, "id": "greet", "nodes": [{"id": "first", "use": "data.set@1", "with": {"fields": deep}}]}
    found = await edit(client, TEXT, spec)
    assert (found["ok"], found["text"], found["spec"]) == (False, TEXT, None)
    assert "nested deeper" in found["problems"][0]["message"]
    made = await client.post("/api/v1/graphs", json={"spec": {**spec, "id": "other"}})
    assert made.status_code == 422
    for body in ({"template": deep}, {"template": "{{ 1 }}", "inputs": {"a": deep}}):
        asked = await client.post("/api/v1/expressions/preview", json={"graph": "greet", "node": "first", **body})
        assert (asked.status_code, asked.json()["code"]) == (422, "input.invalid")


async def test_data_that_no_yaml_can_say_is_a_problem(client: httpx.AsyncClient) -> None:
    spec = {"pyagent": 1, "id": "greet", "nodes": [{"id": "first", "use": "data.set@1", "with": {"k" * 1100: 1}}]}
    for text in ("", TEXT):
        found = await edit(client, text, spec)
        assert (found["ok"], found["text"]) == (False, text)
        assert found["problems"]


async def test_a_preview_of_half_a_surrogate_pair_is_refused(client: httpx.AsyncClient) -> None:
    for template in ('"\\ud800"', '{"\\udc00": 1}'):
        body = f'{{"graph": "greet", "node": "first", "template": {template}}}'
        asked = await client.post(
            "/api/v1/expressions/preview", content=body, headers={"content-type": "application/json"}
        )
        assert (asked.status_code, asked.json()["code"]) == (422, "input.invalid")
