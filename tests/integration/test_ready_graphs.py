"""The ready graphs of a first day, on real data: files converted, an API as a workbook, a repository at night.

Where a graph names a folder of its own (what it watches), the tests use a copy with another one, as a user would.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from openpyxl import Workbook, load_workbook

from pyagent.graph.yaml import load_file
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Registry
from pyagent.store.sqlite import SqliteStore
from pyagent.testing import HttpReply, HttpRequest, HttpServer
from server_process import PYAGENT, ServerProcess, environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
GRAPHS = ROOT / "graphs"
WORKER = ROOT / "tests" / "programs" / "engine_worker.py"
READY = ["convert_folder", "api_to_spreadsheet", "nightly_check"]
LEASE = 0.5
PATIENCE = 60


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    yield Engine(store, library=GraphLibrary([GRAPHS]), lease=timedelta(seconds=LEASE))
    await store.close()


async def outputs(engine: Engine, graph: str, **inputs: Any) -> dict[str, Any]:
    run = await engine.run(graph, inputs)
    assert run.status == "completed", run.error
    found = await engine.outputs(run.id)
    assert found is not None
    return found


@pytest.mark.parametrize("name", READY)
def test_a_ready_graph_explains_its_inputs_and_has_no_problems(name: str) -> None:
    document = load_file(GRAPHS / f"{name}.yaml")
    assert [problem.as_dict() for problem in GraphChecker(Registry.installed()).check(document)] == []
    for graph_input in document.spec.inputs.values():
        assert graph_input["title"]
        assert graph_input.get("description") or graph_input["type"] in ("number", "string")
        assert "default" in graph_input
    assert document.spec.description


# convert_folder


def components() -> list[dict[str, Any]]:
    """What ruff is made of, as its wheel says (CycloneDX): some hundred objects, nested, of a published package."""
    wheel = distribution("ruff")
    [path] = [file for file in wheel.files or () if file.name.endswith("cyclonedx.json")]
    return json.loads(Path(str(wheel.locate_file(path))).read_text())["components"]


ROWS = [
    {"id": number, "name": f"Zoë {number} ñ 東京 🐍", "day": f"20{number % 40 + 10}-02-{number % 28 + 1:02}",
     "share": number / 8, "code": f"{number:05}", "note": 'a "quoted", text\nof two lines' if number % 9 == 0 else "x"}
    for number in range(10_000)
]  # fmt: skip


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def fill(folder: Path) -> None:
    """Ten good files, five that cannot be converted, one of another kind."""
    folder.mkdir(parents=True)
    parts = components()
    (folder / "parts.json").write_text(json.dumps(parts))
    (folder / "parts.yaml").write_text(yaml.safe_dump(parts, allow_unicode=True))
    (folder / "parts.jsonl").write_text("".join(json.dumps(part) + "\n" for part in parts))
    (folder / "Zeilen größer [1].csv").write_text(as_csv(ROWS))
    (folder / "semicolons.CSV").write_text(as_csv(ROWS[:50], ";"), encoding="utf-8-sig")
    (folder / "tabs.tsv").write_text(as_csv(ROWS[:50], "\t"), encoding="utf-16")
    for number in range(4):
        book = Workbook(write_only=True)
        page = book.create_sheet("Numbers")
        page.append(["n", "square"])
        for n in range(100):
            page.append([n, n * n + number])
        book.save(folder / f"book{number}.xlsx")
    (folder / "cut off.json").write_text('[{"a": 1}, {"a":')
    (folder / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (folder / "old.csv").write_bytes("Straße\nKöln\n".encode("cp1252"))
    (folder / "empty.csv").touch()
    (folder / "page.xlsx").write_text("<html>not found</html>")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.csv").write_text("a\n1\n")
    (folder / "inside").mkdir()
    (folder / "inside" / "deep.csv").write_text("a\n1\n")


GOOD = {"parts.json", "parts.yaml", "parts.jsonl", "Zeilen größer [1].csv", "semicolons.CSV", "tabs.tsv"} | {
    f"book{number}.xlsx" for number in range(4)
}
BAD = {"cut off.json", "ragged.csv", "old.csv", "empty.csv", "page.xlsx"}


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


async def test_a_folder_is_converted_whole_and_what_is_bad_stops_nothing(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "in [2]"
    fill(folder)
    before = read(tmp_path / "in [2]" / "inside") | {path.name: path.read_bytes() for path in folder.glob("*.*")}
    found = await outputs(engine, "convert_folder", path=str(folder), to="jsonl", output=str(tmp_path / "out"))

    assert found["summary"] == "9 converted, 5 failed, 2 passed over"
    assert {Path(one["path"]).name for one in found["passed_over"]} == {"parts.jsonl", "picture.png"}
    assert set(read(tmp_path / "out")) == {f"{name}.jsonl" for name in GOOD - {"parts.jsonl"}}
    rows = [json.loads(line) for line in (tmp_path / "out" / "Zeilen größer [1].csv.jsonl").read_text().splitlines()]
    assert rows == ROWS
    for name in ("parts.json", "parts.yaml"):
        lines = (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == components()

    notes = read(folder / "failed")
    assert set(notes) == BAD | {f"{name}.txt" for name in BAD}
    assert notes["old.csv"] == before["old.csv"]
    assert b"line 3 of ragged.csv has 1 cells, the header has 2" in notes["ragged.csv.txt"]
    assert b"a web page or XML, not a spreadsheet" in notes["page.xlsx.txt"]
    assert b"not a single row" in notes["empty.csv.txt"]
    for one in found["failed"]:
        assert one["hint"] in Path(one["note"]).read_text()
    assert before == read(folder / "inside") | {path.name: path.read_bytes() for path in folder.glob("*.*")}


@pytest.mark.parametrize("to", ["csv", "json", "yaml", "xlsx"])
async def test_nothing_is_lost_in_any_format(engine: Engine, tmp_path: Path, to: str) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:500]))
    there = await outputs(engine, "convert_folder", path=str(source), to=to)
    [made] = there["converted"]
    assert made == {"source": str(source), "target": f"{tmp_path}/converted/rows.jsonl.{to}", "rows": 500}
    back = await outputs(engine, "convert_folder", path=made["target"], to="jsonl", output=str(tmp_path / "back"))
    [again] = back["converted"]
    assert [json.loads(line) for line in Path(again["target"]).read_text().splitlines()] == ROWS[:500]


async def test_one_file_an_encoding_an_empty_folder_and_a_missing_one(engine: Engine, tmp_path: Path) -> None:
    fill(tmp_path / "in")
    path = str(tmp_path / "in" / "old.csv")
    found = await outputs(engine, "convert_folder", path=path, to="json", encoding="cp1252")
    assert json.loads(Path(found["converted"][0]["target"]).read_text()) == [{"Straße": "Köln"}]
    (tmp_path / "none").mkdir()
    found = await outputs(engine, "convert_folder", path=str(tmp_path / "none"))
    assert found["summary"] == "0 converted, 0 failed, 0 passed over"
    run = await engine.run("convert_folder", {"path": str(tmp_path / "gone")})
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "node.file_missing"
    assert "gone" in run.error["message"]


async def test_a_conversion_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    engine: Engine, tmp_path: Path
) -> None:
    fill(tmp_path / "in")
    calm = await outputs(engine, "convert_folder", path=str(tmp_path / "in"), output=str(tmp_path / "calm"))
    inputs = {"path": str(tmp_path / "in"), "output": str(tmp_path / "killed"), "failed": str(tmp_path / "bad")}
    run = await engine.start("convert_folder", inputs)
    done: dict[str, int] = {}
    places = ["read", "write", "copy", "note", "write", "result", "report"]
    for place in [*places, None]:
        arguments = [str(WORKER), str(tmp_path / "store.db"), str(GRAPHS), str(LEASE)]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=PIPE, stdout=PIPE)
        told, _ = await asyncio.wait_for(process.communicate(f"{run.id} {place or ''}\n".encode()), PATIENCE)
        assert told.decode().split("\n")[1:2] == [f"at {place}" if place else "completed"], (place, told)
        # What a committed step has written is not written again.
        for entry in await engine.log(run.id):
            step = str(entry.step)
            for item in (entry.outputs or {}).get("out", []) if step.endswith("/write") else []:
                changed = Path(item.json["path"]).stat().st_mtime_ns
                assert done.setdefault(step, changed) == changed

    found = await engine.outputs(run.id)
    assert found is not None
    assert found["summary"] == calm["summary"]
    assert [one["source"] for one in found["converted"]] == [one["source"] for one in calm["converted"]]
    assert [one["reason"] for one in found["failed"]] == [one["reason"] for one in calm["failed"]]
    assert read(tmp_path / "killed") == read(tmp_path / "calm")
    assert set(read(tmp_path / "bad")) == BAD - {"page.xlsx"} | {f"{name}.txt" for name in BAD - {"page.xlsx"}}
    assert len(done) == len(calm["converted"])


def copied(folder: Path) -> Path:
    """The graph with an inbox of its own; returns the inbox."""
    inbox = folder / "inbox"
    text = (GRAPHS / "convert_folder.yaml").read_text()
    changed = text.replace('folder: "~/PyAgent/inbox"', f"folder: {inbox}\n      settle: 200ms")
    assert changed != text
    (folder / "convert_folder.yaml").write_text(changed)
    return inbox


def pyagent(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*PYAGENT, *arguments], env=environment(folder), cwd=folder, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ended(server: ServerProcess, count: int) -> list[Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        runs = server.get("/runs?graph=convert_folder&limit=100")["runs"]
        if len(runs) >= count and all(run["status"] == "completed" for run in runs):
            return runs
        assert time.monotonic() < deadline, [run["status"] for run in runs]
        time.sleep(0.1)


def test_files_that_come_while_servers_are_killed_are_converted_once_each(tmp_path: Path) -> None:
    inbox = copied(tmp_path)
    inbox.mkdir()
    (inbox / "before.csv").write_text("a\n1\n")
    pyagent(tmp_path, "activate", "convert_folder")
    names = [f"file{number}.csv" for number in range(12)]
    for number, name in enumerate(names[:6]):
        (inbox / name).write_text(f"n\n{number}\n")
    with ServerProcess(tmp_path) as server:
        (inbox / "bad.json").write_text("{")
        while not list(inbox.glob("converted/*")):
            time.sleep(0.01)
        server.kill()  # some are converted, some not begun
    for number, name in enumerate(names[6:], 6):
        (inbox / name).write_text(f"n\n{number}\n")
    with ServerProcess(tmp_path) as server:
        ended(server, 13)
        (inbox / "file0.csv").write_text("n\nchanged\n")
        runs = ended(server, 14)
    assert len(runs) == 14
    assert len({run["key"] for run in runs}) == 14
    assert set(read(inbox / "converted")) == {f"{name}.xlsx" for name in names}
    page = load_workbook(inbox / "converted" / "file0.csv.xlsx").active
    assert page is not None
    assert page["A2"].value == "changed"
    assert "is not JSON" in (inbox / "failed" / "bad.json.txt").read_text()


# api_to_spreadsheet


def issues(count: int) -> Iterator[dict[str, Any]]:
    """Issues as GitHub's API writes them, the newest first: some are pull requests, some are not as they should be."""
    for number in range(count, 0, -1):
        month, day = number % 24, number % 28 + 1
        issue: dict[str, Any] = {
            "id": 10**9 + number,
            "number": number,
            "title": f"Übersicht {number} 🐍 =1+1",
            "state": "closed" if number % 3 else "open",
            "user": {"login": f"user{number % 7}"} if number % 11 else None,
            "labels": [{"name": "bug"}, {"name": "größer"}] if number % 2 else [],
            "comments": number % 5,
            "created_at": f"{2023 + month // 12}-{month % 12 + 1:02}-{day:02}T23:30:00Z",
            "closed_at": f"2025-06-{day:02}T01:00:00Z" if number % 3 else None,
            "html_url": f"https://example.org/issues/{number}",
        }
        if number % 10 == 0:
            issue["pull_request"] = {"url": "…"}
        if number % 100 == 7:
            issue |= {"title": " ", "created_at": "yesterday"}
        yield issue


