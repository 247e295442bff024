"""What the parsers of `io.parse_file` share: errors, the kind of a file, its text, names of columns."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

from pyagent.sdk import JsonObject, NodeError
from pyagent.sdk.charsets import charset

Format: TypeAlias = Literal["csv", "json", "jsonl", "yaml", "xlsx", "text"]
Types: TypeAlias = Literal["text", "guess"]

MAGIC_ZIP = b"PK\x03\x04"
_MAGIC_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BY_ENDING: dict[str, Format] = {
    "csv": "csv", "tsv": "csv", "tab": "csv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "yaml": "yaml",
    "yml": "yaml", "xlsx": "xlsx", "xlsm": "xlsx", "xls": "xlsx", "txt": "text", "md": "text", "log": "text",
}  # fmt: skip
_BY_MEDIA_TYPE: dict[str, Format] = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/json": "json",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/plain": "text",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}([eE][+-]?[0-9]{1,2})?", re.ASCII)
_WORDS = {"": None, "true": True, "false": False, "TRUE": True, "FALSE": False, "True": True, "False": False}


class ParseError(NodeError):
    """The content is not what it is said to be, or is damaged."""

    code = "node.parse"
    hint = "Look at the file, or name its `format`."


class ParseKind(ParseError):
    """The content is of another kind than its name, its media type or the parameter says."""

    code = "node.parse_kind"
    hint = "Name the right `format`, or save the file in it."


class ParseEncoding(ParseError):
    """The bytes are no text in this encoding."""

    code = "node.parse_encoding"
    hint = "Name the file's `encoding`, e.g. cp1252 for old Windows files."


class ParseCsv(ParseError):
    """The rows of a CSV file do not fit together."""

    code = "node.parse_csv"


class ParseJson(ParseError):
    """The text is not JSON."""

    code = "node.parse_json"
    hint = "Correct the file; the place is told in the message."


class ParseYaml(ParseError):
    """The text is not YAML, or is YAML that no JSON can hold."""

    code = "node.parse_yaml"
    hint = "Correct the file; the place is told in the message."


class ParseSpreadsheet(ParseError):
    """The workbook is damaged, or has no such sheet."""

    code = "node.parse_xlsx"
    hint = "Open it in a spreadsheet program and save it as .xlsx."


class ParseTooLarge(ParseError):
    """The content is larger than the node's limits."""

    code = "node.parse_size"
    hint = "Raise the limit that the message names, or parse less with `skip` and `limit`."


def find_format(content: bytes, name: str, media_type: str) -> Format:
    """The format, by what the bytes begin with, then by the name, then by the media type, then by the text itself.

    Raises `ParseKind`.
    """
    if content.startswith(MAGIC_ZIP):
        return "xlsx"
    if content.startswith(_MAGIC_OLE):
        raise ParseKind(
            f"{name or 'the content'} is an old Excel file (.xls)", hint="Save it as .xlsx, which this node reads."
        )
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if found := _BY_ENDING.get(ending) or _BY_MEDIA_TYPE.get(media_type.partition(";")[0].strip().lower()):
        return found
    begin = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin[:1] in (b"{", b"["):
        return "json"
    if b"\0" in content[:4096] and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ParseKind(f"{name or 'the content'} is not text, and of no kind that this node reads")
    raise ParseKind(f"{name or 'the content'} does not say what it is", hint="Name its `format`.")


def check_kind(content: bytes, format: Format, name: str) -> None:
    """See that the content can be of this format. Raises `ParseKind`."""
    label = name or "the content"
    if format == "xlsx":
        if content.startswith(MAGIC_ZIP):
            return
        if content.startswith(_MAGIC_OLE):
            raise ParseKind(f"{label} is an old or an encrypted Excel file", hint="Save it as .xlsx without password.")
        begin = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if not content:
            raise ParseKind(f"{label} is empty")
        if begin.startswith((b"<!doctype", b"<html", b"<table", b"<?xml")):
            raise ParseKind(f"{label} is a web page or XML, not a spreadsheet, whatever its name says")
        raise ParseKind(f"{label} is not a spreadsheet (.xlsx), whatever its name says")
    if content.startswith((MAGIC_ZIP, _MAGIC_OLE)):
        raise ParseKind(f"{label} is a spreadsheet or an archive, not {format}")


def encoding_of(content: bytes, encoding: str) -> str:
    """The encoding to decode with: the given one, or for `auto` that of the byte order mark, else UTF-8.

    Raises `ParseEncoding` for an encoding that nobody knows.
    """
    for mark, name in _BOMS:
        if content.startswith(mark) and encoding in ("auto", name, name.removesuffix("-sig")):
            return name
    if encoding == "auto":
        return "utf-8"
    try:
        charset(encoding)
    except LookupError as error:
        raise ParseEncoding(f"there is no encoding {encoding!r}") from error
    return encoding


def bad_bytes(error: UnicodeError, encoding: str, name: str, line: int | None = None) -> ParseEncoding:
    """The error for bytes that are not text; `line` from 1, where it is known."""
    at = f"line {line}" if line is not None else f"byte {getattr(error, 'start', 0)}"
    return ParseEncoding(f"{name or 'the content'} is not {encoding} text: {at} does not fit")


def decode(content: bytes, encoding: str, name: str) -> str:
    """The whole text. Raises `ParseEncoding`."""
    found = encoding_of(content, encoding)
    try:
        return content.decode(found)
    except UnicodeError as error:
        raise bad_bytes(error, found, name) from error


def column_names(header: Iterable[str]) -> list[str]:
    """Names for columns: what has none is `column_3`, what comes twice gets a number (`name_2`)."""
    names: list[str] = []
    taken: set[str] = set()
    for position, given in enumerate(header, 1):
        base = given.strip() or f"column_{position}"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        names.append(name)
    return names


def guessed(text: str) -> Any:
    """A cell's text as null, boolean or number where it is certainly one, else as it is.

    Numbers are those that JSON would write: no leading zeros or plus sign, at most 15 digits before the point, so
    that codes, telephone numbers and long identifiers stay text. Dates stay text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[-1] in "0123456789" and text[0] in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text) if text != "-0" else text
        if _DECIMAL.fullmatch(text):
            return float(text)
    return text


def at_list(value: Any, path: str | None, most: int) -> Iterator[JsonObject]:
    """The objects of the list at `path` (the whole value without it) as rows; a value that is no object is `{value}`.

    Raises `ParseError` where no list is at `path`.
    """
    from pyagent.sdk.fields import MISSING, read_field

    if path is not None:
        found = read_field(value, path)
        if found is MISSING:
            raise ParseError(f"there is no list at {path!r}", hint="Correct `list`.", code="node.parse_list")
        if not isinstance(found, list):
            raise ParseError(
                f"{path!r} is {type(found).__name__}, not a list", hint="Correct `list`.", code="node.parse_list"
            )
        value = found
    elements = value if isinstance(value, list) else [value]
    if len(elements) > most:
        raise too_many(most)
    for element in elements:
        yield element if isinstance(element, dict) else {"value": element}


def too_many(most: int) -> ParseTooLarge:
    """The error for more rows than allowed."""
    return ParseTooLarge(f"there are more than {most} rows: `max_rows` is less")
