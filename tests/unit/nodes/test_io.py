"""The nodes that read and write files."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from pyagent.sdk import BlobRef, Item, NodeCancelled, NodeError, Registry
from pyagent.testing import TestBlobs, TestCancelToken, run_node
from pyagent_nodes.io.read_file import read_file
from pyagent_nodes.io.write_file import write_file


@pytest.mark.parametrize("name", ["read_file", "write_file"])
def test_each_type_is_found_by_its_name_alone_and_may_be_repeated(name):
    found = Registry({"io": "pyagent_nodes.io"}).get(f"io.{name}")
    assert found is not None
    assert found.description
    assert found.effects_for(None) == "idempotent"
    for field in found.params.model_fields.values():
        assert field.description


async def code_of(node_type, params, items=({},), **options) -> str:
    with pytest.raises(NodeError) as caught:
        await run_node(node_type, items, params, **options)
    assert caught.value.hint
    return caught.value.code


class TestRead:
    async def test_text_comes_with_what_is_known_of_the_file(self, tmp_path: Path):
        path = tmp_path / "grüße 😀.txt"
        path.write_bytes("\ufeffhallo\r\nwelt ü".encode())
        os.utime(path, (0, 1_700_000_000))
        run = await run_node(read_file, [{"a": 1}], {"path": str(path)})
        assert run.json() == [
            {
                "path": str(path),
                "name": path.name,
                "size": path.stat().st_size,
                "modified": "2023-11-14T22:13:20+00:00",
                "content": "hallo\r\nwelt ü",
            }
        ]
        assert run.sources() == [[0]]

    async def test_json_is_parsed_into_the_field_asked_for(self, tmp_path: Path):
        (tmp_path / "a.json").write_text('{"a": [1, "ü"]}')
        run = await run_node(read_file, [{}], {"path": "a.json", "as": "json", "into": "data.value"}, work_dir=tmp_path)
        assert run.json()[0]["data"] == {"value": {"a": [1, "ü"]}}

    @pytest.mark.parametrize("content", ["", "{", "NaN", "[" * 100_000])
    async def test_what_is_not_json_is_an_error(self, tmp_path: Path, content):
        (tmp_path / "a.json").write_text(content)
        assert await code_of(read_file, {"path": str(tmp_path / "a.json"), "as": "json"}) == "node.file_json"

    async def test_binary_becomes_a_blob_beside_those_the_item_has(self, tmp_path: Path):
        (tmp_path / "a.png").write_bytes(bytes(range(256)))
        old = BlobRef("0" * 64, 1)
        run = await run_node(
            read_file, [Item({}, {"old": old})], {"path": "a.png", "as": "binary", "binary": "image"}, work_dir=tmp_path
        )
        binary = run.outputs["out"][0].binary
        assert binary is not None
        assert binary["old"] == old
        assert (binary["image"].name, binary["image"].media_type, binary["image"].size) == ("a.png", "image/png", 256)
        assert await run.context.blobs.get(binary["image"]) == bytes(range(256))
        assert "content" not in run.json()[0]

    async def test_each_item_reads_its_own_file(self, tmp_path: Path):
        for name in "ab":
            (tmp_path / name).write_text(name * 2)
        run = await run_node(
            read_file, [{"p": "b"}, {"p": "a"}], lambda json, _: {"path": json["p"]}, work_dir=tmp_path
        )
        assert [json["content"] for json in run.json()] == ["bb", "aa"]
        assert run.sources() == [[0], [1]]

    async def test_a_pattern_reads_all_matches_in_order_and_no_directories(self, tmp_path: Path):
        (tmp_path / "deep" / "b.txt").mkdir(parents=True)
        for name in ("z.txt", "a.txt", "deep/c.txt", "a.md"):
            (tmp_path / name).write_text(name)
        run = await run_node(read_file, [{}], {"path": "**/*.txt", "glob": True}, work_dir=tmp_path)
        assert [json["content"] for json in run.json()] == ["a.txt", "deep/c.txt", "z.txt"]
        assert run.sources() == [[0], [0], [0]]
        assert run.progress[-1] == (2 / 3, "z.txt")

    async def test_a_pattern_without_matches_is_no_items(self, tmp_path: Path):
        assert (await run_node(read_file, [{}], {"path": "*.x", "glob": True}, work_dir=tmp_path)).outputs == {}

    async def test_a_folder_is_listed_without_reading_its_files(self, tmp_path: Path):
        (tmp_path / "b.bin").write_bytes(b"12345")
        (tmp_path / "b.bin").chmod(0)
        (tmp_path / "a").mkdir()
        listed = await run_node(read_file, [{}], {"path": f"{tmp_path}/*", "glob": True, "as": "none"})
        single = await run_node(read_file, [{}], {"path": f"{tmp_path}/b.bin", "as": "none", "max_size": 1})
        assert listed.json() == single.json()
        assert [(json["name"], json["size"], "content" in json) for json in single.json()] == [("b.bin", 5, False)]
        assert await code_of(read_file, {"path": f"{tmp_path}/a", "as": "none"}) == "node.file_kind"

    async def test_too_many_matches_are_an_error(self, tmp_path: Path):
        for name in "abc":
            (tmp_path / name).touch()
        params = {"path": "*", "glob": True, "max_files": 2}
        assert await code_of(read_file, params, work_dir=tmp_path) == "node.file_count"

    async def test_the_size_limit_is_exact(self, tmp_path: Path):
        path = tmp_path / "a"
        path.write_bytes(b"x" * 1000)
        assert (await run_node(read_file, [{}], {"path": str(path), "max_size": 1000})).json()[0]["size"] == 1000
        assert await code_of(read_file, {"path": str(path), "max_size": "999 B"}) == "node.file_size"

    async def test_files_that_lie_about_their_size_are_limited_too(self):
        assert await code_of(read_file, {"path": "/proc/self/environ", "max_size": 1}) == "node.file_size"

    async def test_what_is_no_regular_file_is_refused_at_once(self, tmp_path: Path):
        os.mkfifo(tmp_path / "pipe")
        assert await code_of(read_file, {"path": str(tmp_path / "pipe")}) == "node.file_kind"
        assert await code_of(read_file, {"path": "/dev/zero"}) == "node.file_kind"
        assert await code_of(read_file, {"path": str(tmp_path)}) == "node.file_kind"

    async def test_errors_name_the_file_and_say_what_to_do(self, tmp_path: Path):
        (tmp_path / "a").write_bytes(b"\xff")
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        assert await code_of(read_file, {"path": str(tmp_path / "gone")}) == "node.file_missing"
        assert await code_of(read_file, {"path": str(tmp_path / "a" / "b")}) == "node.file_missing"
        assert await code_of(read_file, {"path": str(tmp_path / "a")}) == "node.file_encoding"
        assert await code_of(read_file, {"path": str(tmp_path / "a"), "encoding": "klingon"}) == "node.file_encoding"
        assert await code_of(read_file, {"path": str(loop)}) == "node.file_kind"
        assert await code_of(read_file, {"path": "a\0b"}) == "node.file_name"
        assert await code_of(read_file, {"path": "x" * 300}) == "node.file_name"
        assert await code_of(read_file, {"path": "~no-such-user/x"}) == "node.file_missing"

    async def test_a_cancel_ends_it_between_files(self, tmp_path: Path):
        for name in "abc":
            (tmp_path / name).touch()
        token = TestCancelToken()

        class Cancelling(TestBlobs):
            async def put(self, *given, **options):
                token.trigger()
                return await super().put(*given, **options)

        blobs = Cancelling()
        params = {"path": "*", "glob": True, "as": "binary"}
        with pytest.raises(NodeCancelled):
            await run_node(read_file, [{}], params, work_dir=tmp_path, cancel=token, blobs=blobs)
        assert len(blobs.contents) == 1

    @pytest.mark.parametrize(
        "params", [{}, {"path": ""}, {"path": "a", "as": "xml"}, {"path": "a", "max_size": "much"}]
    )
    async def test_bad_parameters_are_refused(self, params):
        with pytest.raises(ValidationError):
            await run_node(read_file, [{}], params)


class TestWrite:
    async def test_a_file_that_goes_with_the_run_is_told_of_once(self, tmp_path: Path):
        run = await run_node(
            write_file, [{}, {}], lambda json, index: {"path": f"{index}.txt", "content": "a"}, work_dir=tmp_path
        )
        assert [log["message"].partition(" ")[0] for log in run.logs] == ["0.txt"]
        kept = await run_node(write_file, [{}], {"path": str(tmp_path / "a.txt"), "content": "a"})
        assert kept.logs == []

    async def test_text_is_written_directories_are_made_and_the_item_goes_on(self, tmp_path: Path):
        run = await run_node(write_file, [{"a": 1}], {"path": "neu/ü/datei.txt", "content": "grün"}, work_dir=tmp_path)
        path = tmp_path / "neu" / "ü" / "datei.txt"
        assert path.read_text(encoding="utf-8") == "grün"
        assert run.json() == [{"a": 1, "path": str(path), "size": 5, "written": True}]
        assert run.sources() == [[0]]
        assert [file.name for file in path.parent.iterdir()] == ["datei.txt"]

    async def test_json_is_readable_by_default_and_the_whole_item_if_nothing_is_said(self, tmp_path: Path):
        await run_node(write_file, [{"a": "ü"}], {"path": "a.json", "as": "json"}, work_dir=tmp_path)
        assert (tmp_path / "a.json").read_text() == '{\n  "a": "ü"\n}\n'
        params = {"path": "b.json", "as": "json", "content": [1, None], "indent": None}
        await run_node(write_file, [{}], params, work_dir=tmp_path)
        assert (tmp_path / "b.json").read_text() == "[1, null]\n"

    async def test_binary_comes_from_the_item(self, tmp_path: Path):
        blobs = TestBlobs()
        ref = await blobs.put(bytes(range(256)))
        await run_node(
            write_file,
            [Item({}, {"x": ref})],
            {"path": "f", "as": "binary", "binary": "x"},
            work_dir=tmp_path,
            blobs=blobs,
        )
        assert (tmp_path / "f").read_bytes() == bytes(range(256))
        assert await code_of(write_file, {"path": "f", "as": "binary"}, work_dir=tmp_path) == "node.binary_missing"

    async def test_what_is_read_is_what_was_written(self, tmp_path: Path):
        value = {"text": "zeile\r\n\u2028 😀", "numbers": [1, 2.5, -0.0, 10**15], "none": None}
        await run_node(write_file, [value], {"path": "a", "as": "json"}, work_dir=tmp_path)
        run = await run_node(read_file, [{}], {"path": "a", "as": "json"}, work_dir=tmp_path)
        assert run.json()[0]["content"] == value

    async def test_a_file_that_exists_is_replaced_and_keeps_its_permissions(self, tmp_path: Path):
        path = tmp_path / "a"
        path.write_text("old")
        path.chmod(0o640)
        await run_node(write_file, [{}], {"path": str(path), "content": "new"})
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    async def test_a_new_file_has_the_usual_permissions(self, tmp_path: Path):
        (tmp_path / "usual").touch()
        await run_node(write_file, [{}], {"path": "a", "content": ""}, work_dir=tmp_path)
        assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode

    async def test_a_link_stays_a_link(self, tmp_path: Path):
        (tmp_path / "target").write_text("old")
        (tmp_path / "link").symlink_to("target")
        await run_node(write_file, [{}], {"path": "link", "content": "new"}, work_dir=tmp_path)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_text() == "new"

    async def test_a_file_that_exists_may_be_kept_or_be_an_error_unless_it_is_the_same(self, tmp_path: Path):
        (tmp_path / "a").write_text("old")
        run = await run_node(write_file, [{}], {"path": "a", "content": "new", "exists": "keep"}, work_dir=tmp_path)
        assert run.json()[0]["written"] is False
        fails = {"path": "a", "content": "new", "exists": "fail"}
        assert await code_of(write_file, fails, work_dir=tmp_path) == "node.file_exists"
        run = await run_node(write_file, [{}], {**fails, "content": "old"}, work_dir=tmp_path)
        assert run.json()[0]["written"] is False
        assert (tmp_path / "a").read_text() == "old"
        assert len(list(tmp_path.iterdir())) == 1

    async def test_a_full_disk_leaves_the_old_file_and_nothing_else(self, tmp_path: Path, monkeypatch):
        (tmp_path / "a").write_text("old")

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        assert await code_of(write_file, {"path": "a", "content": "new"}, work_dir=tmp_path) == "node.disk_full"
        assert [file.name for file in tmp_path.iterdir()] == ["a"]
        assert (tmp_path / "a").read_text() == "old"

    async def test_no_reader_ever_sees_half_a_file(self, tmp_path: Path):
        path = tmp_path / "a.json"
        path.write_text("[]")
        seen = set()
        done = asyncio.Event()

        async def read() -> None:
            while not done.is_set():
                seen.add(len(json.loads(await asyncio.to_thread(path.read_text))))

        reader = asyncio.create_task(read())
        params = {"path": str(path), "as": "json", "content": list(range(50_000))}
        await run_node(write_file, [{}] * 5, params)
        done.set()
        await reader
        assert seen <= {0, 50_000}

    async def test_errors_say_what_to_do(self, tmp_path: Path):
        (tmp_path / "file").touch()
        at = {"work_dir": tmp_path}
        assert await code_of(write_file, {"path": ".", "content": ""}, **at) == "node.file_kind"
        assert await code_of(write_file, {"path": "file/x", "content": ""}, **at) == "node.file_missing"
        gone = {"path": "gone/x", "content": "", "make_dirs": False}
        assert await code_of(write_file, gone, **at) == "node.file_missing"
        assert await code_of(write_file, {"path": "x", "content": 5}, **at) == "node.file_content"
        latin = {"path": "x", "content": "€", "encoding": "latin-1"}
        assert await code_of(write_file, latin, **at) == "node.file_encoding"
        assert await code_of(write_file, {**latin, "encoding": "?"}, **at) == "node.file_encoding"
        nan = {"path": "x", "as": "json", "content": float("nan")}
        assert await code_of(write_file, nan, **at) == "node.file_content"
        assert not (tmp_path / "x").exists()

    async def test_contradicting_parameters_are_refused(self):
        with pytest.raises(ValidationError, match="comes from the item"):
            await run_node(write_file, [{}], {"path": "a", "as": "binary", "content": "x"})

    async def test_no_items_write_nothing(self, tmp_path: Path):
        await run_node(write_file, [], {"path": "a", "content": "x"}, work_dir=tmp_path)
        assert list(tmp_path.iterdir()) == []
