"""Writes an Excel workbook (.xlsx), row by row straight into its archive.

openpyxl would keep the sheet in a temporary file and write the time of its making into it; here the same rows give
the same bytes, and only packed bytes are kept in memory. The parts are those that ECMA-376 asks for at least.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any

_ROWS = 1_048_576
_COLUMNS = 16_384
_LONGEST_TEXT = 32_767
"""Rows and columns of a sheet, and characters of a cell: what the format allows."""
_LONGEST_NAME = 31
"""Characters of a sheet's name."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that ZIP knows: the same rows give the same bytes."""
_DAY_ZERO = datetime(1899, 12, 30)
_FIRST_YEAR = 1901
"""Excel counts a 29 February 1900 that never was."""
_EXACT = 10**15
"""Excel's numbers have 15 digits."""
_HEADER, _DATE, _DATETIME = 1, 2, 3
"""Styles, by their place in `cellXfs`."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?", re.ASCII)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})
_NO_SHEET = re.compile(r"[\[\]:*?/\\]|^'|'$|^\s*$")

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    "{sheets}"
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    "{sheets}"
    f'<Relationship Id="styles" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFEFEFEF"/></patternFill></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A sheet to write."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    count: int
    """Rows."""


def write_xlsx(
    sheets: Sequence[Sheet],
    *,
    header: bool,
    freeze: bool,
    widths: Mapping[str, float],
    dates: bool,
    formulas: bool,
    check: Callable[[], None],
) -> bytes:
    """The sheets, at least one, as a workbook.

    With `dates`, ISO dates and times without zone become Excel's; with `formulas`, texts that begin with `=` become
    formulas, else no text ever does. Raises `ValueError` for what no workbook can hold.
    """
    names = [sheet.name for sheet in sheets]
    for name in names:
        if len(name) > _LONGEST_NAME or _NO_SHEET.search(name):
            raise ValueError(f"{name!r} is no name of a sheet")
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError(f"two sheets have one name: {', '.join(names)}")
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, part in _parts(names).items():
            archive.writestr(_entry(name), _XML + part)
        for number, sheet in enumerate(sheets, 1):
            with archive.open(_entry(f"xl/worksheets/sheet{number}.xml"), "w") as page:
                _write_sheet(page, sheet, header, freeze, widths, dates, formulas, check)
    return raw.getvalue()


def _parts(names: Sequence[str]) -> dict[str, str]:
    """All parts but the sheets; every part names the sheets in its own way."""
    numbered = list(enumerate(names, 1))
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for number, _ in numbered
    )
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number, _ in numbered
    )
    listed = "".join(
        f'<sheet name="{_escaped(name)}" sheetId="{number}" r:id="rId{number}"/>' for number, name in numbered
    )
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
    sheets = {"[Content_Types].xml": types, "xl/_rels/workbook.xml.rels": relations}
    return {
        **{name: part.replace("{sheets}", sheets.get(name, "")) for name, part in _PARTS.items()},
        "xl/workbook.xml": book,
    }


def _write_sheet(
    page: IO[bytes],
    sheet: Sheet,
    header: bool,
    freeze: bool,
    widths: Mapping[str, float],
    dates: bool,
    formulas: bool,
    check: Callable[[], None],
) -> None:
    columns = sheet.columns
    if len(columns) > _COLUMNS:
        raise ValueError(f"{len(columns)} columns: a sheet has {_COLUMNS}")
    letters = [_letters(number) for number in range(1, len(columns) + 1)]
    above = 0
    size = f"A1:{letters[-1]}{max(1, sheet.count + header)}" if letters else "A1"
    page.write(_begin(columns, size, freeze=freeze and header, widths=widths).encode())
    if header and columns:
        above = 1
        cells = "".join(
            _text(f"{letter}1", name, f' s="{_HEADER}"') for letter, name in zip(letters, columns, strict=True)
        )
        page.write(f'<row r="1">{cells}</row>'.encode())
    for number, row in enumerate(sheet.rows, above + 1):
        if number % 256 == 0:
            check()
        if number > _ROWS:
            raise ValueError(f"a sheet holds {_ROWS} rows")
        cells = "".join(
            _cell(f"{letter}{number}", value, dates, formulas)
            for letter, value in zip(letters, row, strict=True)
            if value is not None
        )
        page.write(f'<row r="{number}">{cells}</row>'.encode())
    page.write(b"</sheetData></worksheet>")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


def _begin(columns: Sequence[str], size: str, *, freeze: bool, widths: Mapping[str, float]) -> str:
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' if freeze else ""
    view = f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
    cols = "".join(
        f'<col min="{number}" max="{number}" customWidth="1" '
        f'width="{widths.get(column, min(60, max(10, len(column) + 2))):g}"/>'
        for number, column in enumerate(columns, 1)
    )
    top = f'{_XML}<worksheet xmlns="{_MAIN}"><dimension ref="{size}"/>'
    return f"{top}{view}{f'<cols>{cols}</cols>' if cols else ''}<sheetData>"


def _letters(number: int) -> str:
    """A column's name: A, B, …, Z, AA, …"""
    found = ""
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(65 + rest) + found
    return found


def _cell(at: str, value: Any, dates: bool, formulas: bool) -> str:
    if isinstance(value, bool):
        return f'<c r="{at}" t="b"><v>{value:d}</v></c>'
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number of a spreadsheet")
        if isinstance(value, int) and abs(value) >= _EXACT:
            return _text(at, str(value))
        return f'<c r="{at}"><v>{value!r}</v></c>'
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is no value of a cell")
    if formulas and len(value) > 1 and value.startswith("="):
        return f'<c r="{at}"><f>{_escaped(value[1:])}</f></c>'
    if dates and (found := _serial(value)) is not None:
        serial, style = found
        return f'<c r="{at}" s="{style}"><v>{serial!r}</v></c>'
    return _text(at, value)


def _text(at: str, value: str, style: str = "") -> str:
    return f'<c r="{at}"{style} t="inlineStr"><is><t xml:space="preserve">{_escaped(value)}</t></is></c>'


def _escaped(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"a text of {len(text)} characters: a cell holds {_LONGEST_TEXT}")
    if found := _FORBIDDEN.search(text):
        raise ValueError(f"a text holds U+{ord(found[0]):04X}, which no workbook can")
    return text.translate(_ESCAPED)


def _serial(text: str) -> tuple[int | float, int] | None:
    """An ISO date's or time's number of days and its style; None for any other text."""
    try:
        if _ISO_DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return ((day - _DAY_ZERO.date()).days, _DATE) if day.year >= _FIRST_YEAR else None
        if _ISO_DATETIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return ((moment - _DAY_ZERO).total_seconds() / 86_400, _DATETIME) if moment.year >= _FIRST_YEAR else None
    except ValueError:
        return None
    return None
