"""Large blobs on a real server that speaks S3: the store's contract, faults, kills, and no secret in what is told."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from blob_cases import LARGE, BlobPlaceCases, Place
from engine_lab import graph
from pyagent.errors import LeaseHeld, StoreError
from pyagent.runtime.engine import Engine
from pyagent.runtime.store_check import check_store
from pyagent.runtime.store_copy import copy_store
from pyagent.store import objects
from pyagent.store.base import Commit, StoreUnavailable
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store import StoreConformance
from pyagent.testing.store_parts import entry, new_run, random_bytes, started
from s3_server import KEY, SECRET, S3Server
from tcp_proxy import TcpProxy

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

GUIDE = (Path(__file__).parents[2] / "docs/guides/blobs.md").read_text(encoding="utf-8")
GRAPH = graph(
    {
        "make": {"use": "data.set", "with": {"fields": {"text": "{{ 'ab'.repeat(2000000) }}"}}},
        "count": {"use": "data.set", "with": {"fields": {"size": "{{ $json.text.length }}"}}},
    },
    ["make -> count"],
    id="large",
    outputs={"size": "{{ $('count').first().json.size }}"},
)
KILLED = """
import asyncio, os, sys
from pathlib import Path
from pyagent.store.base import Commit
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store_parts import random_bytes, started

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    run, lease = await started(store)
    content = random_bytes(200_000, 1)
    await store.put_blob(run.id, digest_of(content), content)
    print(run.id, flush=True)
    write = store.database.write

    async def die(change, **options):
        def cut(connection):
            change(connection)
            os.kill(os.getpid(), 9)
        return await write(cut, **options)

    store.database.write = die
    lost = random_bytes(200_000, 2)
    await store.commit(lease, Commit(blobs=[(digest_of(lost), lost)]))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture(autouse=True)
def variables(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "RETRY_SECONDS", 0.5)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.variables().items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def opened(path: Path, setting: str) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, blobs=setting)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


class TestSqliteStoreOnS3(StoreConformance):
    @pytest.fixture
    async def store(
        self, server: S3Server, tmp_path: Path, request: pytest.FixtureRequest
    ) -> AsyncIterator[SqliteStore]:
        async with opened(tmp_path / "pyagent.db", server.place(request.node.name).setting) as store:
            yield store

    @pytest.fixture
    async def peer(self, store: SqliteStore) -> AsyncIterator[SqliteStore]:
        async with opened(store.path, store.outside.base) as peer:
            yield peer


class TestS3(BlobPlaceCases):
    @pytest.fixture
    def place(self, server: S3Server, request: pytest.FixtureRequest) -> Place:
        return server.place(request.node.name)


async def told(error: BaseException) -> str:
    """All that anybody gets to see of an error."""
    shown = "".join(traceback.format_exception(error))
    return f"{shown} {json.dumps(error.as_dict())}" if isinstance(error, StoreError) else shown


async def failing(store: SqliteStore) -> StoreError:
    """The error of a commit with a large blob, of which nothing was kept."""
    run, lease = await started(store)
    content = random_bytes(LARGE, 1)
    with pytest.raises(StoreUnavailable) as caught:
        await store.commit(lease, Commit(entries=[entry(1)], blobs=[(digest_of(content), content)]))
    assert await store.read_log(run.id) == []
    assert await store.blobs_of(run.id) == {}
    assert caught.value.hint
    return caught.value


async def test_a_server_that_is_not_there_is_an_error_and_nothing_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hidden@127.0.0.1:9")
    async with opened(tmp_path / "pyagent.db", "s3://bucket/away") as store:
        error = await failing(store)
    assert error.code == "store.blobs_unavailable"
    assert error.message.startswith("s3://bucket/away/")
    assert "http://user:***@127.0.0.1:9 cannot be reached" in error.message
    assert "hidden" not in await told(error)


