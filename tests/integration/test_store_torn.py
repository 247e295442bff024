"""A SQLite file whose writer was killed and whose disk lost or garbled the end: a prefix of the commits is there."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from engine_lab import graph, opened
from programs.attacked import User
from pyagent.errors import PyAgentError
from pyagent.runtime.store_check import check_store
from pyagent.store import Commit, LogRecord
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store import new_run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

WRITER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pyagent.store import Commit, LogRecord, NewEvent, StepRecord
from pyagent.store.sqlite import SqliteStore

async def main(path):
    store = SqliteStore(path)
    await store.open()
    lease = await store.claim("run", "writer", timedelta(0))
    for seq in range(1, 10_000):
        event = NewEvent(kind="step.log", at=datetime.now(UTC), data={"n": seq})
        body = bytes([seq % 251]) * (seq * 397 % 9000)
        record = LogRecord(seq=seq, kind="test", step="s", body=body)
        await store.commit(lease, Commit(entries=[record], events=[event, event], durable=True))
        print(seq, path.with_name(path.name + "-wal").stat().st_size, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""
GRAPH = """\
pyagent: 1
id: good
nodes:
  - {id: says, use: code.python@1, with: {code: "return [{'n': 1}]"}}
"""
PAGE = 4096
COMMITS = 40
LATER = timedelta(minutes=5)
"""After which the lease of a killed process has run out."""


def later() -> datetime:
    return datetime.now(UTC) + LATER


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def copied(path: Path, folder: Path) -> Path:
    """The file as it lies, with what SQLite keeps beside it."""
    folder.mkdir()
    for found in path.parent.glob(f"{path.name}*"):
        (shutil.copytree if found.is_dir() else shutil.copyfile)(found, folder / found.name)
    return folder / path.name


@dataclass(frozen=True)
class Killed:
    """What a writer that was killed has left."""

    path: Path
    ends: list[int]
    """Where each acknowledged commit ends in the log of writes; the first commit's is first."""

    def commits_before(self, position: int) -> int:
        """How many of the acknowledged commits end before the position."""
        return sum(end <= position for end in self.ends)


@pytest.fixture(params=["full", "once"])
async def killed(tmp_path: Path, request: pytest.FixtureRequest) -> Killed:
    path = tmp_path / "source" / "pyagent.db"
    store = SqliteStore(path)
    await store.open()
    await store.create_run(new_run(id="run"))
    await store.close()
    return write_and_be_killed(path, request.param)


def write_and_be_killed(path: Path, synchronous: str) -> Killed:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        env={**os.environ, "PYAGENT_SQLITE_SYNCHRONOUS": synchronous},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(COMMITS)]
        child.kill()
        said += child.stdout.readlines()
    return Killed(path, [int(line.split()[1]) for line in said if line.endswith("\n")])


async def commits_in(path: Path) -> int:
    """How many commits the store has, whole; it is seen to be in order and to go on."""
    store = SqliteStore(path, clock=later)
    await store.open()
    try:
        count = (await store.get_run("run")).log_length
        log = await store.read_log("run")
        assert [record.seq for record in log] == list(range(1, count + 1))
        assert all(record.body == bytes([record.seq % 251]) * (record.seq * 397 % 9000) for record in log)
        told = [event.data["n"] for event in await store.read_events(0, "run", 100_000)]
        assert told == [seq for seq in range(1, count + 1) for _ in range(2)]
        assert await store.faults() == []
        lease = await store.claim("run", "next", timedelta(minutes=1))
        await store.commit(lease, Commit(entries=[LogRecord(seq=count + 1, kind="test", step="s", body=b"")]))
        assert len(await store.read_log("run")) == count + 1
        return count
    finally:
        await store.close()


async def test_a_torn_end_after_kill_9_costs_no_commit_that_was_acknowledged(killed: Killed, tmp_path: Path) -> None:
    chance = random.Random(1)
    last = killed.ends[-1]
    for number in range(12):
        path = copied(killed.path, tmp_path / f"torn{number}")
        with wal(path).open("r+b") as file:  # the frames of a commit that was under way
            file.seek(last)
            file.write(chance.randbytes(chance.randrange(1, 3 * 4120)))
        assert await commits_in(path) >= len(killed.ends)


async def test_a_log_of_writes_that_is_cut_anywhere_leaves_the_commits_before_the_cut(
    killed: Killed, tmp_path: Path
) -> None:
    chance = random.Random(2)
    near = [killed.ends[0], killed.ends[7] - 1, killed.ends[7], killed.ends[7] + 1, killed.ends[-1] - 1]
    for number, cut in enumerate([*near, *(chance.randrange(killed.ends[0], killed.ends[-1]) for _ in range(20))]):
        path = copied(killed.path, tmp_path / f"cut{number}")
        os.truncate(wal(path), cut)
        assert await commits_in(path) == killed.commits_before(cut), cut
    for number, cut in enumerate([0, 1, 31, 32, 33, *(chance.randrange(killed.ends[0]) for _ in range(4))]):
        path = copied(killed.path, tmp_path / f"early{number}")
        os.truncate(wal(path), cut)
        assert await commits_in(path) == 0


