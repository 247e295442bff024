"""A run travels as one file: what it was comes out whole, what is secret does not, and nothing of it acts."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_lab import graph
from pyagent.errors import NotFound
from pyagent.runtime.engine import Engine
from pyagent.runtime.imported import ImportedRun, is_imported
from pyagent.runtime.inspect import step_data
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.run_export import Exported, export_run
from pyagent.runtime.run_import import RunExists, import_run
from pyagent.runtime.store_check import check_store
from pyagent.runtime.store_runs import every_event
from pyagent.sdk import BlobRef, Context, Item, Items, NoParams, Registry, node
from pyagent.store.base import Event, Run, StepRecord, Store
from pyagent.store.sqlite import SqliteStore
from pyagent.testing import MemoryStore

SECRET = "correct-horse-battery"
CHAIN = graph(
    {
        "make": {
            "use": "data.set",
            "with": {"fields": {"text": "{{ 'x'.repeat(20000) }}", "who": "{{ $inputs.who }}"}},
        },
        "each": {"use": "flow.map", "body": ({"inner": {"use": "flow.noop"}}, [])},
        "ask": {"use": "flow.approve", "with": {"title": "Go on?"}},
        "after": {"use": "flow.noop"},
    },
    ["make -> each", "each -> ask", "ask.approved -> after"],
    id="chain",
)
LEAKY = """
pyagent: 1
id: leaky
inputs:
  pin: {type: string, writeOnly: true}
nodes:
  - {id: leak, use: leaky.leak@1, with: {note: "token: abcdef123456"}}
