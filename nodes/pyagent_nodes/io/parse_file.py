"""`io.parse_file`: a file's rows or objects become items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, Literal, Self

from pydantic import ByteSize, Field, model_validator

from pyagent.sdk import Context, Item, JsonObject, NodeError, NodeParams, node
from pyagent.sdk.fields import MISSING, FieldPath, read_field, with_field
from pyagent.sdk.threads import Check, in_thread
from pyagent_nodes.io import _csv, _documents, _parsing
from pyagent_nodes.io._files import binary_of
from pyagent_nodes.io._parsing import Format, ParseTooLarge, Types

_MEBIBYTE = 1024 * 1024
_PIECE = 1000
"""Rows parsed at once."""


class ParseFileParams(NodeParams):
    """Parameters of `io.parse_file`."""

    binary: str = Field("file", min_length=1, description="Which of the item's binaries is parsed")
    field: FieldPath | None = Field(None, description="Parse the text in this field instead of a binary")
    format: Literal["auto"] | Format = Field(
        "auto", description="`auto`: by the first bytes, the name's ending, the media type, the text itself"
    )
    encoding: str = Field("auto", description="Of text; `auto`: by the byte order mark, else utf-8")
    header: bool = Field(True, description="CSV, XLSX: the first row names the columns; else `column_1`, `column_2`, …")
    columns: list[str] | None = Field(None, description="CSV, XLSX: the columns' names, in place of the header's")
    skip: int = Field(0, ge=0, description="CSV, XLSX: rows to leave out at the beginning, before the header")
    limit: int | None = Field(None, ge=0, description="Take only so many rows")
    delimiter: str = Field("auto", description="CSV: one character; `auto`: comma, semicolon, tab or bar")
    quote: str = Field('"', max_length=1, description="CSV: what encloses cells; empty: nothing does")
    types: Types = Field(
        "text",
        description="CSV: `text` leaves cells as they are; `guess` makes null of empty ones, booleans, and numbers "
        "without leading zeros, plus sign or more than 15 digits",
    )
    ragged: Literal["fail", "fill"] = Field(
        "fail", description="CSV: rows with more or fewer cells than the header; `fill` with null and new columns"
    )
    sheet: str | int = Field(1, description="XLSX: the sheet's name, or its number from 1")
    range_: str | None = Field(None, alias="range", description="XLSX: only these cells", examples=["B2:F100"])
    merged: Literal["first", "fill"] = Field(
        "first", description="XLSX: the value of merged cells stands in the first one, or fills them all"
    )
    formulas: Literal["value", "text"] = Field("value", description="XLSX: a formula's last value, or its text")
    list_: FieldPath | None = Field(
        None, alias="list", description="JSON, YAML: where the list of rows is", examples=["data.items"]
    )
    into: FieldPath | None = Field(None, description="Put each row into this field; left out: it is the item")
    include: Literal["none", "all"] = Field("none", description="Other fields of the item that each row gets too")
    max_size: ByteSize = Field(ByteSize(64 * _MEBIBYTE), description="Largest content", examples=["16 MiB"])
    max_unpacked: ByteSize = Field(ByteSize(512 * _MEBIBYTE), description="XLSX: largest content when unpacked")
    max_rows: int = Field(2_000_000, ge=1, description="Most rows; more are an error")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.delimiter != "auto" and (len(self.delimiter) != 1 or self.delimiter in '\r\n"' + self.quote):
            raise ValueError("`delimiter` is one character that is neither the quotation mark nor the end of a line")
        return self


@node("io.parse_file", title="Parse a file", icon="file-spreadsheet", effects="none", each_item=True)
async def parse_file(item: Item, params: ParseFileParams, ctx: Context) -> AsyncIterator[list[Item]]:
    """Make items of a file's rows or objects: CSV, JSON, JSON lines, YAML, XLSX, or plain text.

    The file is a binary of the item, or a text in one of its fields. Each new item comes from the item that held
    the file. A spreadsheet is recognised by its content, whatever the file's name says.

    Of YAML, `yes`, `no`, dates and numbers with leading zeros are text; of XLSX, dates are ISO texts.
    """
    content, name, media_type = await _content(item, params, ctx)
    if len(content) > params.max_size:
        raise _too_large(name, params)
    parsing = _Parsing(item, params, content, name, media_type)
    while piece := await in_thread(parsing.piece, ctx.cancel):
        yield piece
        if len(piece) < _PIECE:
            return


class _Parsing:
    """A file that is being parsed, some rows at a time and each time in some thread."""

    def __init__(self, item: Item, params: ParseFileParams, content: bytes, name: str, media_type: str) -> None:
        self._item = item
        self._params = params
        self._content = content
        self._name = name
        self._media_type = media_type
        self._rows: Iterator[JsonObject] | None = None
        self._check: Check = lambda: None
        self._made = 0

    def piece(self, check: Check) -> list[Item]:
        """The next items; fewer than `_PIECE` at the end."""
        self._check = check
        if self._rows is None:
            self._rows = self._begun()
        base = self._item.json if self._params.include == "all" else {}
        made: list[Item] = []
        for row in islice(self._rows, _PIECE):
            if self._made == self._params.max_rows:
                raise _parsing.too_many(self._params.max_rows)
            self._made += 1
            if self._params.into is not None:
                row = with_field(base, self._params.into, row)
            elif base:
                row = {**base, **row}
            made.append(Item(row, None, self._item.sources))
        check()
        return made

    def _begun(self) -> Iterator[JsonObject]:
        format = self._params.format
        if format == "auto":
            format = _parsing.find_format(self._content, self._name, self._media_type)
        _parsing.check_kind(self._content, format, self._name)
        rows = _rows(self._content, format, self._name, self._params, lambda: self._check())
        return islice(rows, self._params.limit)


async def _content(item: Item, params: ParseFileParams, ctx: Context) -> tuple[bytes, str, str]:
    if params.field is None:
        ref = binary_of(item, params.binary)
        if ref.size > params.max_size:
            raise ParseTooLarge(
                f"{ref.name or 'the file'} is larger than {params.max_size.human_readable()} (`max_size`)"
            )
        return await ctx.blobs.get(ref), ref.name, ref.media_type
    text = read_field(item.json, params.field)
    if text is MISSING or not isinstance(text, str):
        raise NodeError(
            f"there is no text in {params.field!r}",
            code="node.parse_field",
            hint="Correct `field`, or name a `binary`.",
        )
    try:
        return text.encode(), "", ""
    except UnicodeEncodeError as error:
        raise _parsing.bad_bytes(error, "unicode", params.field) from error


def _rows(content: bytes, format: Format, name: str, params: ParseFileParams, check: Check) -> Iterator[JsonObject]:
    encoding = params.encoding if params.field is None else "utf-8"
    if format == "csv":
        return _csv.read_csv(
            content,
            name=name,
            encoding=encoding,
            delimiter=params.delimiter,
            quote=params.quote,
            header=params.header,
            columns=params.columns,
            types=params.types,
            ragged_is_error=params.ragged == "fail",
            skip=params.skip,
        )
    if format == "xlsx":
        from pyagent_nodes.io import _xlsx

        return _xlsx.read_xlsx(
            content,
            name=name,
            sheet=params.sheet,
            cell_range=params.range_,
            header=params.header,
            columns=params.columns,
            fill_merged=params.merged == "fill",
            formulas=params.formulas == "text",
            skip=params.skip,
            max_unpacked=int(params.max_unpacked),
            check=check,
        )
    text = _parsing.decode(content, encoding, name).removeprefix("\ufeff")
    if format == "jsonl":
        return _documents.read_lines(text, name)
    if format == "text":
        return iter([{"text": text}])
    values: Any = (
        [_documents.read_json(text, name)] if format == "json" else _documents.read_yaml(text, name, check=check)
    )
    return (row for value in values for row in _parsing.at_list(value, params.list_, params.max_rows))


def _too_large(name: str, params: ParseFileParams) -> ParseTooLarge:
    limit = params.max_size.human_readable()
    return ParseTooLarge(f"{name or 'the content'} is larger than {limit} (`max_size`)")
