"""Reads and writes Excel workbooks (.xlsx)."""

from __future__ import annotations

import contextlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from pyagent.sdk import JsonObject
from pyagent_nodes.io._archive import ZipEncrypted, ZipError, ZipLimits, ZipReader
from pyagent_nodes.io._parsing import ParseKind, ParseSpreadsheet, ParseTooLarge, column_names

_ROWS = 1_048_576
_MERGES = 10_000
_LONGEST_TEXT = 32_767
"""Characters in a cell, and rows in a sheet: what the format allows."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that ZIP knows: the same rows give the same bytes."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


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
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=not formulas, keep_links=False)
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


def write_xlsx(
    rows: Iterable[Sequence[Any]],
    columns: Sequence[str],
    *,
    sheet: str,
    header: bool,
    freeze: bool,
    widths: dict[str, float],
    dates: bool,
    formulas: bool,
    check: Callable[[], None],
) -> bytes:
    """The rows as a workbook with one sheet.

    With `dates`, ISO dates and times become Excel's; with `formulas`, texts that begin with `=` become formulas.
    Raises `ValueError` for a value or a sheet's name that no workbook can hold.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils import get_column_letter
    from openpyxl.utils.exceptions import IllegalCharacterError

    book = Workbook(write_only=True)
    page: Any = book.create_sheet(sheet)
    for number, column in enumerate(columns, 1):
        page.column_dimensions[get_column_letter(number)].width = widths.get(column, min(60, max(10, len(column) + 2)))
    if freeze and header:
        page.freeze_panes = "A2"

    def made(value: Any) -> Any:
        cell = WriteOnlyCell(page)
        if isinstance(value, str):
            if dates and (moment := _moment(value)) is not None:
                cell.value = moment
                cell.number_format = "yyyy-mm-dd hh:mm:ss" if isinstance(moment, datetime) else "yyyy-mm-dd"
                return cell
            if len(value) > _LONGEST_TEXT:
                raise ValueError(f"a text of {len(value)} characters: a cell holds {_LONGEST_TEXT}")
            cell.value = value
            if not (formulas and value.startswith("=")):
                cell.data_type = "s"
            return cell
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
            value = str(value)  # Excel's numbers have 15 digits
            cell.value = value
            cell.data_type = "s"
            return cell
        return value

    try:
        if header:
            page.append([_heading(page, column) for column in columns])
        for number, row in enumerate(rows, 2):
            if number % 256 == 0:
                check()
            if number > _ROWS:
                raise ValueError(f"a sheet holds {_ROWS} rows")
            try:
                page.append([made(value) for value in row])
            except IllegalCharacterError as error:
                raise ValueError(f"item {number - 2} holds a control character") from error
        raw = io.BytesIO()
        book.save(raw)
    except BaseException:
        with contextlib.suppress(Exception):  # what was begun is thrown away
            page.close()
            page._writer.cleanup()
        raise
    return _settled(raw.getvalue())


def _heading(page: Any, column: str) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font, PatternFill

    cell: Any = WriteOnlyCell(page, value=column)
    cell.data_type = "s"
    cell.font = Font(bold=True)
    cell.fill = PatternFill("solid", fgColor="FFEFEFEF")
    return cell


def _moment(text: str) -> date | datetime | None:
    """An ISO date or time that Excel knows (from 1900 on, without zone); None for any other text."""
    try:
        if _DATE.fullmatch(text):
            found = date.fromisoformat(text)
            return found if found.year >= 1900 else None
        if _DATETIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return None if moment.year < 1900 or moment.tzinfo is not None else moment
    except ValueError:
        return None
    return None


def _settled(content: bytes) -> bytes:
    """The same workbook without the times of its making: the same rows give the same bytes."""
    raw = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as made,
        zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as settled,
    ):
        for info in made.infolist():
            part = made.read(info)
            if info.filename == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", part)
            entry = zipfile.ZipInfo(info.filename, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            settled.writestr(entry, part)
    return raw.getvalue()


__all__ = ["ZipError", "read_xlsx", "write_xlsx"]
