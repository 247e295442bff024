"""The guide to Neo4j is tried: its ten questions on real runs, its commands, and copies between the two kinds."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine_lab import graph
from neo4j_server import Neo4jServer
from pyagent.runtime.engine import Engine
from pyagent.runtime.store_check import check_store
from pyagent.runtime.store_copy import copy_store
from pyagent.runtime.store_prune import Policy, prune_store
from pyagent.store.base import Run
from pyagent.store.blobs import digest_of
from pyagent.store.neo4j import Neo4jStore
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store_parts import random_bytes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/neo4j.md").read_text(encoding="utf-8")
QUESTIONS = dict(re.findall(r"^\*\*(.+?\?)\*\*.*?```cypher\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE))


def papers(title: str) -> Any:
    return graph(
        {
            "read": {"use": "io.read_file", "with": {"path": "{{ $inputs.path }}", "as": "binary"}},
            "each": {"use": "flow.map", "body": ({"look": {"use": "flow.noop"}}, [])},
            "ask": {"use": "flow.approve", "with": {"title": title}},
            "publish": {"use": "data.set", "with": {"fields": {"n": "{{ $inputs.n }}"}}},
        },
        ["read -> each", "each -> ask", "ask.approved -> publish"],
        id="papers",
    )


BROKEN = graph({"fail": {"use": "flow.fail", "with": {"message": "no"}}}, [], id="broken")


@dataclass
class Asked:
    """Runs of the engine, and Cypher as a person would ask it."""

    url: str
    password: str
    parameters: dict[str, Any]
    first: Run
    second: Run

    async def ask(self, question: str) -> list[dict[str, Any]]:
        from neo4j import AsyncGraphDatabase, RoutingControl

        async with AsyncGraphDatabase.driver(self.url, auth=("neo4j", self.password)) as driver:
            found = await driver.execute_query(
                QUESTIONS[question],  # pyright: ignore[reportArgumentType]
                self.parameters,
                routing_=RoutingControl.READ,
            )
            return [dict(record) for record in found.records]


async def approved(engine: Engine, run: Run, actor: str) -> Run:
    await engine.answer(run.id, "", True, actor=actor)
    return await engine.drive(run.id)


@pytest.fixture
async def asked(neo4j: Neo4jServer, neo4j_store: Neo4jStore, tmp_path: Path) -> Asked:
    for run in await neo4j_store.list_runs():
        await neo4j_store.delete_run(run.id)
    (tmp_path / "paper.pdf").write_bytes(b"%PDF one")
    (tmp_path / "other.pdf").write_bytes(b"%PDF two")
    engine = Engine(neo4j_store)
    paper = str(tmp_path / "paper.pdf")
    first = await approved(engine, await engine.run(papers("Old?"), {"path": paper, "n": 1}), "ada")
    second = await approved(engine, await engine.run(papers("Old?"), {"path": paper, "n": 2}), "bob")
    third = await engine.run(papers("New?"), {"path": str(tmp_path / "other.pdf"), "n": 3})
    await engine.run(BROKEN, {})
    parameters = {
        "document": "paper.pdf",
        "run": first.id,
        "other": second.id,
        "graph": "papers",
        "node": "each",
        "hash": third.graph_hash[:12],
        "type": "flow.approve",
    }
    assert (first.status, second.status, third.status) == ("completed", "completed", "waiting")
    return Asked(neo4j.address, neo4j.password, {**parameters, "third": third.id}, first, second)


def test_the_guide_has_ten_questions() -> None:
    assert len(QUESTIONS) == 10


async def test_the_ten_questions_are_answered(asked: Asked) -> None:
    first, second, third = asked.first.id, asked.second.id, asked.parameters["third"]

    used = await asked.ask("Which runs used this document?")
    assert [(row["run"], sorted(row["nodes"])) for row in used] == [
        (run, ["ask", "each", "look", "publish", "read"]) for run in (first, second)
    ]
    assert {row["content"] for row in used} == {digest_of(b"%PDF one")}

    changed = await asked.ask("What changed between these two runs?")
    # Who answered is part of what `ask` puts out, and `n` of what `publish` does.
    assert [row["step"] for row in changed] == ["ask", "publish"]

    [path] = await asked.ask("Which steps made the run take so long?")
    assert path["steps"] == ["read", "each", "ask", "publish"]

    approvals = await asked.ask("Who approved, when, and what did they see?")
    assert [(row["run"], row["node"], row["who"], row["approved"]) for row in approvals] == [
        (first, "ask", "ada", True),
        (second, "ask", "bob", True),
    ]
    assert json.loads(approvals[0]["seen"])["count"] == 1

    assert await asked.ask("Which node types fail most?") == [{"use": "flow.fail@1", "steps": 1, "failed": 1}]

    [affected] = await asked.ask("What would be affected if I changed this node?")
    assert (sorted(affected["nodes"]), affected["runs"]) == (["ask", "publish"], [third])

    made = await asked.ask("Which runs were made of this version of a graph?")
    assert [(row["run"], row["status"]) for row in made] == [(third, "waiting")]

    [wait] = await asked.ask("How long do people let steps wait?")
    assert (wait["node"], wait["times"]) == ("ask", 2)
    assert 0 <= wait["seconds"] < 60

    asked.parameters["node"] = "publish"
    lineage = {row["step"]: row["documents"] for row in await asked.ask("Where does this output come from?")}
    assert set(lineage) == {"read", "each", "each[0]/look", "ask", "publish"}
    assert lineage["read"] == ["paper.pdf"]

    assert await asked.ask("Which graphs use this node type?") == [{"graph": "papers", "versions": 2, "nodes": ["ask"]}]


async def test_a_store_is_copied_to_neo4j_with_its_lineage_and_back(
    neo4j: Neo4jServer, neo4j_store: Neo4jStore, asked: Asked, tmp_path: Path
) -> None:
    there, back = SqliteStore(tmp_path / "there.db"), SqliteStore(tmp_path / "back.db")
    await there.open()
    await back.open()
    try:
        source = Engine(neo4j_store)
        large = random_bytes(2_000_000, 1)
        await neo4j_store.put_blob(asked.first.id, digest_of(large), large)
        runs = len(await neo4j_store.list_runs())
        before = await asked.ask("Where does this output come from?")
        assert len((await copy_store(source, there)).runs) == runs
        for run in await neo4j_store.list_runs():
            await neo4j_store.delete_run(run.id)
        done = await copy_store(Engine(there), neo4j_store)
        assert (len(done.runs), done.without_lineage) == (runs, [])
        assert await asked.ask("Where does this output come from?") == before
        again = await copy_store(source, back)
        assert len(again.runs) == runs
        assert await neo4j_store.get_blob(digest_of(large)) == large
        for each in (neo4j_store, there, back):
            assert (await check_store(each))[1] == []
        # A copy is not only read: what waited there goes on here.
        waiting = asked.parameters["third"]
        assert (await approved(source, await neo4j_store.get_run(waiting), "eve")).status == "completed"
    finally:
        await there.close()
        await back.close()


async def test_pruned_runs_leave_nothing_but_what_kept_runs_have(neo4j_store: Neo4jStore, asked: Asked) -> None:
    done = await prune_store(neo4j_store, Policy(keep=0, graph_id="papers"))
    assert len(done.runs) == 2
    assert await asked.ask("Which runs used this document?") == []
    assert (await check_store(neo4j_store))[1] == []
    assert {run.status for run in await neo4j_store.list_runs()} == {"waiting", "failed"}


async def test_faults_of_the_database_are_told(neo4j_store: Neo4jStore, asked: Asked) -> None:
    from pyagent.store.neo4j.connection import do

    run = asked.parameters["third"]
    await neo4j_store.connection.write(lambda to: do(to, "MATCH (e:Entry {run: $run, seq: 2}) DELETE e", run=run))
    await neo4j_store.connection.write(lambda to: do(to, "MATCH (c:Counter {name: 'event'}) SET c.value = 1"))
    _, faults = await check_store(neo4j_store)
    assert {(fault.run, fault.what) for fault in faults} == {
        ("", "Events have cursors that the counter 1 has not handed out."),
        (run, "Its log has gaps."),
    }
    query = "MATCH (c:Counter {name: 'event'}) MATCH (e:Event) WITH c, max(e.cursor) AS last SET c.value = last"
    await neo4j_store.connection.write(lambda to: do(to, query))
    await neo4j_store.delete_run(run)


async def test_the_commands_work_on_the_server(neo4j: Neo4jServer, asked: Asked, tmp_path: Path) -> None:
    async def command(*arguments: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pyagent.cli", "store", *arguments, "--json"),
            env={**os.environ, "PYAGENT_STORE": neo4j.url},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        assert neo4j.password not in out.decode()
        return json.loads(out)

    assert (await command("migrate"))["store"].startswith("neo4j://neo4j:***@")
    assert (await command("check"))["faults"] == []
    assert (await command("stats"))["runs"] == {"completed": 2, "waiting": 1, "failed": 1}
    assert len((await command("prune", "--keep", "1", "--dry-run"))["runs"]) == 2
    assert len((await command("copy", neo4j.url, str(tmp_path / "copy.db")))["runs"]) == 4
    assert (await command("copy", neo4j.url, str(tmp_path / "copy.db")))["there"] == 4


async def test_an_ordinary_state_graph_runs_on_the_saver(neo4j: Neo4jServer, tmp_path: Path) -> None:
    text = (ROOT / "docs/guides/langgraph.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    address = "neo4j://neo4j:PASSWORD@localhost:7687"
    assert address in block
    script = tmp_path / "letter.py"
    script.write_text(block.replace(address, neo4j.url), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert out.decode() == "{'text': 'Dear Ada, see you soon'}\n", error.decode()
