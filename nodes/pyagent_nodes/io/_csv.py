"""Reads and writes CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pyagent.sdk import JsonObject
from pyagent_nodes.io._parsing import (
    ParseCsv,
    ParseError,
    ParseTooLarge,
    Types,
    bad_bytes,
    column_names,
    encoding_of,
    guessed,
)

_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_CELL = 16 * 1024 * 1024
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?", re.ASCII)
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet program takes for the beginning of a formula (OWASP, CSV injection)."""


def read_csv(
    content: bytes,
    *,
    name: str,
    encoding: str,
    delimiter: str,
    quote: str,
    header: bool,
    columns: Sequence[str] | None,
    types: Types,
    ragged_is_error: bool,
    skip: int,
) -> Iterator[JsonObject]:
    """The rows as objects, read as they are asked for. Blank lines are left out.

    Raises `ParseCsv` with the line, `ParseEncoding`, `ParseTooLarge` for a cell of more than 16 MiB.
    """
    if csv.field_size_limit() < _LONGEST_CELL:  # one setting for the whole process: it only grows
        csv.field_size_limit(_LONGEST_CELL)
    found = encoding_of(content, encoding)
    if delimiter == "auto":
        delimiter = sniffed(content[: 64 * 1024].decode(found, errors="replace"), quote)
    lines = io.TextIOWrapper(io.BytesIO(content), encoding=found, newline="")
    reader = csv.reader(
        _without_nul(lines, name),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        strict=True,
    )
    names = column_names(columns) if columns is not None else None
    convert: Callable[[str], Any] | None = guessed if types == "guess" else None
    begin = 0
    try:
        for row in reader:
            line, begin = begin + 1, reader.line_num
            if not row:
                continue
            if skip > 0:
                skip -= 1
                continue
            if header:
                header = False
                names = names or column_names(row)
                continue
            if names is None:
                names = column_names("" for _ in row)
            if len(row) != len(names):
                if ragged_is_error:
                    raise ParseCsv(
                        f"line {line} of {name or 'the file'} has {len(row)} cells, the header has {len(names)}",
                        hint="Correct the line or the delimiter, or set `ragged: fill`.",
                        details={"line": line, "cells": len(row), "columns": len(names)},
                    )
                names = names + column_names([*names, *("" for _ in row[len(names) :])])[len(names) :]
            cells = [convert(cell) for cell in row] if convert else row
            made: JsonObject = dict(zip(names, cells, strict=False))
            for missing in names[len(row) :]:
                made[missing] = None
            yield made
    except csv.Error as error:
        if "field limit" in str(error):
            raise ParseTooLarge(
                f"line {begin + 1}: a cell of more than 16 MiB", hint="Is a quotation mark never closed?"
            ) from error
        raise ParseCsv(
            f"line {begin + 1} of {name or 'the file'}: {error}",
            hint='Correct the quotation marks, or set `quote: ""` for a file that uses none.',
            details={"line": begin + 1},
        ) from error
    except UnicodeError as error:
        raise bad_bytes(error, found, name, begin + 1) from error


def _without_nul(lines: Iterable[str], name: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise ParseError(
                f"line {number} of {name or 'the file'} holds a NUL character: it is binary, or in another encoding",
                hint="Name its `encoding` (utf-16?), or its `format`.",
                code="node.parse_nul",
                details={"line": number},
            )
        yield line


def sniffed(sample: str, quote: str) -> str:
    """The delimiter whose first rows have the most equal number of cells; a comma where none is better."""
    best, best_score = ",", 0.0
    whole = sample[: sample.rfind("\n") + 1] or sample
    for delimiter in _DELIMITERS:
        reader = csv.reader(
            io.StringIO(whole, newline=""),
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        widths: list[int] = []
        try:
            for row in reader:
                if row:
                    widths.append(len(row))
                if len(widths) == 50:
                    break
        except csv.Error:
            continue
        if not widths or max(widths) == 1:
            continue
        usual = max(set(widths), key=lambda width: (widths.count(width), width))
        score = widths.count(usual) / len(widths) if usual > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def write_csv(
    rows: Iterable[Sequence[Any]],
    columns: Sequence[str],
    *,
    header: bool,
    delimiter: str,
    encoding: str,
    bom: bool,
    guard: Callable[[str], str],
) -> bytes:
    """The rows as a CSV file with `\\n` at the end of lines. Raises `UnicodeEncodeError`, `LookupError`."""
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, encoding=encoding, newline="", write_through=False)
    if bom:
        text.write("\ufeff")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if header and columns:
        writer.writerow([guard(name) for name in columns])
    for row in rows:
        writer.writerow([_cell(value, guard) for value in row])
    text.flush()
    return raw.getvalue()


def _cell(value: Any, guard: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return guard(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def is_formula(text: str) -> bool:
    """Whether a spreadsheet program could take the text for a formula; a plain number such as `-5` it does not."""
    return text.startswith(FORMULA_BEGINS) and not _PLAIN_NUMBER.fullmatch(text)
