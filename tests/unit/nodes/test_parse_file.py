"""The node that makes items of files' rows."""

from __future__ import annotations

import asyncio
import datetime
import io
import sys
import tracemalloc
import zipfile

import pytest
from pydantic import ValidationError

from pyagent.sdk import BlobRef, Item, NodeCancelled, NodeError
from pyagent.testing import TestBlobs, TestCancelToken, run_node
from pyagent_nodes.io.parse_file import parse_file

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def parsed(content: bytes | str, name: str = "", *, media_type: str = "", **params) -> list[dict]:
    blobs = TestBlobs()
    content = content.encode() if isinstance(content, str) else content
    ref = await blobs.put(content, name=name, media_type=media_type)
    run = await run_node(parse_file, [Item({"from": "mail"}, {"file": ref})], params, blobs=blobs)
    items = run.outputs.get("out", ())
    assert all(item.binary is None and [source.item for source in item.sources] == [0] for item in items)
    return [item.json for item in items]


async def error_of(content: bytes | str, name: str = "", **params) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await parsed(content, name, **params)
    assert caught.value.hint
    return caught.value


def workbook(fill, *, title: str = "Data") -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = title
    fill(book.active)
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


def archive(files) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return raw.getvalue()


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        return {name: made.read(name) for name in made.namelist()}


class TestCsv:
    async def test_rows_become_items_named_by_the_header(self):
        text = 'name,note\r\n"Ann, B.","says ""hi""\nand goes"\r\n\r\nCai,\r\n'
        assert await parsed(text, "people.csv") == [
            {"name": "Ann, B.", "note": 'says "hi"\nand goes'},
            {"name": "Cai", "note": ""},
        ]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    async def test_the_delimiter_is_found(self, delimiter):
        rows = ["id", "words"], ["1", "a b. c"], ["2", '"x;,|\ty"']
        text = "\n".join(delimiter.join(row) for row in rows)
        assert await parsed(text, "a.csv") == [{"id": "1", "words": "a b. c"}, {"id": "2", "words": "x;,|\ty"}]

    async def test_one_column_has_no_delimiter(self):
        assert await parsed("name\nann\n", "a.csv") == [{"name": "ann"}]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8", "utf-32"])
    async def test_the_byte_order_mark_tells_the_encoding(self, encoding):
        assert await parsed("größe;ort\n1;Köln\n".encode(encoding), "a.csv") == [{"größe": "1", "ort": "Köln"}]

    async def test_another_encoding_is_named_or_an_error_with_its_line(self):
        content = "ort\nBonn\nKöln\n".encode("cp1252")
        assert (await parsed(content, "a.csv", encoding="cp1252"))[1] == {"ort": "Köln"}
        error = await error_of(content, "a.csv")
        assert error.code == "node.parse_encoding"
        assert (await error_of(content, "a.csv", encoding="klingon")).code == "node.parse_encoding"
        assert (await error_of(content, "a.csv", encoding="base64")).code == "node.parse_encoding"

    async def test_guessed_types_leave_codes_alone(self):
        text = "a,b,c,d,e,f,g,h,i\n007,12,-1.50,true,,+49,1234567890123456,2024-01-02,1e5\n"
        assert await parsed(text, "a.csv", types="guess") == [
            {"a": "007", "b": 12, "c": -1.5, "d": True, "e": None, "f": "+49", "g": "1234567890123456",
             "h": "2024-01-02", "i": "1e5"}
        ]  # fmt: skip
        assert (await parsed(text, "a.csv"))[0]["b"] == "12"

    async def test_a_ragged_row_is_an_error_with_its_line_or_is_filled(self):
        text = 'a,b\n"1\n1",2\n3\n4,5,6\n'
        error = await error_of(text, "a.csv")
        assert (error.code, error.details["line"]) == ("node.parse_csv", 4)
        assert await parsed(text, "a.csv", ragged="fill", limit=3) == [
            {"a": "1\n1", "b": "2"},
            {"a": "3", "b": None},
            {"a": "4", "b": "5", "column_3": "6"},
        ]

    async def test_headers_may_be_missing_empty_or_double(self):
        assert await parsed("1,2\n", "a.csv", header=False) == [{"column_1": "1", "column_2": "2"}]
        assert await parsed("a,,a\n1,2,3\n", "a.csv") == [{"a": "1", "column_2": "2", "a_2": "3"}]
        assert await parsed("x,y\n1,2\n", "a.csv", columns=["a", "b"]) == [{"a": "1", "b": "2"}]
        assert await parsed("report of may\na,b\n1,2\n", "a.csv", skip=1, delimiter=",") == [{"a": "1", "b": "2"}]
        assert await parsed("", "a.csv") == []

    async def test_an_unclosed_quotation_mark_is_an_error_unless_quotes_mean_nothing(self):
        text = 'a,b\n1,"2\n3,4\n'
        error = await error_of(text, "a.csv")
        assert (error.code, error.details["line"]) == ("node.parse_csv", 2)
        assert (await parsed(text, "a.csv", quote=""))[0] == {"a": "1", "b": '"2'}

    async def test_nul_characters_are_told(self):
        error = await error_of("a,b\n1,\0\n", "a.csv")
        assert (error.code, error.details["line"]) == ("node.parse_nul", 2)
        assert (await error_of("a,b\n".encode("utf-16-le"), "a.csv")).code == "node.parse_nul"

    async def test_more_rows_than_allowed_are_an_error_and_a_limit_stops_reading(self):
        text = "a\n" + "1\n" * 10
        assert (await error_of(text, "a.csv", max_rows=9)).code == "node.parse_size"
        assert len(await parsed(text + '"broken', "a.csv", limit=4)) == 4
        assert (await error_of(text, "a.csv", max_size=5)).code == "node.parse_size"

    async def test_a_delimiter_is_one_character(self):
        with pytest.raises(ValidationError, match="delimiter"):
            await run_node(parse_file, [{}], {"delimiter": "::"})


