"""Stores that seal what they keep: a vault of the test's own, and no trace of it in the tests that follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from pyagent.graph.yaml import load_text
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.store import sealing
from pyagent.store.base import Store
from pyagent.store.blobs import digest_of
from pyagent.vault import Vault, make_vault

CANARY = "canary-4711-in-payloads"
LARGE = (CANARY * 5000).encode()
"""Of a blob that is a file."""
GRAPH = """
pyagent: 1
id: sealing
description: There is a canary-4711-in-payloads here.
inputs:
  text: {type: string}
nodes:
  - id: keep
    use: data.set@1
    with: {fields: {text: "{{ $inputs.text }}"}}
edges: []
outputs:
  text: "{{ $('keep').all().map(item => item.json) }}"
"""


def sealed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """Make a vault in the folder and have stores that are opened from now on seal what they keep."""
    monkeypatch.setattr(sealing, "_kept", sealing._Kept())
    monkeypatch.setenv("PYAGENT_STORE", str(folder / "pyagent.db"))
    monkeypatch.setenv("PYAGENT_VAULT", str(folder / "vault"))
    monkeypatch.setenv("PYAGENT_SEAL", "on")
    return make_vault()


def digests_of(*contents: bytes) -> list[bytes]:
    """What tells a content by its BLAKE3, as text and as bytes."""
    return [form for content in contents for form in (digest_of(content).encode(), bytes.fromhex(digest_of(content)))]


async def fill(store: Store) -> str:
    """A run with payloads of every kind; its id."""
    engine = Engine(store, library=GraphLibrary([]))
    run = await engine.run(load_text(GRAPH).spec, {"text": CANARY})
    assert CANARY in str(run.outputs), run
    await store.put_blob(run.id, digest_of(CANARY.encode()), CANARY.encode())
    await store.put_blob(run.id, digest_of(LARGE), LARGE)
    await store.post(run.id, "signal", name="paid", body=f'"{CANARY}"'.encode())
    saver = store.langgraph_saver()
    config: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
    for _ in range(3):
        checkpoint = empty_checkpoint()
        version = saver.get_next_version(None, None)
        checkpoint["channel_values"] = {"messages": [CANARY] * 500}
        checkpoint["channel_versions"] = {"messages": version}
        config = await saver.aput(config, checkpoint, {"source": "loop", "step": 1}, {"messages": version})
        await saver.aput_writes(config, [("messages", CANARY)], "task")
    return run.id


def files_with(folder: Path, *canaries: bytes) -> list[str]:
    """The files below a folder that hold one of these, in their contents or their names."""
    return [str(path.relative_to(folder)) for path in _files(folder) if _holds(path, canaries)]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _holds(path: Path, canaries: tuple[bytes, ...]) -> bool:
    content = path.read_bytes() + str(path).encode()
    return any(canary in content for canary in canaries)
