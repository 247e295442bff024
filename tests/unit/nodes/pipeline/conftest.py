"""A small repository and a step's surroundings, without network: the tests run with this interpreter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pyagent.sdk import NodeType, Registry
from pyagent.sdk.sandbox import python_places
from pyagent.testing import NodeRun, TestBlobs, TestCancelToken, run_node

REGISTRY = Registry.installed()


class Bench:
    """One run's folder and blobs; runs nodes one after the other on the same item."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.work_dir = folder / "work"
        self.blobs = TestBlobs()
        self.cancel = TestCancelToken()
        self.item: dict[str, Any] = {}
        self.last: NodeRun | None = None

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Put files into the repository."""
        for name, content in files.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def node(self, name: str) -> NodeType:
        """A node type of the pipeline."""
        found = REGISTRY.get(f"pipeline.{name}@1")
        assert found is not None
        return found

    async def step(self, name: str, *fields: str, **params: Any) -> str:
        """Run a node with these fields of the item as parameters; gives the port, the item goes on."""
        given = {field: self.item[field] for field in fields} | params
        self.last = await run_node(
            self.node(name), [self.item], given, work_dir=self.work_dir, blobs=self.blobs, cancel=self.cancel
        )
        (port,) = self.last.outputs
        self.item = self.last.outputs[port][0].json
        return port

    @property
    def messages(self) -> list[str]:
        """What the last node logged."""
        assert self.last is not None
        return [line["message"] for line in self.last.logs]

    def content(self, blob: Mapping[str, Any]) -> bytes:
        """A blob's content."""
        return self.blobs.contents[blob["digest"]]

    async def ready(self) -> None:
        """Fetch, understand, and stand in for the environment with this interpreter."""
        await self.step("fetch", repository=str(self.repository))
        await self.step("understand", "source")
        folder = self.work_dir / "environment"
        (folder / "bin").mkdir(parents=True)
        python = folder / "bin" / "python"
        python.write_text(f'#!/bin/sh\nPYTEST_DISABLE_PLUGIN_AUTOLOAD=1 exec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        (folder / ".pyagent-environment").write_text("this")
        self.item["environment"] = {
            "key": "this", "python": "3", "lock": [], "package": "in place", "tool": "uv 0", "reused": False,
            "licences": (await self.blobs.put(b"[]")).as_dict(),
        }  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench with a user cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # The environment's interpreter is a stand-in that starts this one.
    monkeypatch.setattr("pyagent_nodes.pipeline.programs.interpreter_places", lambda _: python_places())
    return Bench(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Makes a `.tar.gz` of members by name."""
    import io
    import tarfile

    def make(members: Mapping[str, bytes]) -> Path:
        path = tmp_path / "made.tar.gz"
        with tarfile.open(path, "w:gz") as file:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
        return path

    return make