class TestDocuments:
    async def test_json_gives_its_list_wherever_it_is(self):
        assert await parsed('[{"a": 1}, 2]', "a.json") == [{"a": 1}, {"value": 2}]
        assert await parsed('{"a": 1}') == [{"a": 1}]
        assert await parsed('\ufeff{"data": {"rows": [{"a": 1}]}}', "a.json", list="data.rows") == [{"a": 1}]
        assert (await error_of('{"a": 1}', "a.json", list="a")).code == "node.parse_list"
        assert (await error_of('{"a": 1}', "a.json", list="b")).code == "node.parse_list"

    async def test_integers_that_no_store_holds_are_text(self):
        long = "12345678901234567890123"
        for text, name in ((f"[{long}, 1, {2**63 - 1}]", "a.json"), (f"[{long}, 1, {2**62}]", "a.yaml")):
            assert [row["value"] for row in await parsed(text, name)][:2] == [long, 1]
        assert await parsed(f"[{2**63 - 1}]", "a.json") == [{"value": 2**63 - 1}]

    @pytest.mark.parametrize("text", ["", '{"a": }', "[NaN]", "[1e999]", "[" * 100_000])
    async def test_what_is_not_json_is_an_error(self, text):
        assert (await error_of(text, "a.json")).code == "node.parse_json"

    async def test_json_lines_tell_the_line_that_is_wrong(self):
        assert await parsed('{"a": "x\u2028y"}\r\n\n3', "a.jsonl") == [{"a": "x\u2028y"}, {"value": 3}]
        error = await error_of('{"a": 1}\n{"a": \n', "a.ndjson")
        assert (error.code, error.details["line"]) == ("node.parse_json", 2)

    async def test_yaml_has_no_surprises(self):
        text = """
        base: &base {country: no, zip: 01234, since: 2024-01-02, size: 1_000, on: true}
        copy: {<<: *base, zip: "7"}
        list: [1, -2.5, .5, ~, 'null', .inf, 0x1F, "5"]
        """
        [found] = await parsed(text, "a.yaml")
        assert found["base"] == {"country": "no", "zip": "01234", "since": "2024-01-02", "size": "1_000", "on": True}
        assert found["copy"] == {**found["base"], "zip": "7"}
        assert found["list"] == [1, -2.5, 0.5, None, "null", ".inf", "0x1F", "5"]
        assert await parsed("- {a: 1}\n- 2\n---\n{b: 3}", "a.yml") == [{"a": 1}, {"value": 2}, {"b": 3}]

    async def test_a_bomb_of_aliases_is_refused(self):
        text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
        assert (await error_of(text, "a.yaml")).code == "node.parse_size"

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 100_000,
            "a: [1",
            "a: 1\na: 2",
            "? [1]\n: 2",
            "a: *b",
            "&a [*a]",
            "a: !!python/object:os.system x\n  y: 1",
        ],
    )
    async def test_yaml_that_is_broken_or_no_json_is_an_error_with_its_place(self, text):
        error = await error_of(text, "a.yaml")
        assert error.code == "node.parse_yaml"
        assert error.details["line"] >= 1

    async def test_tags_make_no_objects(self):
        assert await parsed("a: !!python/object/apply:os.system [ls]", "a.yaml") == [{"a": ["ls"]}]

    async def test_text_is_one_item(self):
        assert await parsed("hällo\n", "a.txt") == [{"text": "hällo\n"}]


