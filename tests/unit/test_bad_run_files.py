"""Files of runs that are damaged, odd or hostile are refused, with a code, before anything is written."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_lab import graph
from pyagent.errors import RunError
from pyagent.native import blake3_hex
from pyagent.runtime.engine import Engine
from pyagent.runtime.run_export import export_run
from pyagent.runtime.run_file import BadRunFile
from pyagent.runtime.run_import import DecidesOtherwise, import_run
from pyagent.testing import MemoryStore


class TestBadFiles:
    @pytest.fixture
    async def good(self, tmp_path: Path) -> bytes:
        store = MemoryStore()
        await store.open()
        run = await Engine(store).run(graph({"only": {"use": "flow.noop"}}, [], id="small"), {"n": 1})
        await export_run(Engine(store), run.id, tmp_path / "good.zip")
        return (tmp_path / "good.zip").read_bytes()

    async def code(self, path: Path, content: bytes, **options: object) -> str:
        path.write_bytes(content)
        store = MemoryStore()
        await store.open()
        with pytest.raises((BadRunFile, RunError)) as raised:
            await import_run(Engine(store), path, **options)  # type: ignore[arg-type]
        assert raised.value.hint
        assert await store.list_runs() == []
        assert await store.graph_ids() == []
        return raised.value.code

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
    async def test_no_bit_can_change_unseen(self, good: bytes, tmp_path: Path, place: int, bit: int) -> None:
        changed = bytearray(good)
        changed[place % len(good)] ^= 1 << bit
        assert (await self.code(tmp_path / "bad.zip", bytes(changed))).startswith("run_file.")

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(length=st.integers(min_value=0))
    async def test_a_file_that_is_cut_is_refused(self, good: bytes, tmp_path: Path, length: int) -> None:
        assert await self.code(tmp_path / "bad.zip", good[: length % len(good)]) in (
            "run_file.damaged",
            "run_file.no_run",
        )

    @pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x00" * 1000])
    async def test_what_is_no_exported_run_is_refused(self, tmp_path: Path, content: bytes) -> None:
        assert await self.code(tmp_path / "bad.zip", content) in ("run_file.no_run", "run_file.damaged")

    async def test_a_newer_format_says_so(self, good: bytes, tmp_path: Path) -> None:
        newer = good.replace(b"pyagent-run 1 ", b"pyagent-run 2 ")
        assert await self.code(tmp_path / "bad.zip", newer) == "run_file.version"

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    async def test_a_part_with_a_path_for_a_name_is_refused(self, good: bytes, tmp_path: Path) -> None:
        for name in ("../../etc/passwd", "/etc/passwd", "runs/x/run.json", "blobs/../x", "manifest.json"):
            made = remade(good, tmp_path, more={name: b"{}"})
            assert await self.code(tmp_path / "bad.zip", made) == "run_file.part"

    async def test_a_bomb_is_refused_before_it_is_unpacked(self, good: bytes, tmp_path: Path) -> None:
        bomb = b"\0" * 3_000_000
        made = remade(good, tmp_path, more={f"blobs/{blake3_hex(bomb)}": bomb})
        assert len(made) < 30_000
        assert await self.code(tmp_path / "bad.zip", made, limit=1_000_000) == "run_file.too_large"

    async def test_a_part_that_lies_about_its_size_is_refused(self, good: bytes, tmp_path: Path) -> None:
        bomb = b"\0" * 3_000_000
        name = f"blobs/{blake3_hex(bomb)}"
        made = remade(good, tmp_path, more={name: bomb}, sizes={name: 10})
        assert (await self.code(tmp_path / "bad.zip", made)) == "run_file.damaged"

    async def test_a_payload_that_is_something_else_is_refused(self, good: bytes, tmp_path: Path) -> None:
        made = remade(good, tmp_path, more={"blobs/" + "0" * 64: b"x"})
        assert await self.code(tmp_path / "bad.zip", made) == "run_file.damaged"

    @pytest.mark.parametrize(
        ("part", "old", "new", "code"),
        [
            (r"graphs/.*", "small", "smell", "run_file.invalid"),
            (r"graphs/.*", "flow.noop", "flow.stop", "run_file.invalid"),
            (r"graphs/.*", "pyagent: 1", "pyagent: [", "run_file.invalid"),
            (r".*/run\.json", '"status":"completed"', '"status":"dancing"', "run_file.invalid"),
            (r".*/run\.json", '"id":"', '"id":"../', "run_file.invalid"),
            (r".*/run\.json", '"blobs":[]', '"blobs":["' + "0" * 64 + '"]', "run_file.invalid"),
            (r".*/log\.jsonl", '"kind":"step.ended"', '"kind":"step.exploded"', "run_file.invalid"),
            (r".*/log\.jsonl", '"status":"completed"', '"sadness":1', "run_file.decides_otherwise"),
            (r".*/log\.jsonl", '"data":', '"date":', "run_file.invalid"),
            (r".*/log\.jsonl", '"step":"only"', '"step":"only@x"', "run_file.invalid"),
            (r".*/decisions\.jsonl", '"only"', '"lonely"', "run_file.decides_otherwise"),
            (r".*/steps\.jsonl", '"status":"completed"', '"status":7', "run_file.invalid"),
            (r".*/events\.jsonl", '"kind":"', '"kind":"<b>', "run_file.invalid"),
            (r".*/events\.jsonl", "{", "[", "run_file.invalid"),
            (r".*/events\.jsonl", '"at":"20', '"at":"00', "run_file.invalid"),
            (r".*/steps\.jsonl", '"started_at":"20', '"started_at":"99', "run_file.invalid"),
            (r"manifest\.json", '"format":1', '"format":3', "run_file.invalid"),
        ],
    )
    async def test_a_file_whose_parts_do_not_fit_is_refused(
        self, good: bytes, tmp_path: Path, part: str, old: str, new: str, code: str
    ) -> None:
        made = remade(good, tmp_path, change=(part, old.encode(), new.encode()))
        assert await self.code(tmp_path / "bad.zip", made) == code

    async def test_a_run_that_decides_otherwise_here_comes_in_where_that_is_wanted(
        self, good: bytes, tmp_path: Path
    ) -> None:
        made = remade(good, tmp_path, change=(r".*/decisions\.jsonl", b'"only"', b'"lonely"'))
        (tmp_path / "odd.zip").write_bytes(made)
        store = MemoryStore()
        await store.open()
        with pytest.raises(DecidesOtherwise):
            await import_run(Engine(store), tmp_path / "odd.zip")
        done = await import_run(Engine(store), tmp_path / "odd.zip", unchecked=True)
        assert not done.replayed
        assert "decides otherwise" in done.notes[0]


def remade(
    content: bytes,
    folder: Path,
    *,
    more: dict[str, bytes] | None = None,
    change: tuple[str, bytes, bytes] | None = None,
    sizes: dict[str, int] | None = None,
) -> bytes:
    """The file with other parts, sealed anew as anybody could."""
    (folder / "before.zip").write_bytes(content)
    path = folder / "remade.zip"
    found = 0
    with zipfile.ZipFile(folder / "before.zip") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if change is not None and re.fullmatch(change[0], name):
                found += part.count(change[1])
                part = part.replace(change[1], change[2])
            new.writestr(name, part)
        for name, part in (more or {}).items():
            new.writestr(name, part)
        for name, size in (sizes or {}).items():
            new.NameToInfo[name].file_size = size
        new.comment = b"pyagent-run 1 blake3:" + b"0" * 64
    assert found or change is None
    whole = path.read_bytes()[:-64]
    return whole + blake3_hex(whole).encode()
