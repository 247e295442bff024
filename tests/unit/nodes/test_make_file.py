"""The nodes that make files and archives of items, and unpack archives."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile

import pytest
from pydantic import ValidationError

from pyagent.sdk import Item, NodeError
from pyagent.testing import TestBlobs, run_node
from pyagent_nodes.io.make_file import make_file
from pyagent_nodes.io.parse_file import parse_file
from pyagent_nodes.io.unzip import unzip
from pyagent_nodes.io.zip import zip as zip_node


async def made(items, **params) -> bytes:
    run = await run_node(make_file, items, params)
    [item] = run.outputs["out"]
    ref = item.binary["file"]
    content = run.context.blobs.contents[ref.digest]
    assert item.json == {"name": ref.name, "media_type": ref.media_type, "size": len(content), "rows": len(items)}
    assert run.sources() == [list(range(len(items)))]
    return content


async def code_of(node_type, items, params, **options) -> str:
    with pytest.raises(NodeError) as caught:
        await run_node(node_type, items, params, **options)
    assert caught.value.hint
    return caught.value.code


ROWS = [{"name": "Ann, B.", "n": 1, "ok": True}, {"name": "Ü\n😀", "more": [1, {"a": None}], "n": None}]


class TestMakeFile:
    async def test_csv_has_all_columns_in_the_order_in_which_they_come_up(self):
        text = 'name,n,ok,more\n"Ann, B.",1,true,\n"Ü\n😀",,,"[1, {""a"": null}]"\n'
        assert (await made(ROWS, format="csv")).decode() == text

    async def test_fields_are_chosen_and_ordered(self):
        items = [{"a": {"b": 1, "c": 2}, "d": 3}]
        assert await made(items, format="csv", fields=["d", "a.b"]) == b"d,a.b\n3,1\n"
        assert await made(items, format="jsonl", fields=["d", "a.b", "x"]) == b'{"d": 3, "a": {"b": 1}, "x": null}\n'
        assert await made(items, format="csv", nested="columns") == b"a.b,a.c,d\n1,2,3\n"

    async def test_documents_lose_nothing(self):
        blobs = TestBlobs()
        rows = [*ROWS, {"a": "no", "b": "012", "c": "2024-01-02"}]
        for format in ("json", "jsonl", "yaml"):
            run = await run_node(make_file, rows, {"format": format}, blobs=blobs)
            back = await run_node(parse_file, run.outputs["out"], {}, blobs=blobs)
            assert back.json() == rows, format
        assert await made([{"a": 1}], format="json", list=False, indent=None) == b'{"a": 1}\n'
        assert await code_of(make_file, ROWS, {"format": "json", "list": False}) == "node.make_file"

    async def test_text_is_written_one_after_the_other(self):
        assert await made([{"text": "a"}, {"text": "ü"}], format="text", separator=";", encoding="latin-1") == b"a;\xfc"
        assert await code_of(make_file, [{}], {"format": "text"}) == "node.make_file"
        assert (
            await code_of(make_file, [{"text": "€"}], {"format": "text", "encoding": "ascii"}) == "node.file_encoding"
        )
        assert await code_of(make_file, [{"text": "€"}], {"format": "text", "encoding": "?"}) == "node.file_encoding"

    async def test_a_spreadsheet_comes_back_as_it_went(self):
        blobs = TestBlobs()
        rows = [
            {"name": "Ann", "day": "2024-05-06", "at": "2024-05-06T07:08:09", "n": 1.5, "code": "007", "sum": "=1+2"},
            {"name": "Bob", "day": None, "at": "2024-05-06T07:08:09+02:00", "n": 2**60, "code": "", "sum": "-x"},
        ]
        run = await run_node(make_file, rows, {"format": "xlsx", "widths": {"name": 30}, "sheet": "May"}, blobs=blobs)
        back = await run_node(parse_file, run.outputs["out"], {"sheet": "May"}, blobs=blobs)
        rows[1]["n"] = str(2**60)
        assert back.json() == rows
        from openpyxl import load_workbook

        [ref] = run.outputs["out"][0].binary.values()
        sheet = load_workbook(io.BytesIO(blobs.contents[ref.digest]))["May"]
        assert (sheet.freeze_panes, sheet.column_dimensions["A"].width) == ("A2", 30)
        assert sheet["A1"].font.bold
        assert sheet["B2"].is_date
        assert sheet["F2"].data_type == "s"

    @pytest.mark.parametrize("format", ["csv", "json", "jsonl", "yaml", "xlsx"])
    async def test_the_same_items_give_the_same_bytes(self, format, monkeypatch):
        first = await made(ROWS, format=format)
        monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
        assert await made(ROWS, format=format) == first

    async def test_formulas_are_guarded_unless_allowed(self):
        rows = [{"a": "=cmd|' /C calc'!A0", "b": "+49 89", "c": "-5", "d": "@x", "=e": "\tx"}]
        assert await made(rows, format="csv") == b"a,b,c,d,'=e\n'=cmd|' /C calc'!A0,'+49 89,-5,'@x,'\tx\n"
        assert b"\n=cmd|" in await made(rows, format="csv", formulas="allow")
        for format in ("csv", "xlsx"):
            assert await code_of(make_file, rows, {"format": format, "formulas": "fail"}) == "node.make_file"

    async def test_what_no_workbook_can_hold_is_an_error(self):
        for value in ("x" * 40_000, "\x01"):
            assert await code_of(make_file, [{"a": value}], {"format": "xlsx"}) == "node.make_file"
        assert await code_of(make_file, [{"a": 1}], {"format": "xlsx", "sheet": "a/b"}) == "node.make_file"
        assert await code_of(make_file, [{"a": float("nan")}], {"format": "json"}) == "node.make_file"

    async def test_a_workbook_has_a_sheet_for_each_value_of_a_field_with_columns_of_its_own(self):
        blobs = TestBlobs()
        rows = [{"a": 1, "on": "B"}, {"b": 2, "on": "Ä & <b>"}, {"a": 3, "c": 4, "on": "B"}, {"a": 5}]
        run = await run_node(make_file, rows, {"format": "xlsx", "sheet_by": "on", "sheet": "Rest"}, blobs=blobs)
        from openpyxl import load_workbook

        assert run.json()[0]["rows"] == 4
        expected = {"B": [{"a": 1, "c": None}, {"a": 3, "c": 4}], "Ä & <b>": [{"b": 2}], "Rest": [{"a": 5}]}
        for sheet, found in expected.items():
            back = await run_node(parse_file, run.outputs["out"], {"sheet": sheet}, blobs=blobs)
            assert back.json() == found
        ref = run.outputs["out"][0].binary["file"]
        assert load_workbook(io.BytesIO(blobs.contents[ref.digest])).sheetnames == list(expected)

    async def test_sheets_that_no_workbook_can_have_are_an_error(self):
        params = {"format": "xlsx", "sheet_by": "on"}
        for names in (["a/b"], ["x" * 32], ["a", "A"], [str(number) for number in range(201)]):
            assert await code_of(make_file, [{"on": name} for name in names], params) == "node.make_file"
        with pytest.raises(ValidationError):
            await run_node(make_file, [{}], {"format": "csv", "sheet_by": "on"})

    async def test_texts_stay_what_they_are_in_a_spreadsheet(self):
        blobs = TestBlobs()
        rows = [{"a": text} for text in ("<&>\"'", " x ", "a\nb\tc", "é😀", "1.50", "true", "1900-01-05", "2024-13-01")]
        run = await run_node(make_file, rows, {"format": "xlsx", "sheet": "a & <b>"}, blobs=blobs)
        assert (await run_node(parse_file, run.outputs["out"], {}, blobs=blobs)).json() == rows
        many = {f"c{number}": number for number in range(800)}
        run = await run_node(make_file, [many], {"format": "xlsx"}, blobs=blobs)
        assert (await run_node(parse_file, run.outputs["out"], {}, blobs=blobs)).json() == [many]
        run = await run_node(make_file, [{"a": "=1+2"}], {"format": "xlsx", "formulas": "allow"}, blobs=blobs)
        assert (await run_node(parse_file, run.outputs["out"], {"formulas": "text"}, blobs=blobs)).json() == [
            {"a": "=1+2"}
        ]

    async def test_no_items_make_an_empty_file(self):
        assert await made([], format="json") == b"[]\n"
        assert await made([], format="csv") == b""
        assert (await made([], format="xlsx"))[:2] == b"PK"

    async def test_a_name_is_no_path(self):
        with pytest.raises(ValidationError, match="without folders"):
            await run_node(make_file, [], {"format": "csv", "name": "../a.csv"})


async def files(blobs: TestBlobs, contents: dict[str, bytes]) -> list[Item]:
    return [Item({"p": name}, {"file": await blobs.put(data, name=name)}) for name, data in contents.items()]


def archive(entries) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info, content in entries:
            target.writestr(info, content)
    return raw.getvalue()


async def unzipped(content: bytes, **params):
    blobs = TestBlobs()
    ref = await blobs.put(content, name="a.zip")
    run = await run_node(unzip, [Item({}, {"file": ref})], params, blobs=blobs)
    return [(item.json["path"], blobs.contents[item.binary["file"].digest]) for item in run.outputs.get("out", ())]


async def unzip_code(content: bytes, **params) -> str:
    with pytest.raises(NodeError) as caught:
        await unzipped(content, **params)
    assert caught.value.hint
    return caught.value.code


class TestZip:
    async def test_what_is_packed_comes_out_and_the_same_files_give_the_same_bytes(self):
        blobs = TestBlobs()
        items = await files(blobs, {"a.txt": b"a" * 1000, "ü/😀.bin": bytes(range(256))})
        params = lambda json, index: {"path": json["p"]}  # noqa: E731
        first, second = [await run_node(zip_node, items, params, blobs=blobs) for _ in range(2)]
        assert first.outputs["out"] == second.outputs["out"]
        assert first.json()[0]["files"] == 2
        assert first.sources() == [[0, 1]]
        back = await run_node(unzip, first.outputs["out"], {}, blobs=blobs)
        assert [json["path"] for json in back.json()] == ["a.txt", "ü/😀.bin"]
        assert [item.binary["file"].size for item in back.outputs["out"]] == [1000, 256]
        assert (await run_node(unzip, first.outputs["out"], {"match": "*.txt"}, blobs=blobs)).json()[0][
            "name"
        ] == "a.txt"

    async def test_paths_must_differ_and_stay_inside(self):
        blobs = TestBlobs()
        items = await files(blobs, {"a": b"1", "b": b"2"})
        for path in ("same", "../a", "/etc/x", "c:/x"):
            assert await code_of(zip_node, items, {"path": path}, blobs=blobs) == "node.zip_path"
        assert await code_of(zip_node, items, {"max_total": 1}, blobs=blobs) == "node.zip_size"
        assert await code_of(zip_node, [{}], {}) == "node.binary_missing"

    @pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../b", "..\\evil", "C:\\evil"])
    async def test_a_path_that_leads_out_is_refused(self, path):
        assert await unzip_code(archive([("ok", b"x"), (path, b"x")])) == "node.zip_unsafe"

    async def test_links_are_refused(self):
        link = zipfile.ZipInfo("link")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        assert await unzip_code(archive([(link, b"/etc/passwd")])) == "node.zip_unsafe"

    async def test_limits_hold(self):
        assert await unzip_code(archive([("a", b"0" * 5_000_000)])) == "node.zip_size"
        assert len(await unzipped(archive([("a", b"0" * 5_000_000)]), max_ratio=10_000)) == 1
        assert await unzip_code(archive([("a", b"0" * 500)]), max_file=499) == "node.zip_size"
        many = archive([(f"{n}", b"0" * 50) for n in range(20)])
        assert await unzip_code(many, max_total=999) == "node.zip_size"
        assert await unzip_code(many, max_files=19) == "node.zip_size"
        assert await unzip_code(many, max_size=10) == "node.zip_size"

    async def test_what_an_archive_declares_of_its_sizes_is_not_believed(self):
        content = archive([("a", b"0" * 5_000_000)])
        lying = content.replace((5_000_000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
        assert await unzip_code(lying) in ("node.zip", "node.zip_size")

    async def test_encrypted_files_are_told(self):
        content = bytearray(archive([("a", b"x")]))
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
        assert await unzip_code(bytes(content)) == "node.zip_encrypted"

    async def test_names_in_old_encodings_are_read(self):
        content = archive([("a_____", b"x")])
        for encoding, params in (("cp437", {}), ("utf-8", {}), ("cp850", {"names": "cp850"})):
            name = "aü".encode(encoding)
            raw = content.replace(b"a_____", name + b"_" * (6 - len(name)))
            assert (await unzipped(raw, **params))[0][0].rstrip("_") == "aü"
        assert await unzip_code(content, names="?") == "node.zip"

    async def test_damaged_archives_are_told(self):
        content = archive([("a", bytes(range(256)) * 10), ("b", b"y")])
        assert await unzip_code(b"no archive") == "node.zip"
        assert await unzip_code(content[:-30]) == "node.zip"
        assert await unzip_code(content[:60] + b"\xff\xff" + content[62:]) == "node.zip"
        assert await unzip_code(archive([("a", b"x"), ("a", b"y")])) == "node.zip"
