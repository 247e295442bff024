"""Reads Excel workbooks (.xlsx)."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from pyagent.sdk import JsonObject
from pyagent_nodes.io._archive import ZipEncrypted, ZipLimits, ZipReader
from pyagent_nodes.io._parsing import ParseKind, ParseSpreadsheet, ParseTooLarge, column_names

_ROWS = 1_048_576
"""In a sheet: what the format allows."""
_MERGES = 10_000


class _Checked(io.BytesIO):
    """The file; to read on in it is to ask whether to stop, as openpyxl reads whole sheets at a time."""

    def __init__(self, content: bytes, check: Callable[[], None]) -> None:
        super().__init__(content)
        self._check = check

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return super().read(size)


def read_xlsx(
    content: bytes,
    *,
    name: str,
    sheet: str | int,
    cell_range: str | None,
    header: bool,
    columns: Sequence[str] | None,
    fill_merged: bool,
    formulas: bool,
    skip: int,
    max_unpacked: int,
    check: Callable[[], None],
) -> Iterator[JsonObject]:
    """The rows of a sheet as objects, read as they are asked for; empty rows are left out.

    Dates are ISO texts. `formulas` gives a formula's text instead of its last value. Raises `ParseSpreadsheet`,
    `ParseKind`, `ParseTooLarge`, `ZipError`.
    """
    label = name or "the content"
    # The limits first: openpyxl keeps all texts of a workbook in memory.
    limits = ZipLimits(files=10_000, total=max_unpacked, file=max_unpacked, ratio=1_000)
    try:
        members = {member.path for member in ZipReader(content, limits, name).members}
    except ZipEncrypted as error:
        raise ParseKind(f"{label} is encrypted", hint="Save it without a password.") from error
    if "xl/workbook.xml" not in members and "[Content_Types].xml" not in members:
        raise ParseKind(f"{label} is a ZIP archive, but no spreadsheet", hint="Unpack it with io.unzip.")
    yield from _guarded(
        _rows(content, label, sheet, cell_range, header, columns, fill_merged, formulas, skip, check), label
    )


def _guarded(rows: Iterator[JsonObject], label: str) -> Iterator[JsonObject]:
    """What openpyxl and the XML parser raise, as errors for people."""
    from xml.etree.ElementTree import ParseError as XmlError

    from defusedxml.common import DefusedXmlException
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        yield from rows
    except DefusedXmlException as error:
        raise ParseSpreadsheet(f"{label} declares entities in its XML: that is an attack") from error
    except (
        XmlError, InvalidFileException, zipfile.BadZipFile, zlib.error, KeyError, IndexError, ValueError, TypeError,
        AttributeError, EOFError, OSError, NotImplementedError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise ParseSpreadsheet(f"{label} is a damaged workbook: {type(error).__name__}: {error}") from error


def _rows(
    content: bytes,
    label: str,
    sheet: str | int,
    cell_range: str | None,
    header: bool,
    columns: Sequence[str] | None,
    fill_merged: bool,
    formulas: bool,
    skip: int,
    check: Callable[[], None],
) -> Iterator[JsonObject]:
    import warnings

    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parts that openpyxl does not know, as those of charts
        book = load_workbook(_Checked(content, check), read_only=True, data_only=not formulas, keep_links=False)
    try:
        page: Any = _sheet(book, sheet, label)
        page.reset_dimensions()  # what a file declares of its size is often wrong
        left, top, right, bottom = _bounds(cell_range)
        merged = _merged(page, label) if fill_merged else {}
        values: dict[tuple[int, int], Any] = {}
        names = column_names(columns) if columns is not None else None
        for number, cells in enumerate(page.iter_rows(min_row=top, max_row=bottom, min_col=left, max_col=right), top):
            if number > _ROWS:
                raise ParseTooLarge(f"{label} has rows beyond number {_ROWS}", hint="The file is damaged or hostile.")
            if number % 256 == 0:
                check()
            row = [_json(cell) for cell in cells]
            if merged:
                row = _filled(row, number, left, merged, values)
            while row and row[-1] is None:
                row.pop()
            if not row:
                continue
            if skip > 0:
                skip -= 1
                continue
            if header:
                header = False
                names = names or column_names("" if value is None else str(value) for value in row)
                continue
            names = names if names is not None else []
            if len(row) > len(names):
                names = names + column_names([*names, *("" for _ in row[len(names) :])])[len(names) :]
            row += [None] * (len(names) - len(row))
            yield dict(zip(names, row, strict=True))
    finally:
        book.close()


def _sheet(book: Any, sheet: str | int, label: str) -> Any:
    names = book.sheetnames
    if isinstance(sheet, str) and sheet in names:
        found = book[sheet]
    elif isinstance(sheet, int) and 1 <= sheet <= len(names):
        found = book[names[sheet - 1]]
    else:
        raise ParseSpreadsheet(
            f"{label} has no sheet {sheet!r}", hint=f"Its sheets are: {', '.join(names)}.", code="node.parse_sheet"
        )
    if not hasattr(found, "iter_rows"):
        raise ParseSpreadsheet(f"sheet {sheet!r} of {label} is a chart, not a table", code="node.parse_sheet")
    return found


def _bounds(cell_range: str | None) -> tuple[int, int, int | None, int | None]:
    """Left, top, right and bottom, from 1."""
    if cell_range is None:
        return 1, 1, None, None
    from openpyxl.utils.cell import range_boundaries

    try:
        left, top, right, bottom = range_boundaries(cell_range.upper())
    except (ValueError, TypeError) as error:
        raise ParseSpreadsheet(
            f"{cell_range!r} is no range of cells", hint="Write it as A1:D20, or B:D.", code="node.parse_range"
        ) from error
    return left or 1, top or 1, right, bottom


def _merged(page: Any, label: str) -> dict[int, list[tuple[int, int, int, int]]]:
    """The merged regions by each of their rows."""
    from defusedxml.ElementTree import iterparse
    from openpyxl.utils.cell import range_boundaries

    found: dict[int, list[tuple[int, int, int, int]]] = {}
    count = rows = 0
    with page._get_source() as source:
        for _, element in iterparse(source):
            if element.tag.endswith("}mergeCell"):
                region = range_boundaries(element.get("ref"))
                left, top, right, bottom = (int(part or 1) for part in region)
                count, rows = count + 1, rows + bottom - top + 1
                if count > _MERGES or rows > _ROWS:
                    raise ParseTooLarge(f"{label} has more than {_MERGES} merged regions", hint="Set `merged: first`.")
                for row in range(top, bottom + 1):
                    found.setdefault(row, []).append((left, top, right, bottom))
            if not element.tag.endswith(("}c", "}v", "}is", "}t", "}f")):
                element.clear()
    return found


def _filled(
    row: list[Any],
    number: int,
    left: int,
    merged: dict[int, list[tuple[int, int, int, int]]],
    values: dict[tuple[int, int], Any],
) -> list[Any]:
    for from_column, top, to_column, bottom in merged.get(number, ()):
        if number == top:
            at = from_column - left
            values[from_column, top] = row[at] if 0 <= at < len(row) else None
        value = values.get((from_column, top))
        if value is not None:
            row += [None] * (to_column - left + 1 - len(row))
            for column in range(max(from_column - left, 0), to_column - left + 1):
                row[column] = value
        if number == bottom:
            values.pop((from_column, top), None)
    return row


def _json(cell: Any) -> Any:
    value = cell.value
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        # A date is a number to Excel: whether it has a time is told by how it is shown.
        shown = (cell.number_format or "").lower()
        if value.time() == time() and "h" not in shown and "s" not in shown:
            return value.date().isoformat()
        return value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(getattr(value, "text", value))
