"""The guide to `io.http` is tried: its graphs and its test run, its codes and names are there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pyagent.runtime.engine import Engine
from pyagent.sdk.network import NetworkPolicy
from pyagent.sdk.process import run_process
from pyagent.testing import MemoryStore
from sample_api import PEOPLE, PICTURE, sample_api

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "http.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


async def test_the_graphs_do_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    people, upload = blocks("yaml")
    with sample_api() as server:
        first = await engine.run(people, {"api": server.url})
        second = await engine.run(upload, {"api": server.url})

        assert await engine.outputs(first.id) == {"names": [person["name"] for person in PEOPLE]}
        assert second.status == "completed", second.error
        assert server.requests[-1].body == PICTURE


async def test_the_test_passes(tmp_path: Path) -> None:
    [block] = blocks("python")
    (tmp_path / "test_it.py").write_text(block, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    result = await run_process(command, cwd=tmp_path, timeout=60)
    assert result.ok, result.text + result.error_text


def test_every_code_of_the_node_stands_in_the_guide() -> None:
    sources = [*(ROOT / "nodes/pyagent_nodes/io").glob("_http_errors.py"), ROOT / "engine/pyagent/sdk/_http_coding.py"]
    text = "".join(path.read_text() for path in sources)
    codes = set(re.findall(r'code = "(node\.\w+)"', text))
    # The base class, and what the message itself says all about.
    told_by_itself = {
        "node.http", "node.http_url", "node.http_request", "node.http_credential", "node.http_certificates",
    }  # fmt: skip
    assert codes - told_by_itself <= set(re.findall(r"`(node\.\w+)`", GUIDE))


def test_the_setting_of_the_guide_is_understood() -> None:
    found = re.search(r'PYAGENT_ALLOW_PRIVATE="(.*)"', GUIDE)
    assert found is not None
    policy = NetworkPolicy.parse(found[1])
    assert policy.allows("localhost", "127.0.0.1", 8080)
    assert not policy.allows("localhost", "127.0.0.1", 22)