class TestSpreadsheet:
    async def test_values_come_as_json(self):
        def fill(sheet):
            sheet.append(["name", "day", "at", "price", "ok", None, "name"])
            moment = datetime.datetime(2024, 5, 6, 7, 8, 9)
            sheet.append(["Ann", datetime.date(2024, 5, 6), moment, 1.5, True, "x"])
            sheet.append([])
            sheet.append(["Bob", None, None, 7])

        assert await parsed(workbook(fill), "a.xlsx") == [
            {"name": "Ann", "day": "2024-05-06", "at": "2024-05-06T07:08:09", "price": 1.5, "ok": True,
             "column_6": "x", "name_2": None},
            {"name": "Bob", "day": None, "at": None, "price": 7, "ok": None, "column_6": None, "name_2": None},
        ]  # fmt: skip

    async def test_sheet_range_and_header_are_chosen(self):
        def fill(sheet):
            sheet.append(["Report", None, None])
            sheet.append([None, "a", "b"])
            sheet.append([None, 1, 2])
            sheet.append([None, 3, 4])
            sheet.parent.create_sheet("Other").append(["c"])

        content = workbook(fill)
        assert await parsed(content, "a.xlsx", range="B2:C3") == [{"a": 1, "b": 2}]
        assert (await parsed(content, "a.xlsx", range="B:C", sheet="Data"))[1:] == [{"a": 3, "b": 4}]
        assert (await parsed(content, "a.xlsx", skip=1))[0] == {"column_1": None, "a": 1, "b": 2}
        assert await parsed(content, "a.xlsx", sheet=2, header=False) == [{"column_1": "c"}]
        assert (await error_of(content, "a.xlsx", sheet="None")).code == "node.parse_sheet"
        assert (await error_of(content, "a.xlsx", sheet=3)).code == "node.parse_sheet"
        assert (await error_of(content, "a.xlsx", range="what")).code == "node.parse_range"

    async def test_merged_cells_stand_in_the_first_or_in_all(self):
        def fill(sheet):
            sheet.append(["group", "name"])
            sheet.append(["A", "x"])
            sheet.append([None, "y"])
            sheet.merge_cells("A2:A3")

        content = workbook(fill)
        assert [row["group"] for row in await parsed(content, "a.xlsx")] == ["A", None]
        assert [row["group"] for row in await parsed(content, "a.xlsx", merged="fill")] == ["A", "A"]

    async def test_a_formula_is_its_value_or_its_text(self):
        def fill(sheet):
            sheet.append(["sum"])
            sheet.append(["=1+2"])

        assert await parsed(workbook(fill), "a.xlsx", formulas="text") == [{"sum": "=1+2"}]
        assert await parsed(workbook(fill), "a.xlsx") == []  # nobody has computed it yet


