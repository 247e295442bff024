"""Graphs over the API: lists, checks, saves that lose nobody's work, and their versions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyagent.server.context import ServerContext
from server_lab import client_of, server_of_graphs

TEXT = """\
pyagent: 1
id: greet
name: Greet  # a comment
nodes:
  - id: first
    use: data.set@1
    with: {fields: {a: 1}}
  - id: second
    use: data.set@1
    with: {fields: {b: 1}}
edges: [first -> second]
"""
ROUTE = "/api/v1/graphs/greet"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    async with server_of_graphs(tmp_path / "graphs", greet=TEXT) as made:
        yield made


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "graphs" / "greet.yaml"


async def save(client: httpx.AsyncClient, text: str, base: str, **more: Any) -> httpx.Response:
    return await client.put(ROUTE, json={"text": text, "base": base, **more})


# -- lists --------------------------------------------------------------------------------------------------------


async def test_broken_files_are_listed_with_their_problem(client: httpx.AsyncClient, file: Path) -> None:
    (file.parent / "broken.yaml").write_text("pyagent: 1\nid: [\n")
    listed = (await client.get("/api/v1/graphs")).json()["graphs"]
    assert [graph["id"] for graph in listed] == ["broken", "greet"]
    assert listed[0]["problem"]["code"] == "graph.yaml"
    assert listed[0]["problem"]["where"]["line"] in (2, 3)
    assert listed[1]["problem"] is None


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "gigabytes"])
async def test_what_is_no_file_of_a_sensible_size_is_not_read(client: httpx.AsyncClient, file: Path, kind: str) -> None:
    odd = file.parent / "odd.yaml"
    match kind:
        case "pipe":
            os.mkfifo(odd)
        case "device":
            odd.symlink_to("/dev/zero")
        case "folder":
            odd.mkdir()
        case _:
            with odd.open("wb") as made:
                made.truncate(1 << 40)
    async with asyncio.timeout(10):
        listed = (await client.get("/api/v1/graphs")).json()["graphs"]
        assert [(graph["id"], (graph["problem"] or {}).get("code")) for graph in listed] == [
            ("greet", None),
            ("odd", "graph.file"),
        ]
        read = await client.get("/api/v1/graphs/odd/text")
        assert read.status_code in (404, 422)
        assert (await client.get("/api/v1/graphs/missing")).status_code == 404


async def test_a_link_to_something_private_that_is_no_graph_is_not_read(
    client: httpx.AsyncClient, file: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "key.pem"
    secret.write_text("-----BEGIN PRIVATE KEY-----\nabcdef\n")
    (file.parent / "key.yaml").symlink_to(secret)
    read = await client.get("/api/v1/graphs/key/text")
    assert read.status_code == 422
    assert "abcdef" not in read.text


@pytest.mark.parametrize("text", [TEXT.replace("id: greet", "id: odd"), "id: [", "id: 1"])
async def test_a_name_that_is_not_utf8_is_shown_and_stops_nothing(
    client: httpx.AsyncClient, file: Path, text: str
) -> None:
    (file.parent / os.fsdecode(b"odd\xff.yaml")).write_text(text)
    listed = (await client.get("/api/v1/graphs")).json()["graphs"]
    assert [Path(graph["file"]).name for graph in listed] == ["greet.yaml", "odd\ufffd.yaml"]
    if listed[1]["problem"] is None:
        base = (await client.get("/api/v1/graphs/odd")).json()["text_hash"]
        saved = await client.put("/api/v1/graphs/odd", json={"text": f"{text}# saved\n", "base": base})
        assert Path(saved.json()["file"]).name == "odd\ufffd.yaml"
        assert (file.parent / os.fsdecode(b"odd\xff.yaml")).read_text() == f"{text}# saved\n"


async def test_graphs_are_searched_and_paged(client: httpx.AsyncClient, file: Path) -> None:
    for name in ("alpha", "beta"):
        (file.parent / f"{name}.yaml").write_text(TEXT.replace("id: greet\n", f"id: {name}\n"))
    first = (await client.get("/api/v1/graphs", params={"limit": 2})).json()
    rest = (await client.get("/api/v1/graphs", params={"limit": 2, "after": first["next"]})).json()
    assert [graph["id"] for page in (first, rest) for graph in page["graphs"]] == ["alpha", "beta", "greet"]
    assert rest["next"] is None
    found = (await client.get("/api/v1/graphs", params={"search": "ALPH"})).json()["graphs"]
    assert [graph["id"] for graph in found] == ["alpha"]


async def test_a_text_is_checked_with_its_lines_and_not_kept(client: httpx.AsyncClient) -> None:
    text = TEXT.replace("id: greet", "id: other").replace("first -> second", "first -> third")
    checked = (await client.post("/api/v1/graphs/check", json={"text": text})).json()
    assert checked["ok"] is False
    assert {problem["where"]["line"] for problem in checked["problems"]} == {11}
    assert (await client.post("/api/v1/graphs/check", json={"text": TEXT})).json()["ok"] is True
    assert (await client.post("/api/v1/graphs/check", json={"text": "{"})).json()["ok"] is False
    assert (await client.get("/api/v1/graphs/other")).status_code == 404


# -- saves --------------------------------------------------------------------------------------------------------


async def test_a_save_over_what_was_read_keeps_every_byte_and_the_files_mode(
    client: httpx.AsyncClient, file: Path
) -> None:
    file.chmod(0o640)
    read = await client.get(ROUTE)
    base = read.json()["text_hash"]
    assert read.headers["etag"] == f'"{base}"'
    text = TEXT.replace("a: 1", "a: 2").replace("\n", "\r\n")
    saved = await save(client, text, base)
    assert saved.status_code == 200
    assert saved.json()["merged"] is False
    assert file.read_bytes() == text.encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["greet.yaml"]
    again = await client.put(ROUTE, json={"text": TEXT}, headers={"If-Match": saved.headers["etag"]})
    assert again.status_code == 200
    assert file.read_text() == TEXT


async def test_a_save_that_runs_cannot_go_on_with_is_warned_of(client: httpx.AsyncClient, file: Path) -> None:
    def version(kind: str) -> str:
        return TEXT.replace("nodes:", f"state: {{seen: {{type: {kind}}}}}\nnodes:", 1)

    file.write_text(version("array"))
    base = (await client.get(ROUTE)).json()["text_hash"]
    saved = await save(client, version("string"), base)
    assert [(found["code"], found["severity"]) for found in saved.json()["problems"]] == [
        ("graph.state.unmigrated", "warning")
    ]
    again = await save(client, version("any"), saved.json()["text_hash"])
    assert again.json()["problems"] == []


async def test_changes_in_other_places_are_merged(client: httpx.AsyncClient, file: Path) -> None:
    base = (await client.get(ROUTE)).json()["text_hash"]
    file.write_text(TEXT.replace("b: 1", "b: theirs"))
    saved = await save(client, TEXT.replace("a: 1", "a: ours"), base)
    assert saved.status_code == 200
    merged = TEXT.replace("b: 1", "b: theirs").replace("a: 1", "a: ours")
    assert (saved.json()["merged"], saved.json()["text"], file.read_text()) == (True, merged, merged)


async def test_changes_in_the_same_place_are_a_conflict_and_nothing_is_written(
    client: httpx.AsyncClient, file: Path
) -> None:
    base = (await client.get(ROUTE)).json()["text_hash"]
    theirs, ours = TEXT.replace("a: 1", "a: theirs"), TEXT.replace("a: 1", "a: ours")
    file.write_text(theirs)
    refused = await save(client, ours, base)
    assert (refused.status_code, refused.json()["code"]) == (409, "graph.conflict")
    details = refused.json()["details"]
    assert (details["theirs"], details["ours"]) == (theirs, ours)
    [conflict] = details["conflicts"]
    assert conflict["path"] == "nodes.first.with.fields.a"
    assert (conflict["base"], conflict["ours"], conflict["theirs"]) == (1, "ours", "theirs")
    assert file.read_text() == theirs
    assert (await save(client, ours, details["hash"])).status_code == 200
    assert file.read_text() == ours


async def test_a_base_that_nobody_knows_may_be_sent_along(
    server: ServerContext, client: httpx.AsyncClient, file: Path
) -> None:
    base = (await client.get(ROUTE)).json()["text_hash"]
    server.texts.__init__()
    file.write_text(TEXT.replace("b: 1", "b: theirs"))
    ours = TEXT.replace("a: 1", "a: ours")
    unknown = await save(client, ours, base)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "graph.base_unknown")
    wrong = await save(client, ours, base, base_text=TEXT + "# not it\n")
    assert wrong.json()["code"] == "graph.base_unknown"
    assert (await save(client, ours, base, base_text=TEXT)).json()["merged"] is True


async def test_of_many_saves_at_once_none_is_lost(client: httpx.AsyncClient, file: Path) -> None:
    many = TEXT.replace("edges: [first -> second]\n", "") + "".join(
        f"  - id: n{number}\n    use: data.set@1\n    with: {{fields: {{v: 0}}}}\n" for number in range(8)
    )
    file.write_text(many)
    base = (await client.get(ROUTE)).json()["text_hash"]

    def changed(number: int) -> str:
        head, _, tail = many.partition(f"id: n{number}\n")
        return f"{head}id: n{number}\n{tail.replace('v: 0', f'v: {number + 10}', 1)}"

    answers = await asyncio.gather(*(save(client, changed(number), base) for number in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    spec = (await client.get(ROUTE)).json()["spec"]
    assert [node["with"]["fields"]["v"] for node in spec["nodes"][2:]] == [number + 10 for number in range(8)]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": TEXT}, 428, "graph.base_missing"),
        ({"text": TEXT.replace("id: greet", "id: other"), "base": "0" * 64}, 422, "graph.id.changed"),
        ({"text": "pyagent: [", "base": "0" * 64}, 422, "graph.yaml"),
        ({"text": TEXT, "base": "nonsense"}, 422, "input.invalid"),
        ({"text": "\ud800", "base": "0" * 64}, 422, "input.invalid"),
    ],
)
async def test_a_save_that_does_not_fit_changes_nothing(
    client: httpx.AsyncClient, file: Path, body: dict[str, Any], status: int, code: str
) -> None:
    import json

    answer = await client.put(ROUTE, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert file.read_text() == TEXT


async def test_a_broken_file_can_be_read_and_mended(client: httpx.AsyncClient, file: Path) -> None:
    file.write_text("pyagent: [\n")
    assert (await client.get(ROUTE)).status_code == 422
    read = await client.get(f"{ROUTE}/text")
    assert read.text == "pyagent: [\n"
    mended = await client.put(ROUTE, json={"text": TEXT}, headers={"If-Match": read.headers["etag"]})
    assert mended.status_code == 200
    assert file.read_text() == TEXT


async def test_a_link_out_of_the_library_is_not_written_through(
    client: httpx.AsyncClient, file: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(TEXT)
    file.unlink()
    file.symlink_to(outside)
    base = (await client.get(ROUTE)).json()["text_hash"]
    refused = await save(client, TEXT.replace("a: 1", "a: 2"), base)
    assert (refused.status_code, refused.json()["code"]) == (409, "graph.read_only")
    assert outside.read_text() == TEXT
    inside = file.parent / "real.txt"
    inside.write_text(TEXT)
    file.unlink()
    file.symlink_to(inside)
    assert (await save(client, TEXT.replace("a: 1", "a: 2"), base)).status_code == 200
    assert file.is_symlink()
    assert "a: 2" in inside.read_text()


async def test_a_save_of_a_graph_that_came_with_pyagent_makes_a_copy(
    server: ServerContext, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, own = tmp_path / "ready_graphs", tmp_path / "mine"
    (tmp_path / "graphs").rename(ready)
    monkeypatch.setattr("pyagent.runtime.library._ready_folders", lambda: (ready, ready))
    # The folder that new graphs go to need not be there yet.
    server.engine.library.folders[:] = [own, ready]
    before = (await client.get(ROUTE)).json()
    assert before["ready_made"]
    saved = await save(client, TEXT.replace("a: 1", "a: 2"), before["text_hash"])
    assert (saved.status_code, saved.json()["ready_made"]) == (200, False)
    assert (ready / "greet.yaml").read_text() == TEXT
    assert (own / "greet.yaml").read_text() == TEXT.replace("a: 1", "a: 2")
    again = await save(client, TEXT.replace("a: 1", "a: 3"), saved.json()["text_hash"])
    assert again.status_code == 200
    assert [graph["file"] for graph in (await client.get("/api/v1/graphs")).json()["graphs"]] == [
        str(own / "greet.yaml")
    ]


async def test_a_list_has_what_a_small_picture_of_each_graph_needs(client: httpx.AsyncClient, file: Path) -> None:
    file.write_text(f"{TEXT}layout: {{first: [10, 20]}}\n")
    [listed] = (await client.get("/api/v1/graphs")).json()["graphs"]
    assert listed["outline"] == {
        "nodes": [{"domain": "data", "at": [10, 20]}, {"domain": "data", "at": None}],
        "edges": [[0, 1]],
    }


# -- making and deleting ------------------------------------------------------------------------------------------


async def test_a_graph_is_made_once_and_deleted_as_it_was_seen(client: httpx.AsyncClient, file: Path) -> None:
    text = TEXT.replace("id: greet\n", "id: made\n")
    made = await client.post("/api/v1/graphs", json={"text": text})
    assert made.status_code == 201
    assert (file.parent / "made.yaml").read_text() == text
    again = await client.post("/api/v1/graphs", json={"text": text})
    assert (again.status_code, again.json()["code"]) == (409, "graph.exists")
    route = "/api/v1/graphs/made"
    assert (await client.delete(route)).status_code == 428
    assert (await client.delete(route, headers={"If-Match": '"' + "0" * 64 + '"'})).status_code == 409
    assert (await client.delete(route, headers={"If-Match": made.headers["etag"]})).status_code == 204
    assert not (file.parent / "made.yaml").exists()
    versions = (await client.get(f"{route}/versions")).json()["versions"]
    kept = (await client.get(f"{route}/versions/{versions[0]['hash']}")).json()
    assert kept["text"] == text


async def test_what_was_saved_and_what_was_saved_over_are_versions(client: httpx.AsyncClient) -> None:
    read = (await client.get(ROUTE)).json()
    saved = (await save(client, TEXT.replace("a: 1", "a: 2"), read["text_hash"])).json()
    versions = (await client.get(f"{ROUTE}/versions")).json()["versions"]
    assert [version["hash"] for version in versions] == [saved["hash"], read["hash"]]
    for params in ({"old": read["hash"]}, {"old": read["hash"], "new": saved["hash"]}):
        [change] = (await client.get(f"{ROUTE}/diff", params=params)).json()["changes"]
        assert (change["path"], change["old"], change["new"]) == ("nodes.first.with.fields.a", 1, 2)
    other = await client.get(f"/api/v1/graphs/other/versions/{read['hash']}")
    assert other.status_code == 404
