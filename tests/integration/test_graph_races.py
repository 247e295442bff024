"""Two servers of one folder, and many tabs that save, rename, delete, copy and make the same graphs at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from pyagent.errors import NotFound
from pyagent.graph.yaml import load_text
from pyagent.runtime import graph_files
from pyagent.runtime.graph_files import delete_graph, rename_graph, text_hash
from pyagent.runtime.library import GraphLibrary
from server_lab import client_of, server_of_graphs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
IDS = ("one", "two")
FILES = ("one.yaml", "two.yaml", "free.yaml", "other.yml")
TABS = 8
STEPS = 25


def text(graph_id: str, nodes: tuple[str, ...] = ("first",)) -> str:
    lines = "".join(f"  - {{id: {node}, use: flow.noop@1}}\n" for node in nodes)
    return f"pyagent: 1\nid: {graph_id}\nnodes:\n{lines}edges: []\n"


class Tab:
    """One who edits; what the server said yes to is noted."""

    def __init__(self, client: httpx.AsyncClient, number: int) -> None:
        self.client = client
        self.number = number
        self.chance = random.Random(number)
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self.saved: list[tuple[str, str]] = []

    async def work(self) -> None:
        for step in range(STEPS):
            graph_id = self.chance.choice(IDS)
            await self.one(graph_id, f"t{self.number}_{step}")

    async def one(self, graph_id: str, node: str) -> None:
        route = f"/api/v1/graphs/{graph_id}"
        seen = await self.ask("GET", f"{route}/text")
        match = {"If-Match": seen.headers.get("ETag", '"none"')}
        what = self.chance.choices(("save", "rename", "delete", "make", "copy", "list"), (8, 4, 1, 2, 1, 2))[0]
        match what:
            case "save" if seen.status_code == 200:
                mine = seen.text.replace("edges:", f"  - {{id: {node}, use: flow.noop@1}}\nedges:")
                found = await self.ask("PUT", route, json={"text": mine, "base_text": seen.text}, headers=match)
                if found.status_code == 200:
                    assert node in {each["id"] for each in found.json()["spec"]["nodes"]}
            case "rename":
                file = self.chance.choice(FILES)
                found = await self.ask("POST", f"{route}/rename-file", json={"file": file}, headers=match)
            case "delete":
                found = await self.ask("DELETE", route, headers=match)
                self.saved += [(graph_id, seen.text)] if found.status_code == 204 else []
            case "make":
                found = await self.ask("POST", "/api/v1/graphs", json={"text": text(graph_id, (node,))})
            case "copy":
                other = next(each for each in IDS if each != graph_id)
                found = await self.ask("POST", f"{route}/duplicate", json={"id": other})
            case _:
                found = await self.ask("GET", "/api/v1/graphs")
        if found.status_code in (200, 201) and "text" in found.json():
            self.saved.append((found.json()["id"], found.json()["text"]))

    async def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        found = await self.client.request(method, path, **more)  # pyright: ignore[reportArgumentType]
        code = found.json()["code"] if found.status_code >= 400 else ""
        self.answers[f"{method} {path.rpartition('/')[2]}", found.status_code, code] += 1
        return found


async def test_whoever_is_first_is_told_so_and_nobodys_text_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "graphs"
    texts = {graph_id: text(graph_id) for graph_id in IDS}
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server_of_graphs(folder, **texts)) for _ in range(2)]
        clients = [await stack.enter_async_context(client_of(server)) for server in servers]
        tabs = [Tab(clients[number % 2], number) for number in range(TABS)]
        await asyncio.gather(*(tab.work() for tab in tabs))
        answers = sum((tab.answers for tab in tabs), Counter[tuple[str, int, str]]())
        clear = {"", "graph.not_found", "graph.conflict", "graph.exists"}
        assert {found: count for found, count in answers.items() if found[2] not in clear} == {}
        assert sum(count for (_, status, _), count in answers.items() if status < 300) > TABS * STEPS

        for graph_id in IDS:
            versions = await servers[0].engine.store.graph_versions(graph_id, 500)
            saved = {load_text(said).spec.hash() for tab in tabs for name, said in tab.saved if name == graph_id}
            assert saved <= {version.hash for version in versions}
    ids = [load_text(path.read_text()).spec.id for path in folder.iterdir()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("act", [delete_graph, partial(rename_graph, name="c.yaml")])
def test_a_file_that_took_the_name_meanwhile_is_neither_deleted_nor_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[..., object]
) -> None:
    library, locked = GraphLibrary([tmp_path]), graph_files._locked  # pyright: ignore[reportPrivateUsage]
    (tmp_path / "a.yaml").write_text(text("one"))
    (tmp_path / "b.yaml").write_text(text("two"))

    def taken(folder: Path) -> AbstractContextManager[None]:
        monkeypatch.setattr(graph_files, "_locked", locked)
        (tmp_path / "a.yaml").rename(tmp_path / "z.yaml")
        (tmp_path / "b.yaml").rename(tmp_path / "a.yaml")
        return locked(folder)

    monkeypatch.setattr(graph_files, "_locked", taken)
    base = text_hash(text("one"))
    with pytest.raises(NotFound, match="another name"):
        act(library, "one", base=base)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.yaml": text("two"),
        "z.yaml": text("one"),
    }