class TestLies:
    async def test_a_spreadsheet_is_recognised_whatever_its_name_says(self):
        content = workbook(lambda sheet: (sheet.append(["a"]), sheet.append([1])))
        assert await parsed(content, "a.csv") == [{"a": 1}]
        assert (await error_of(content, "a.csv", format="csv")).code == "node.parse_kind"

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b"<html><table><tr><td>1</td></tr></table></html>", "report.xls"),
            (b"\xef\xbb\xbf  <!DOCTYPE html>", "report.xlsx"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "report.xls"),
            (b"a,b\n1,2\n", "report.xlsx"),
            (b"", "report.xlsx"),
            (archive({"readme.txt": "hello"}), "report.xlsx"),
            (b"\x89PNG\r\n\x1a\n\0\0\0", ""),
            (b"only words", ""),
        ],
    )
    async def test_what_is_no_spreadsheet_is_told(self, content, name):
        assert (await error_of(content, name)).code == "node.parse_kind"

    async def test_a_truncated_workbook_is_a_damaged_one(self):
        content = workbook(lambda sheet: [sheet.append([str(n)]) for n in range(500)])
        for size in (10, len(content) // 2, len(content) - 5):
            assert (await error_of(content[:size], "a.xlsx")).code in ("node.zip", "node.parse_xlsx")

    async def test_every_damaged_byte_gives_rows_or_a_coded_error(self):
        content = workbook(lambda sheet: [sheet.append([str(n), n]) for n in range(5)])
        for at in range(0, len(content), 37):
            damaged = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
            try:
                await parsed(damaged, "a.xlsx")
            except NodeError as error:
                assert error.code.startswith(("node.zip", "node.parse")), error  # noqa: PT017

    async def test_entities_in_the_xml_are_refused(self):
        content = workbook(lambda sheet: sheet.append(["a"]))
        parts = parts_of(content)
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
        sheet = parts["xl/worksheets/sheet1.xml"]
        parts["xl/worksheets/sheet1.xml"] = bomb + sheet
        assert (await error_of(archive(parts), "a.xlsx")).code == "node.parse_xlsx"

    async def test_a_bomb_inside_a_workbook_is_refused_before_it_is_unpacked(self):
        content = archive({"xl/workbook.xml": "", "xl/sharedStrings.xml": b"0" * 30_000_000})
        assert (await error_of(content, "a.xlsx", max_unpacked="20 MiB")).code == "node.zip_size"
        content = archive({"xl/workbook.xml": "", "xl/sharedStrings.xml": b"0" * 30_000_000})
        assert (await error_of(content, "a.xlsx")).code in ("node.zip_size", "node.parse_xlsx")

    async def test_bombs_are_refused_in_little_memory(self):
        bomb = archive({"xl/workbook.xml": b"", "xl/sharedStrings.xml": bytes(100_000_000)})
        aliases = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 20}]\n" for n in range(1, 9))
        cells = b'"' + b"x" * 40_000_000
        for content, name in ((bomb, "a.xlsx"), (aliases, "a.yaml"), (cells, "a.csv")):
            tracemalloc.start()
            error = await error_of(content, name, max_unpacked="50 MiB")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert error.code in ("node.zip_size", "node.parse_size")
            assert peak < 160_000_000, name

    async def test_rows_far_away_do_not_fill_memory(self):
        content = workbook(lambda sheet: sheet.append(["a"]))
        parts = parts_of(content)
        sheet = parts["xl/worksheets/sheet1.xml"]
        far = b'<row r="2000000000"><c r="A2000000000"><v>1</v></c></row></sheetData>'
        parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", far)
        assert (await error_of(archive(parts), "a.xlsx")).code in ("node.parse_size", "node.parse_xlsx")


async def test_a_text_field_may_be_parsed_and_fields_of_the_item_kept():
    params = {"field": "body", "format": "csv", "include": "all", "into": "row"}
    run = await run_node(parse_file, [{"id": 1, "body": "a\n1\n2\n"}, {"id": 2, "body": "a\n3\n"}], params)
    assert [(json["id"], json["row"]) for json in run.json()] == [(1, {"a": "1"}), (1, {"a": "2"}), (2, {"a": "3"})]
    assert run.sources() == [[0], [0], [1]]


async def test_a_missing_binary_or_text_is_told():
    for params, code in (({}, "node.binary_missing"), ({"field": "x"}, "node.parse_field")):
        with pytest.raises(NodeError) as caught:
            await run_node(parse_file, [{"a": 1}], params)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "rows"), [("a.csv", 1_500_000), ("a.xlsx", 4000), ("a.yaml", 300_000), ("a.jsonl", 1_000_000)]
)
async def test_cancelling_ends_the_work_in_the_middle_of_it(name, rows, monkeypatch):
    contents = {
        "a.csv": lambda: b"a\n" + b"1\n" * rows,
        "a.xlsx": lambda: workbook(lambda sheet: [sheet.append([n] * 20) for n in range(rows)]),
        "a.yaml": lambda: b"- {a: 1}\n" * rows,
        "a.jsonl": lambda: b'{"a": 1}\n' * rows,
    }
    parsing = sys.modules["pyagent_nodes.io.parse_file"]._Parsing
    piece, made = parsing.piece, 0

    def counted(self, check):
        nonlocal made
        items = piece(self, check)
        made += len(items)
        return items

    monkeypatch.setattr(parsing, "piece", counted)
    cancel, blobs = TestCancelToken(), TestBlobs()
    ref: BlobRef = await blobs.put(contents[name](), name=name)
    running = asyncio.create_task(run_node(parse_file, [Item({}, {"file": ref})], blobs=blobs, cancel=cancel))
    asyncio.get_running_loop().call_later(0.05, cancel.trigger)
    with pytest.raises(NodeCancelled):
        await running
    assert made < rows
