"""Whatever somebody changes inside of an exported run: it is refused with a code, or comes in and never acts."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_lab import graph
from pyagent.errors import PyAgentError
from pyagent.native import blake3_hex
from pyagent.runtime.engine import Engine
from pyagent.runtime.run_export import export_run
from pyagent.runtime.run_import import import_run
from pyagent.store.base import ENDED
from pyagent.store.sqlite import SqliteStore
from pyagent.testing import MemoryStore

CHAIN = graph(
    {
        "make": {"use": "data.set", "with": {"fields": {"text": "{{ 'x'.repeat(20000) }}"}}},
        "each": {"use": "flow.map", "body": ({"inner": {"use": "flow.noop"}}, [])},
        "ask": {"use": "flow.approve", "with": {"title": "Go on?"}},
    },
    ["make -> each", "each -> ask"],
    id="chain",
)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 1.5, "", "x", "../x", "a" * 2000, "0" * 64, [], {}, [None], {"a": None}, "@", "a@1.x"),
    *("f/(", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", "\u202e"),
)


@pytest.fixture
async def good(tmp_path: Path) -> Path:
    """The file of a run that waits."""
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    run = await engine.run(CHAIN, {"n": 1})
    await export_run(engine, run.id, tmp_path / "good.zip")
    return tmp_path / "good.zip"


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "target.db")
    await store.open()
    yield store
    await store.close()


def changed(value: Any, chance: random.Random) -> Any:
    """The JSON with one thing in it another."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name, what = chance.choice(list(value)), chance.random()
        if what < 0.12:
            return {other: part for other, part in value.items() if other != name}
        if what < 0.2:
            return {**value, chance.choice(["x", "status", "outputs", "blob", "data"]): chance.choice(ODD)}
        return {**value, name: changed(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        place = chance.randrange(len(value))
        return [*value[:place], changed(value[place], chance), *value[place + 1 :]]
    return chance.choice(ODD)


def changed_lines(lines: list[bytes], chance: random.Random) -> list[bytes]:
    place, what = chance.randrange(len(lines)), chance.random()
    if what < 0.1:
        return chance.sample(lines, len(lines))
    if what < 0.2:
        return lines[:place] + lines[place + 1 :]
    if what < 0.3:
        return lines[: place + 1] + lines[place:]
    return [*lines[:place], json.dumps(changed(json.loads(lines[place]), chance)).encode(), *lines[place + 1 :]]


def changed_file(good: Path, path: Path, chance: random.Random) -> None:
    """The file with one part changed, and sealed anew."""
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        # Events may hold whatever a newer program tells.
        names = [name for name in old.namelist() if name.endswith((".json", ".jsonl")) and "events" not in name]
        chosen = chance.choice(names)
        for name in old.namelist():
            part = old.read(name)
            if name == chosen and name.endswith(".json"):
                part = json.dumps(changed(json.loads(part), chance)).encode()
            elif name == chosen:
                part = b"\n".join(changed_lines(part.splitlines(), chance)) + b"\n"
            new.writestr(name, part)
        new.comment = b"pyagent-run 1 blake3:" + b"0" * 64
    whole = path.read_bytes()[:-64]
    path.write_bytes(whole + blake3_hex(whole).encode())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), unchecked=st.booleans())
async def test_a_changed_run_is_refused_or_never_acts(
    good: Path, target: SqliteStore, tmp_path: Path, seed: int, unchecked: bool
) -> None:
    changed_file(good, tmp_path / "changed.zip", random.Random(seed))
    code = ""
    try:
        done = await import_run(Engine(target), tmp_path / "changed.zip", as_new=True, unchecked=unchecked)
    except PyAgentError as error:
        code = error.code
    if code:
        assert code.startswith("run_file.")
        assert await target.list_runs() == []
        return
    [run_id] = done.runs
    assert (await target.get_run(run_id)).status in ENDED
    assert await target.claimable() == []
    await target.steps(run_id)
    await target.read_events(0, run_id)
    await target.delete_run(run_id)