async def test_flipped_bytes_in_the_log_of_writes_leave_the_commits_before_them(killed: Killed, tmp_path: Path) -> None:
    chance = random.Random(3)
    begin, end = killed.ends[-2], killed.ends[-1]
    for number in range(25):
        # The last commit, and any.
        position = chance.randrange(begin, end) if number < 15 else chance.randrange(killed.ends[0], end)
        path = copied(killed.path, tmp_path / f"flipped{number}")
        with wal(path).open("r+b") as file:
            file.seek(position)
            (was,) = file.read(1)
            file.seek(position)
            file.write(bytes([was ^ chance.randrange(1, 256)]))
        assert await commits_in(path) == killed.commits_before(position), position


async def test_a_run_goes_on_from_whatever_prefix_of_its_commits_a_torn_log_of_writes_has(tmp_path: Path) -> None:
    steps = [f"s{number}" for number in range(6)]
    chain = graph(
        {step: {} for step in steps},
        [f"{one} -> {two}" for one, two in pairwise(steps)],
        inputs={"n": {"type": "number"}},
    )
    chance = random.Random(4)
    (tmp_path / "source").mkdir()
    async with opened(tmp_path / "source") as lab:
        gate = lab.gate("s5")
        run = await lab.engine.start(chain, {"n": 7}, reserve=True)
        source = tmp_path / "source" / "lab.db"
        begin = wal(source).stat().st_size
        driven = lab.driving(run)
        await lab.called("s5")
        end = wal(source).stat().st_size
        assert end > begin
        cuts = [begin, end - 1, end, *(chance.randrange(begin, end) for _ in range(12))]
        torn = [copied(source, tmp_path / f"torn{number}") for number in range(len(cuts))]
        gate.set()
        assert (await driven).status == "completed"
        for path, cut in zip(torn, cuts, strict=True):
            os.truncate(wal(path), cut)
            store = SqliteStore(path, clock=later)
            await store.open()
            try:
                other = lab.another_engine(store=store)
                assert (await lab.drive(run, other)).status == "completed", cut
                assert await other.outputs(run.id) == await lab.outputs(run)
                found = {record.step: record.status for record in await store.steps(run.id)}
                assert found == dict.fromkeys(steps, "completed")
                assert (await check_store(store))[1] == []
            finally:
                await store.close()


@pytest.fixture
def used(tmp_path: Path) -> Iterator[User]:
    """A user with a run in a store that no process has open."""
    user = User(tmp_path / "home")
    user.file("g.yaml", GRAPH)
    assert user.pyagent("run", "g.yaml", PYAGENT_STORE="whole.db").code == 0
    with closing(sqlite3.connect(user.home / "whole.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield user
    user.nothing_left()


def pages_of(path: Path) -> dict[str, int]:
    """The first page of each table and index."""
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))


def with_damage(whole: Path, damaged: Path, page: int) -> None:
    content = bytearray(whole.read_bytes())
    content[(page - 1) * PAGE : page * PAGE] = b"\xff" * PAGE
    damaged.write_bytes(content)
    for name in ("-wal", "-shm"):
        damaged.with_name(damaged.name + name).unlink(missing_ok=True)


@pytest.mark.parametrize("table", ["sqlite_master", "runs"])
def test_a_damaged_page_is_told_by_every_command_with_what_to_do(used: User, table: str) -> None:
    whole = used.home / "whole.db"
    run = used.runs(PYAGENT_STORE="whole.db")[0]["id"]
    with_damage(whole, used.home / "damaged.db", {"sqlite_master": 1, **pages_of(whole)}[table])
    for arguments in (("runs",), ("show", run), ("logs", run), ("run", "g.yaml"), ("resume", run)):
        done = used.pyagent(*arguments, PYAGENT_STORE="damaged.db").said("store.damaged", 5)
        assert ".recover" in done.text
    done = used.pyagent("doctor", PYAGENT_STORE="damaged.db").without_defects()
    assert done.code == 5, done.text
    assert "is damaged" in done.text
    assert ".recover" in done.text


async def test_no_damaged_page_makes_reading_fail_otherwise_than_by_an_error_of_the_store(
    used: User, tmp_path: Path
) -> None:
    whole, damaged = used.home / "whole.db", tmp_path / "damaged.db"
    codes: set[str] = set()
    for page in range(1, whole.stat().st_size // PAGE + 1):
        with_damage(whole, damaged, page)
        store = SqliteStore(damaged)
        try:
            await store.open()
            for run in await store.list_runs():
                await store.read_log(run.id)
                await store.steps(run.id)
                await store.read_events(0, run.id)
                await store.get_graph(run.graph_hash)
            await check_store(store)
        except PyAgentError as error:
            codes.add(error.code if error.hint else "without a hint")
        finally:
            await store.close()
    assert codes == {"store.damaged"}
