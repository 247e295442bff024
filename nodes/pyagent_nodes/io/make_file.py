"""`io.make_file`: items become one file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pyagent.sdk import Context, Item, Items, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import FieldPath, read_field, with_field, without_field
from pyagent.sdk.threads import Check, in_thread
from pyagent_nodes.io._csv import is_formula, write_csv
from pyagent_nodes.io._files import BadEncoding
from pyagent_nodes.io._parsing import Format

_MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "yaml": "application/yaml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text": "text/plain",
}
_SHEETS = 200
_ENDINGS: dict[Format, str] = {"text": "txt"}


class MakeFileParams(NodeParams):
    """Parameters of `io.make_file`."""

    format: Format = Field(description="What the file is")
    name: str = Field("", description="Its name; left out: `file` and the format's ending", examples=["report.csv"])
    binary: str = Field("file", min_length=1, description="The name under which the new item holds the file")
    fields: list[FieldPath] | None = Field(
        None, description="Only these fields, in this order; left out: all, in the order in which they come up"
    )
    list_: bool = Field(
        True, alias="list", description="JSON, YAML: a list of the items; false: the only item itself, or nothing"
    )
    indent: int | None = Field(2, ge=0, le=16, description="JSON: spaces a level; null: all on one line")
    text: FieldPath = Field("text", description="Text: the field whose texts are written, one after the other")
    separator: str = Field("\n", description="Text: what stands between them")
    header: bool = Field(True, description="CSV, XLSX: begin with the names of the columns")
    nested: Literal["json", "columns"] = Field(
        "json", description="CSV, XLSX: objects and lists become JSON text; `columns`: objects become `a.b` columns"
    )
    formulas: Literal["guard", "allow", "fail"] = Field(
        "guard",
        description="CSV, XLSX: texts that a spreadsheet program would run as formulas. `guard`: CSV gets a `'` before "
        "them, XLSX marks them as text; `allow`: as they are; `fail`: an error",
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="CSV: what stands between cells")
    bom: bool = Field(False, description="CSV, text: begin with a byte order mark, by which Excel knows UTF-8")
    encoding: str = Field("utf-8", description="CSV, text")
    sheet: str = Field("Sheet1", min_length=1, max_length=31, description="XLSX: the sheet's name")
    sheet_by: FieldPath | None = Field(
        None,
        description="XLSX: a sheet for each value of this field, in the order in which they come up, with columns of "
        "its own; the field itself is no column. Where it is missing: the sheet `sheet`",
    )
    freeze: bool = Field(True, description="XLSX: the header stays in sight")
    widths: dict[str, float] = Field(
        default_factory=dict, description="XLSX: widths of columns in characters", examples=[{"name": 30}]
    )
    dates: bool = Field(True, description="XLSX: ISO dates and times without zone become Excel's dates")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(character in self.name for character in "/\\\0"):
            raise ValueError("`name` is a file's name without folders")
        if self.sheet_by is not None and self.format != "xlsx" and "{{" not in self.format:
            raise ValueError("`sheet_by` is for XLSX")
        if any(not 0 < width <= 255 for width in self.widths.values()):
            raise ValueError("`widths` are between 0 and 255")
        return self


@node("io.make_file", title="Make a file", icon="file-plus-2", effects="none")
async def make_file(items: Items, params: MakeFileParams, ctx: Context) -> list[Item]:
    """Make one file of all items: CSV, JSON, JSON lines, YAML, XLSX, or plain text.

    The new item holds the file as a binary and says `{name, media_type, size, rows}`; it comes from all items. The
    same items give the same bytes. In YAML and JSON, nothing is lost; in CSV every value is text.
    """
    content, rows = await in_thread(lambda check: _made(items, params, check), ctx.cancel)
    name = params.name or f"file.{_ENDINGS.get(params.format, params.format)}"
    media_type = _MEDIA_TYPES[params.format]
    ref = await ctx.blobs.put(content, name=name, media_type=media_type)
    said: JsonObject = {"name": name, "media_type": media_type, "size": len(content), "rows": rows}
    sources = tuple(source for item in items for source in item.sources)
    return [Item(said, {params.binary: ref}, sources)]


def _made(items: Items, params: MakeFileParams, check: Check) -> tuple[bytes, int]:
    try:
        return _content(items, params, check), len(items)
    except UnicodeEncodeError as error:
        raise BadEncoding(f"{params.encoding} has no {error.object[error.start]!r}") from error
    except LookupError as error:
        raise BadEncoding(f"there is no encoding {params.encoding!r}") from error
    except (TypeError, ValueError) as error:
        raise NodeError(
            f"the items cannot be written as {params.format}: {error}",
            code="node.make_file",
            hint="Choose `fields`, or change the values before.",
        ) from error


def _content(items: Items, params: MakeFileParams, check: Check) -> bytes:
    if params.format in ("csv", "xlsx"):
        return _table(items, params, check)
    values = _values(items, params, check)
    if params.format == "text":
        texts: list[str] = []
        for item in items:
            found = read_field(item.json, params.text)
            if not isinstance(found, str):
                raise ValueError(f"item {len(texts)} has no text in {params.text!r}")
            texts.append(found)
        text = params.separator.join(texts)
        return (("\ufeff" if params.bom else "") + text).encode(params.encoding)
    if params.format == "jsonl":
        return b"".join((json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode() for value in values)
    whole: Any = list(values)
    if not params.list_:
        if len(whole) > 1:
            raise ValueError(f"there are {len(whole)} items, and `list` is false")
        whole = whole[0] if whole else None
    if params.format == "json":
        return _json(whole, params, check)
    return _yaml(whole, check)


def _json(whole: Any, params: MakeFileParams, check: Check) -> bytes:
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=params.indent)
    if params.indent is None and isinstance(whole, list):
        # Without spaces a value is encoded in one go, deaf to a stop: one item after the other.
        pieces = (("[" if number == 0 else ", ") + encoder.encode(value) for number, value in enumerate(whole))
        end = "]\n" if whole else "[]\n"
    else:
        pieces, end = encoder.iterencode(whole), "\n"
    raw = io.BytesIO()
    for number, piece in enumerate(pieces):
        if number % 4096 == 0:
            check()
        raw.write(piece.encode())
    raw.write(end.encode())
    return raw.getvalue()


def _yaml(whole: Any, check: Check) -> bytes:
    import yaml

    # Without aliases, and by way of JSON, so that nothing is written that JSON does not know.
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type("Plain", (base,), {"ignore_aliases": lambda self, data: True})

    def dump(value: Any) -> bytes:
        plain = json.loads(json.dumps(value, allow_nan=False))
        return yaml.dump(plain, Dumper=dumper, allow_unicode=True, sort_keys=False, width=120).encode()

    if not isinstance(whole, list) or not whole:
        return dump(whole)
    raw = io.BytesIO()
    for value in whole:
        check()
        raw.write(dump([value]))
    return raw.getvalue()


def _values(items: Items, params: MakeFileParams, check: Check) -> Iterator[JsonObject]:
    for number, item in enumerate(items):
        if number % 1024 == 0:
            check()
        if params.fields is None:
            yield item.json
            continue
        chosen: JsonObject = {}
        for path in params.fields:
            chosen = with_field(chosen, path, read_field(item.json, path, None))
        yield chosen


def _table(items: Items, params: MakeFileParams, check: Check) -> bytes:
    def guard(text: str) -> str:
        if params.formulas == "allow" or not is_formula(text):
            return text
        if params.formulas == "fail":
            raise ValueError(f"{text[:40]!r} would be a formula")
        return f"'{text}"

    def rows(page: _Page, row_of: Callable[[JsonObject], list[Any]]) -> Iterator[list[Any]]:
        for fields in page.rows(check):
            row = [_cell(value) for value in row_of(fields)]
            if params.formulas == "fail" and params.format == "xlsx":
                for value in row:
                    if isinstance(value, str) and value.startswith("="):
                        guard(value)
            yield row

    if params.format == "csv":
        page = _Page(items)
        columns, row_of = _columns(page, params, check)
        return write_csv(
            rows(page, row_of),
            columns,
            header=params.header,
            delimiter=params.delimiter,
            encoding=params.encoding,
            bom=params.bom,
            guard=guard,
        )
    from pyagent_nodes.io._xlsx_write import Sheet, write_xlsx

    sheets: list[Sheet] = []
    for name, (page, count) in _pages(items, params, check).items():
        columns, row_of = _columns(page, params, check)
        sheets.append(Sheet(name=name, columns=columns, rows=rows(page, row_of), count=count))
    return write_xlsx(
        sheets,
        header=params.header,
        freeze=params.freeze,
        widths=params.widths,
        dates=params.dates,
        formulas=params.formulas == "allow",
        check=check,
    )


class _Page:
    """The items of a sheet; they are read anew each time, so that none need be held."""

    def __init__(self, items: Items, by: str | None = None, name: str = "", default: str = "") -> None:
        self._items, self._by, self._name, self._default = items, by, name, default

    def rows(self, check: Check) -> Iterator[JsonObject]:
        for number, item in enumerate(self._items):
            if number % 1024 == 0:
                check()
            if self._by is None:
                yield item.json
            elif _sheet_of(item.json, self._by, self._default) == self._name:
                yield without_field(item.json, self._by)


def _sheet_of(json: JsonObject, by: str, default: str) -> str:
    value = read_field(json, by, None)
    return default if value is None else value if isinstance(value, str) else _json_text(value)


def _pages(items: Items, params: MakeFileParams, check: Check) -> dict[str, tuple[_Page, int]]:
    """Each sheet's items and how many they are, by its name."""
    by = params.sheet_by
    if by is None or not len(items):
        return {params.sheet: (_Page(items), len(items))}
    counts: dict[str, int] = {}
    for number, item in enumerate(items):
        if number % 1024 == 0:
            check()
        name = _sheet_of(item.json, by, params.sheet)
        counts[name] = counts.get(name, 0) + 1
        if len(counts) > _SHEETS:
            raise ValueError(f"{by!r} has more than {_SHEETS} values: each would be a sheet")
    return {name: (_Page(items, by, name, params.sheet), count) for name, count in counts.items()}


def _columns(
    page: _Page, params: MakeFileParams, check: Check
) -> tuple[Sequence[str], Callable[[JsonObject], list[Any]]]:
    """The names of the columns, and what gives an item's cells."""
    flat = _flat if params.nested == "columns" else _same
    if params.fields is not None:
        paths = params.fields
        return list(paths), lambda json: [read_field(json, path, None) for path in paths]
    names: dict[str, None] = {}
    for fields in page.rows(check):
        names.update(dict.fromkeys(flat(fields)))

    def row_of(json: JsonObject) -> list[Any]:
        found = flat(json)
        return [found.get(name) for name in names]

    return list(names), row_of


def _same(json: JsonObject) -> JsonObject:
    return json


def _flat(json: JsonObject, prefix: str = "") -> JsonObject:
    found: JsonObject = {}
    for name, value in json.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _cell(value: Any) -> Any:
    return _json_text(value) if isinstance(value, dict | list) else value


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