outputs: {said: "{{ $('leak').first().json }}"}
"""


class _Note(NoParams):
    note: str = ""


@node("leaky.leak", title="Leak", effects="idempotent")
async def leak(items: Items, params: _Note, ctx: Context) -> Items:
    """Puts out its credential in every way it can."""
    password = (await ctx.credential("vault"))["password"]
    text = await ctx.blobs.put(f"the word is {password}".encode(), name="word.txt", media_type="text/plain")
    raw = await ctx.blobs.put(b"\xff\x00" + password.encode(), name="word.bin")
    return Items.of(
        [
            Item(
                {
                    "plain": f"it is {password}!",
                    password: 1,
                    "nested": [{"deep": password}],
                    "header": {"Authorization": "whatever it may be"},
                    "key": "sk-abcdefghijklmnopqrstuvwxyz",
                    "again": items[0].json,
                    "filler": "x" * 20_000,
                },
                {"text": text, "raw": raw},
            )
        ]
    )


def leaky() -> Registry:
    registry = Registry({})
    registry.add(leak)
    return registry


async def finished(engine: Engine, who: str = "ada") -> Run:
    run = await engine.run(CHAIN, {"who": who})
    await engine.answer(run.id, "", True, actor="ada")
    return await engine.drive(run.id)


def told(events: list[Event]) -> list[tuple[object, ...]]:
    return [(event.kind, event.step, event.at, dict(event.data)) for event in events]


def plain(steps: list[StepRecord]) -> list[StepRecord]:
    return [replace(step, lineage=None) for step in steps]


def contents(path: Path) -> bytes:
    with zipfile.ZipFile(path) as file:
        return b"\n".join(name.encode() + b"\n" + file.read(name) for name in file.namelist())


class TestRoundTrip:
    async def test_a_run_that_has_ended_comes_out_as_it_was(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        engine = Engine(source)
        run = await finished(engine)
        exported = await export_run(engine, run.id, tmp_path / "run.zip")
        assert (exported.runs, exported.masked, exported.notes) == ([run.id], 0, [])

        done = await import_run(Engine(target), tmp_path / "run.zip")

        assert (done.runs, done.status, done.graphs, done.replayed, done.notes) == ([run.id], "completed", 1, True, [])
        there = await target.get_run(run.id)
        assert is_imported(there)
        assert replace(there, labels={}, lease_owner=None) == await source.get_run(run.id)
        assert await target.read_log(run.id) == await source.read_log(run.id)
        assert plain(await target.steps(run.id)) == plain(await source.steps(run.id))
        [*events, last] = await every_event(target, run.id)
        assert told(events) == told(await every_event(source, run.id))
        assert (last.kind, dict(last.data)) == ("run.imported", {"status": "completed", "actor": "local"})
        assert (await check_store(target))[1] == []

    async def test_the_same_run_gives_the_same_bytes(self, source: SqliteStore, tmp_path: Path) -> None:
        engine = Engine(source)
        run = await finished(engine)
        for name in ("one.zip", "two.zip"):
            await export_run(engine, run.id, tmp_path / name)
        assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()

    async def test_what_was_imported_can_be_exported_and_imported_again(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        run = await finished(Engine(source))
        await export_run(Engine(source), run.id, tmp_path / "one.zip")
        await import_run(Engine(target), tmp_path / "one.zip")
        await export_run(Engine(target), run.id, tmp_path / "two.zip")
        done = await import_run(Engine(target), tmp_path / "two.zip", as_new=True)
        assert done.runs != [run.id]
        assert await target.read_log(done.runs[0]) == await source.read_log(run.id)

    async def test_a_failed_run_keeps_its_error(self, source: SqliteStore, target: Store, tmp_path: Path) -> None:
        engine = Engine(source)
        run = await engine.run(graph({"stop": {"use": "flow.stop", "with": {"status": "failed", "message": "no"}}}, []))
        assert run.status == "failed"
        await export_run(engine, run.id, tmp_path / "run.zip")
        await import_run(Engine(target), tmp_path / "run.zip")
        assert (await target.get_run(run.id)).error == run.error

    async def test_long_lists_keep_their_pages(self, source: SqliteStore, target: Store, tmp_path: Path) -> None:
        many = graph(
            {
                "split": {"use": "data.split", "with": {"field": "numbers", "into": "n"}},
                "even": {"use": "flow.filter", "with": {"when": "{{ $json.n % 2 == 0 }}"}},
            },
            ["split -> even"],
            id="many",
        )
        run = await Engine(source).run(many, {"numbers": list(range(4_200))})
        assert run.status == "completed"
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        assert (await import_run(Engine(target), tmp_path / "run.zip")).replayed
        assert await target.read_log(run.id) == await source.read_log(run.id)
        there = await step_data(Engine(target), run.id, "even")
        assert [item.json["n"] for item in there.outputs["out"]][-1] == 4198
        assert (await check_store(target))[1] == []
        await export_run(Engine(source), run.id, tmp_path / "shapes.zip", without_data=True)
        assert (await import_run(Engine(target), tmp_path / "shapes.zip", as_new=True)).replayed


class TestNeverExecuted:
    async def test_a_run_that_waits_comes_in_as_cancelled_and_is_nobodys_to_take(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        run = await Engine(source).run(CHAIN, {"who": "ada"}, key="nightly")
        assert run.status == "waiting"
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        done = await import_run(Engine(target), tmp_path / "run.zip")
        assert done.status == "waiting"
        engine = Engine(target)
        there = await target.get_run(run.id)
        assert (there.status, there.wake_at, (there.error or {})["code"]) == ("cancelled", None, "run.imported")
        assert {step.status for step in await target.steps(run.id)} <= {"completed", "cancelled"}
        assert await target.claimable() == []
        with pytest.raises(ImportedRun):
            await engine.resume(run.id)
        with pytest.raises(NotFound):
            await engine.answer(run.id, "", True)
        await target.post(run.id, "resume")
        assert await target.claimable() == []
        # The start key is told, and free.
        assert there.key == "nightly"
        assert (await engine.start(CHAIN, {"who": "bob"}, key="nightly")).id != run.id

    async def test_an_imported_run_that_failed_is_not_resumed_either(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        stop = graph({"stop": {"use": "flow.stop", "with": {"status": "failed", "message": "no"}}}, [])
        run = await Engine(source).run(stop)
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        await import_run(Engine(target), tmp_path / "run.zip")
        with pytest.raises(ImportedRun):
            await Engine(target).resume(run.id)

    async def test_a_fork_of_it_is_a_run_of_ones_own(self, source: SqliteStore, target: Store, tmp_path: Path) -> None:
        run = await Engine(source).run(CHAIN, {"who": "ada"})
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        await import_run(Engine(target), tmp_path / "run.zip")
        engine = Engine(target)
        fork = await engine.drive((await engine.fork(run.id, "ask")).id)
        assert (fork.status, is_imported(fork)) == ("waiting", False)
        await engine.answer(fork.id, "", True)
        assert (await engine.drive(fork.id)).status == "completed"

    async def test_the_newest_version_of_a_graph_that_is_here_stays_the_newest(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        run = await finished(Engine(source))
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        other = graph({"only": {"use": "flow.noop"}}, [], id="chain")
        mine = await Engine(target).run(other)
        await import_run(Engine(target), tmp_path / "run.zip")
        assert (await target.latest_graph("chain")).hash == mine.graph_hash
        assert (await target.get_graph(run.graph_hash)).text

    async def test_it_is_no_successor_of_a_run_that_is_here(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        mine = await Engine(target).run(CHAIN, {"who": "me"})
        run = await finished(Engine(source))
        await source.restore(replace(run, continues=mine.id))
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        await import_run(Engine(target), tmp_path / "run.zip")
        assert (await target.get_run(mine.id)).continued_as is None


class TestIds:
    async def test_a_run_that_is_here_is_refused_or_gets_a_new_id(self, source: SqliteStore, tmp_path: Path) -> None:
        engine = Engine(source)
        run = await finished(engine)
        await export_run(engine, run.id, tmp_path / "run.zip")
        with pytest.raises(RunExists) as raised:
            await import_run(engine, tmp_path / "run.zip")
        assert raised.value.code == "run_file.exists"
        done = await import_run(engine, tmp_path / "run.zip", as_new=True)
        there = await source.get_run(done.runs[0])
        assert there.labels["imported_from"] == run.id
        assert await source.read_log(there.id) == await source.read_log(run.id)

    async def test_children_come_along_where_they_are_wanted(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        engine = Engine(source)
        run = await finished(engine)
        child = await engine.run(CHAIN, {"who": "child"}, parent_run=run.id, parent_step="make")
        grandchild = await engine.run(CHAIN, {"who": "grandchild"}, parent_run=child.id, parent_step="make")
        assert (await export_run(engine, run.id, tmp_path / "one.zip")).runs == [run.id]
        family = await export_run(engine, run.id, tmp_path / "all.zip", with_children=True)
        assert family.runs == [run.id, child.id, grandchild.id]
        done = await import_run(Engine(target), tmp_path / "all.zip", as_new=True)
        assert not set(done.runs) & set(family.runs)
        parents = [(await target.get_run(each)).parent_run for each in done.runs]
        assert parents == [None, done.runs[0], done.runs[1]]

    async def test_an_import_that_fails_half_way_leaves_no_run(
        self, source: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = Engine(source)
        run = await finished(engine)
        await engine.run(CHAIN, {"who": "child"}, parent_run=run.id, parent_step="make")
        await export_run(engine, run.id, tmp_path / "run.zip", with_children=True)
        store = MemoryStore()
        await store.open()
        create, calls = store.create_run, 0

        async def failing(*given: object, **more: object) -> Run:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise OSError("the disk is gone")
            return await create(*given, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(store, "create_run", failing)
        with pytest.raises(OSError, match="gone"):
            await import_run(Engine(store), tmp_path / "run.zip")
        assert await store.list_runs() == []


class TestSecrets:
    @pytest.fixture(autouse=True)
    def vault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYAGENT_CREDENTIAL_VAULT", json.dumps({"password": SECRET}))

    async def test_no_secret_gets_into_the_file(self, source: SqliteStore, target: Store, tmp_path: Path) -> None:
        engine = Engine(source, registry=leaky())
        run = await engine.run(LEAKY, {"pin": "pin-of-ada-7731"})
        assert run.status == "completed"
        assert SECRET in (run.outputs or b"").decode()
        exported = await export_run(engine, run.id, tmp_path / "run.zip")
        inside = contents(tmp_path / "run.zip")
        for word in (SECRET, "pin-of-ada-7731", "sk-abcdef", "abcdef123456", "whatever it may be"):
            assert word.encode() not in inside, word
        assert exported.masked > 5
        assert any("another version" in note for note in exported.notes)

        done = await import_run(Engine(target, registry=leaky()), tmp_path / "run.zip")
        assert done.replayed
        there = await target.get_run(run.id)
        assert there.graph_hash != run.graph_hash
        assert (await check_store(target))[1] == []
        [item] = (await Engine(target, registry=leaky()).log(run.id))[-2].outputs["out"]  # type: ignore[index]
        assert item.json["plain"] == "it is ••••!"
        assert item.binary is not None
        assert isinstance(item.binary["text"], BlobRef)
        content = await target.get_blob(item.binary["text"].digest)
        assert (content.decode(), item.binary["text"].size) == ("the word is ••••", len(content))

    async def test_what_a_graph_called_with_items_is_given_for_a_secret_input_stays_here(
        self, source: SqliteStore, target: Store, tmp_path: Path
    ) -> None:
        (tmp_path / "called.yaml").write_text(
            "pyagent: 1\nid: called\ninputs: {pin: {type: string, writeOnly: true}}\n"
            "nodes: [{id: inner, use: flow.noop@1}]\n"
        )
        call = {"graph": "called", "items": True, "inputs": {"pin": "{{ 'pin-of' + '-ada-5512' }}"}}
        engine = Engine(source, library=GraphLibrary([tmp_path]))
        run = await engine.run(graph({"call": {"use": "flow.graph", "with": call}}, []))
        assert run.status == "completed", run.error
        await export_run(engine, run.id, tmp_path / "run.zip")
        assert b"pin-of-ada-5512" not in contents(tmp_path / "run.zip")
        assert (await import_run(Engine(target), tmp_path / "run.zip")).replayed

    async def test_a_credential_that_is_not_set_here_is_told(
        self, source: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = graph({"get": {"use": "io.http", "with": {"url": "http://x", "auth": {"credential": "shop"}}}}, [])
        engine = Engine(source)
        run = await engine.start(text)
        exported = await export_run(engine, run.id, tmp_path / "run.zip")
        assert any("shop" in note for note in exported.notes)

    async def test_a_credential_that_says_a_word_of_the_engine_masks_no_status(
        self, source: SqliteStore, target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYAGENT_CREDENTIAL_ODD", json.dumps({"a": "completed", "b": "make", "c": "approval"}))
        run = await finished(Engine(source))
        await export_run(Engine(source), run.id, tmp_path / "run.zip")
        done = await import_run(Engine(target), tmp_path / "run.zip")
        assert done.replayed

    async def test_without_data_only_shapes_are_left(self, source: SqliteStore, target: Store, tmp_path: Path) -> None:
        engine = Engine(source)
        run = await finished(engine, who="ada.lovelace@example.org")
        exported = await export_run(engine, run.id, tmp_path / "run.zip", without_data=True)
        inside = contents(tmp_path / "run.zip")
        assert b"lovelace" not in inside
        assert b"xxxx" not in inside
        assert b"text of 24" in inside
        assert exported.notes == []
        done = await import_run(Engine(target), tmp_path / "run.zip")
        assert done.replayed
        assert [step.status for step in await target.steps(run.id)] == [
            step.status for step in await source.steps(run.id)
        ]
        assert (await check_store(target))[1] == []

    async def test_a_run_of_nodes_that_are_not_installed_comes_in_and_says_so(
        self, source: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYAGENT_CREDENTIAL_VAULT", json.dumps({"password": SECRET}))
        engine = Engine(source, registry=leaky())
        run = await engine.run(LEAKY, {"pin": "1234567"})
        await export_run(engine, run.id, tmp_path / "run.zip")
        store = MemoryStore()
        await store.open()
        done = await import_run(Engine(store), tmp_path / "run.zip")
        assert not done.replayed
        assert any("leaky.leak" in note for note in done.notes)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
async def test_whatever_a_run_was_given_comes_out_again(tmp_path: Path, data: object) -> None:
    one, other = MemoryStore(), MemoryStore()
    await one.open()
    await other.open()
    run = await Engine(one).run(graph({"only": {"use": "flow.noop"}}, [], id="small"), {"data": data})
    path = tmp_path / "run.zip"
    path.unlink(missing_ok=True)
    exported: Exported = await export_run(Engine(one), run.id, path)
    if exported.masked:
        return
    await import_run(Engine(other), path)
    assert (await other.get_run(run.id)).inputs == run.inputs
    assert await other.read_log(run.id) == await one.read_log(run.id)
    without = tmp_path / "without.zip"
    without.unlink(missing_ok=True)
    await export_run(Engine(one), run.id, without, without_data=True)
    assert (await import_run(Engine(other), without, as_new=True)).replayed