def api(count: int) -> HttpServer:
    """The API: a hundred on a page; a new issue moves one of each page to the next; the second is busy at first."""
    server = HttpServer()
    every = list(issues(count))

    def page(request: HttpRequest) -> Any:
        number = int(request.query.get("page", "1"))
        if number == 2 and not any(asked.query.get("page") == "2" for asked in server.requests[:-1]):
            return HttpReply(status=503, headers={"Retry-After": "0"}, body={"message": "come again"})
        more = number * 100 < len(every)
        link = f'<{server.url}{request.path}?page={number + 1}&per_page=100>; rel="next"' if more else ""
        return HttpReply(body=every[max(0, (number - 1) * 100 - 1) : number * 100], headers={"Link": link})

    server.route("GET", "/repos/owner/name/issues", page)
    server.route("GET", "/repos/owner/new/issues", [])
    return server


def table(path: Path, sheet: str) -> list[dict[str, Any]]:
    rows = list(load_workbook(path)[sheet].iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


async def test_pages_of_an_api_become_a_workbook_that_says_what_was_dropped(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "new" / "issues.xlsx"
    with api(1200) as server:
        found = await outputs(
            engine, "api_to_spreadsheet", api=f"{server.url}/", repository="owner/name", output=str(path)
        )
        assert len(server.asked("/repos/owner/name/issues")) == 13
        assert server.requests[0].query["per_page"] == "100"

    good = {one["number"]: one for one in issues(1200) if one["number"] % 10 and one["number"] % 100 != 7}
    assert found["issues"] == len(good) == 1068
    # Eleven came twice: those that are no pull requests among the last of their pages.
    assert {one["why"]: one["count"] for one in found["dropped"]} == {
        "a pull request": 120, "not as it should be": 12, "came again on a later page": 11,
    }  # fmt: skip
    [wrong] = [one for one in found["dropped"] if one["why"] == "not as it should be"]
    assert "created_at" in wrong["examples"][0]
    rows = table(path, "Issues")
    assert [row["number"] for row in rows] == sorted(
        good, key=lambda number: (good[number]["created_at"], number), reverse=True
    )
    for row in rows:
        issue = good[row["number"]]
        assert (row["title"], row["state"], row["comments"]) == (issue["title"], issue["state"], issue["comments"])
        assert row["opened"].date().isoformat() == issue["created_at"][:10]
        assert (row["closed"] is None) == (issue["state"] == "open")
        assert row["author"] == (issue["user"] or {}).get("login")
    months = table(path, "Months")
    assert sum(row["issues"] for row in months) == len(good)
    assert sum(row["still open"] for row in months) == sum(one["state"] == "open" for one in good.values())
    assert len(table(path, "Dropped")) == 143


async def test_a_repository_without_issues_and_one_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "none.xlsx"
    with api(1) as server:
        found = await outputs(engine, "api_to_spreadsheet", api=server.url, repository="owner/new", output=str(path))
        assert (found["issues"], found["dropped"]) == (0, [])
        assert table(path, "Issues") == [{"title": "there is no issue"}]
        run = await engine.run("api_to_spreadsheet", {"api": server.url, "repository": "owner/gone"})
        assert run.error is not None
        assert run.error["code"] == "node.http_missing"


# nightly_check


PLANTED = {
    "pytest.ini": "[pytest]\n",
    "sums.py": "def  total( a,b ):\n    return { 'sum':a+b }\n",
    "test_sums.py": "import unittest\nfrom sums import total\n\n\nclass Sums(unittest.TestCase):\n"
    "    def test_total(self):\n        self.assertEqual(total(1, 2), {'sum': 3})\n",
}


async def test_two_nights_of_a_repository_tell_what_is_new_and_apply_what_was_approved(
    engine: Engine, tmp_path: Path
) -> None:
    repository = tmp_path / "planted"
    repository.mkdir()
    for name, content in PLANTED.items():
        (repository / name).write_text(content)
    inputs = {"repository": str(repository), "reports": str(tmp_path / "reports"), "apply": True}

    first = await engine.run("nightly_check", inputs)
    assert first.status == "waiting", first.error
    [wait] = [step.wait for step in await engine.store.steps(first.id) if step.wait is not None]
    assert wait["title"] == "planted: good. Accept, and apply the patch?"
    assert "1 passed, 0 findings, 2 files to format" in wait["prompt"]["message"]
    assert (repository / "sums.py").read_text() == PLANTED["sums.py"]
    await engine.answer(first.id, "approve", {"approved": True, "comment": "fine"})
    await engine.drive(first.id)
    found = await engine.outputs(first.id)
    assert found is not None
    assert found["decision"]["accepted"] is True
    assert found["decision"]["applied"] is True
    assert (repository / "sums.py").read_text() == 'def total(a, b):\n    return {"sum": a + b}\n'
    assert Path(found["report"]).is_file()
    assert found["summary"] == Path(found["report"]).with_name("summary.md").read_text()
    assert json.loads(Path(found["report"]).with_name("decision.json").read_text())["comment"] == "fine"

    (repository / "sums.py").write_text('def total(a, b):\n    return {"sum": a - b}\n')
    (repository / "risky.py").write_text("import subprocess\n\nsubprocess.call(input(), shell=True)\n")
    second = await engine.run("nightly_check", inputs)
    assert second.status == "waiting", second.error
    await engine.answer(second.id, "approve", {"approved": False})
    await engine.drive(second.id)
    found = await engine.outputs(second.id)
    assert found is not None
    assert found["verdict"] == "failing tests"
    assert found["news"]["verdict"] == "good → failing tests"
    assert [one.rpartition("::")[2] for one in found["news"]["failing"]] == ["test_total"]
    assert any("risky.py" in one for one in found["news"]["findings"])
    assert found["decision"]["accepted"] is False
    assert len(list((tmp_path / "reports" / "planted").glob("2*"))) == 2


def test_foreign_code_needs_consent_and_schedules_tell_their_next_times(tmp_path: Path) -> None:
    for name in ("nightly_check", "api_to_spreadsheet"):
        pyagent(tmp_path, "activate", str(GRAPHS / f"{name}.yaml"))
    with ServerProcess(tmp_path) as server:
        triggers = server.get("/triggers?next=2")["triggers"]
        night, monday = sorted(triggers, key=lambda found: found["graph"], reverse=True)
        assert (night["graph"], monday["graph"]) == ("nightly_check", "api_to_spreadsheet")
        assert [at[11:16] for at in night["next"]] == ["02:30", "02:30"]
    refused = subprocess.run(
        [*PYAGENT, "run", str(GRAPHS / "nightly_check.yaml"), "--input", "repository=/"],
        env={**os.environ, **environment(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "input.consent" in refused.stderr