async def test_wrong_credentials_are_an_error_that_shows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with S3Server(asks=True) as strict:
        for name, value in strict.variables().items():
            monkeypatch.setenv(name, value)
        async with opened(tmp_path / "pyagent.db", "s3://bucket/strict") as store:
            error = await failing(store)
            stats = await store.stats()
    assert error.code == "store.blobs_refused"
    assert "InvalidAccessKeyId" in error.message
    for secret in (KEY, SECRET):
        assert secret not in await told(error) + caplog.text + repr(stats)


async def test_a_bucket_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path / "pyagent.db", "s3://nobucket/a") as store:
        error = await failing(store)
    assert error.code == "store.blobs_refused"
    assert "no bucket nobucket" in error.message


async def test_another_machines_server_is_reached_with_tls_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:9")
    async with opened(tmp_path / "pyagent.db", "s3://bucket/plain") as store:
        error = await failing(store)
    assert "without TLS" in error.message
    assert "AWS_ALLOW_HTTP" in (error.hint or "")


async def test_a_run_goes_on_when_the_server_is_back(
    tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TcpProxy(server.port) as proxy:
        for name, value in server.variables(proxy.port).items():
            monkeypatch.setenv(name, value)
        async with opened(tmp_path / "pyagent.db", "s3://bucket/back") as store:
            engine = Engine(store, lease=timedelta(seconds=1))
            await proxy.stop()
            run = await engine.start(GRAPH, {})
            with pytest.raises(StoreError) as caught:
                await engine.drive(run.id)
            assert caught.value.code == "store.blobs_unavailable"
            assert (await store.get_run(run.id)).status == "running"
            await proxy.start()
            other = Engine(store)
            while True:
                try:
                    done = await other.drive(run.id)
                    break
                except LeaseHeld:
                    await store.changed(0.2)
            assert done.status == "completed", done.error
            assert await other.outputs(run.id) == {"size": 4_000_000}
            assert server.listed("back/")
            assert (await check_store(store))[1] == []


async def test_a_process_that_is_killed_between_upload_and_commit_leaves_an_orphan_only(
    tmp_path: Path, server: S3Server
) -> None:
    path = tmp_path / "pyagent.db"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, str(path)),
        env={**os.environ, "PYAGENT_BLOBS": "s3://bucket/killed"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == -9
    run_id = out.decode().strip()
    assert len(server.listed("killed/")) == 2
    async with opened(path, "") as store:  # where the blobs lie is known without the setting
        [digest] = await store.blobs_of(run_id)
        assert await store.get_blob(digest) == random_bytes(LARGE, 1)
        assert await store.faults() == []
        assert await store.sweep() == 0
        store.outside.grace, store.outside.sweep_pause = -1, 0
        assert await store.sweep() == 1
        assert await store.get_blob(digest) == random_bytes(LARGE, 1)
    assert len(server.listed("killed/")) == 1


async def test_a_deleted_run_is_gone_also_while_the_server_is_away(
    tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with TcpProxy(server.port) as proxy:
        for name, value in server.variables(proxy.port).items():
            monkeypatch.setenv(name, value)
        async with opened(tmp_path / "pyagent.db", "s3://bucket/gone") as store:
            run = await store.create_run(new_run())
            content = random_bytes(LARGE, 1)
            await store.put_blob(run.id, digest_of(content), content)
            await proxy.stop()
            await store.delete_run(run.id)
            assert "later sweep" in caplog.text
            await proxy.start()
            store.outside.grace = -1
            assert await store.sweep() == 1
    assert not server.listed("gone/")


async def test_a_store_is_copied_from_one_place_to_another_and_back(tmp_path: Path, server: S3Server) -> None:
    contents = [random_bytes(size, 1) for size in (10, LARGE, 2_000_000)]
    async with (
        opened(tmp_path / "one.db", "s3://bucket/copied") as one,
        opened(tmp_path / "two.db", str(tmp_path / "blobs")) as two,
        opened(tmp_path / "three.db", "") as three,
    ):
        first = Commit(status="completed", blobs=[(digest_of(content), content) for content in contents])
        run = await one.create_run(new_run(), first=first)
        await copy_store(Engine(one), two)
        await copy_store(Engine(two), three)
        for store, files in ((two, tmp_path / "blobs"), (three, tmp_path / "three.db.blobs")):
            assert len([path for path in files.rglob("*") if path.is_file()]) == 2
            assert await store.blobs_of(run.id) == await one.blobs_of(run.id)
            assert (await check_store(store))[1] == []
    assert len(server.listed("copied/")) == 2


async def pyagent(folder: Path, *arguments: str, **variables: str) -> tuple[int | None, str]:
    """Exit code and output of a command line, which shows no secret."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pyagent.cli", *arguments),
        cwd=folder,
        env={
            **os.environ,
            "PYAGENT_STORE": str(folder / "pyagent.db"),
            "PYAGENT_BLOBS": f"s3://bucket/{folder.name}",
            **variables,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert SECRET not in out.decode()
    assert KEY not in out.decode()
    return process.returncode, out.decode()


async def filled(path: Path, setting: str) -> str:
    """A store with a large blob; its digest."""
    async with opened(path, setting) as store:
        content = random_bytes(LARGE, 1)
        first = Commit(status="completed", blobs=[(digest_of(content), content)])
        await store.create_run(new_run(), first=first)
        return digest_of(content)


async def test_the_commands_know_where_blobs_are(tmp_path: Path, server: S3Server) -> None:
    base = f"s3://bucket/{tmp_path.name}"
    digest = await filled(tmp_path / "pyagent.db", base)
    code, out = await pyagent(tmp_path, "store", "stats")
    assert code == 0
    assert f"{base}/" in out
    code, out = await pyagent(tmp_path, "store", "stats", "--json")
    [place] = json.loads(out)["blobs_at"]
    assert place.startswith(f"{base}/")
    assert json.loads(out)["blobs_at"][place] == {"blobs": 1, "bytes": LARGE}
    code, out = await pyagent(tmp_path, "doctor", "--json")
    found = {each["name"]: each for each in json.loads(out)}
    assert (found["blobs"]["status"], found["blobs"]["detail"]) == ("ok", f"{base} can be written and read")
    code, out = await pyagent(tmp_path, "doctor", "--json", PYAGENT_BLOBS="s3://nobucket/told")
    found = {each["name"]: each for each in json.loads(out)}
    assert found["blobs"]["status"] == "missing"
    assert found["blobs"]["hint"]
    [key] = server.listed(f"{tmp_path.name}/")
    server.change(key, None)
    code, out = await pyagent(tmp_path, "store", "check")
    assert code == 5
    assert digest in out
    code, out = await pyagent(tmp_path, "settings")
    assert "AWS_SECRET_ACCESS_KEY" in out


async def test_the_commands_of_the_guide_do_what_it_says(tmp_path: Path, server: S3Server) -> None:
    for name in ("pyagent.db", "old.db"):
        await filled(tmp_path / name, f"s3://bucket/{tmp_path.name}")
    commands = re.findall(r"(?:(?<=\n)|PYAGENT_BLOBS=s3://bucket/new )pyagent ([a-z. ]+[a-z])", GUIDE)
    assert commands == ["doctor", "store stats", "store check", "store copy old.db new.db"]
    for command in commands[:-1]:
        code, out = await pyagent(tmp_path, *command.split())
        assert code in (0, 5) if command == "doctor" else code == 0, out
    code, out = await pyagent(tmp_path, *commands[-1].split(), PYAGENT_BLOBS="s3://bucket/new")
    assert code == 0, out
    assert len(server.listed("new/")) == 1
    code, out = await pyagent(tmp_path, "store", "check", "--store", "new.db")
    assert code == 0, out
