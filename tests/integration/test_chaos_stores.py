"""Random runs whose workers are killed by `kill -9`, on SQLite and on a real Neo4j, and more of those in virtual time.

`make chaos` does the same for longer.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from chaos.calm import play_on
from chaos.kills import kill_on
from chaos.memory import play_case
from neo4j_server import Neo4jServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
KILLS = 12
KILLS_ON_NEO4J = 6
CALM = 150
CALM_ON_NEO4J = 40
SEED = random.SystemRandom().randrange(10**6)


async def test_workers_killed_on_sqlite_lose_and_double_nothing(tmp_path: Path) -> None:
    print(f"first seed {SEED}")
    found = await kill_on(f"sqlite:///{tmp_path}/chaos.db", KILLS, SEED, time.monotonic() + 60)

    assert not found["broken runs"]
    assert found["kill -9"] == KILLS
    assert found["stale commits tried"]
    assert not found["stale commits accepted"]


async def test_random_cases_hold_on_sqlite(tmp_path: Path) -> None:
    found = await play_on(f"sqlite:///{tmp_path}/chaos.db", CALM, SEED, 20)

    assert found["cases"] > CALM // 5
    assert not found["adoptions"]
    assert not found["stale commits accepted"]


async def test_on_neo4j_random_cases_hold_and_workers_killed_lose_and_double_nothing() -> None:
    print(f"first seed {SEED}")
    with Neo4jServer() as server:
        calm = await play_on(server.url, CALM_ON_NEO4J, SEED, 20)
        found = await kill_on(server.url, KILLS_ON_NEO4J, SEED, time.monotonic() + 60)

    assert calm["cases"] > 3
    assert not calm["stale commits accepted"]

    assert not found["broken runs"]
    assert found["kill -9"] == KILLS_ON_NEO4J
    assert not found["stale commits accepted"]


def test_random_seeds_hold_in_virtual_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path))
    begun = time.monotonic()
    for seed in range(SEED, SEED + 400):
        if time.monotonic() - begun > 15:
            break
        try:
            play_case(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
