"""Writes values as YAML in the one canonical style, with the comments that belong to them.

What is written is read alike by YAML 1.1 and 1.2: strings that either would take for something else are quoted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

WIDTH = 100
"""A collection is written on one line if the line is no longer than this."""

_FIRST = re.compile(r"[\w/$(]")
_FLOW_UNSAFE = re.compile(r"[,\[\]{}\"'`]|:(?![\w/])|\s#|^#")
_BLOCK_UNSAFE = re.compile(r":(\s|$)|\s#")
_NOT_STRING = re.compile(
    # what YAML 1.2 or 1.1 reads as null, boolean, number, time, date, merge key
    r"null|~|true|false|yes|no|on|off|[-+.]?[0-9][-+.0-9_:eExXoOa-fA-F]*|[-+]?\.?(?:inf|nan)"
    r"|[0-9]{4}-[0-9].*|<<|=",
    re.IGNORECASE,
)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


@dataclass(slots=True)
class Piece:
    """A value to write, with its comments. Lines of comments begin with `#`; an empty one is a blank line."""

    kind: Literal["scalar", "mapping", "sequence"]
    value: Any = None
    """A scalar's value."""
    keys: list[str] = field(default_factory=list[str])
    items: list[Piece] = field(default_factory=list["Piece"])
    before: list[str] = field(default_factory=list[str])
    """Lines above the entry."""
    beside: str = ""
    """The comment on the entry's first line."""
    after: list[str] = field(default_factory=list[str])
    """Lines after the last entry."""
    open: bool = False
    """Written over several lines however short it is."""
    anchor: str | None = None
    alias: str | None = None

    @property
    def inline(self) -> bool:
        """Whether it may stand on one line."""
        if self.alias or self.kind == "scalar":
            return self.alias is not None or not literal_fits(self.value)
        if not self.items:
            return not self.after
        if self.open or self.after:
            return False
        return all(item.inline and not item.before and not item.beside for item in self.items)


def literal_fits(value: Any) -> bool:
    """Whether `value` is text of several lines that a `|` block holds exactly."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n") or value[0].isspace():
        return False
    body = value[:-1] if value.endswith("\n") else value
    lines = body.split("\n")
    return bool(lines[-1]) and all(line == line.rstrip() and (line.replace("\t", "").isprintable()) for line in lines)


def scalar(value: Any, *, flow: bool) -> str:
    """`value` on one line; `flow`: it stands inside brackets or is a key."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value, allow_nan=False)
    text = str(value)
    unsafe = _FLOW_UNSAFE if flow else _BLOCK_UNSAFE
    if (
        _FIRST.match(text)
        and text.isprintable()
        and text[-1] != " "
        and not unsafe.search(text)
        and not _NOT_STRING.fullmatch(text)
    ):
        return text
    if text.isprintable() and ('"' in text or "\\" in text) and "'" not in text:
        return f"'{text}'"
    return f'"{"".join(map(_escape, text))}"'


def _escape(character: str) -> str:
    if known := _ESCAPES.get(character):
        return known
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(part: Piece, *, flow: bool = True) -> str:
    """`part` on one line, without its comments."""
    if part.alias:
        # a space: `*a,` would be read as an alias whose name ends with the comma
        return f"*{part.alias} " if flow else f"*{part.alias}"
    anchor = f"&{part.anchor} " if part.anchor else ""
    if part.kind == "scalar":
        return anchor + scalar(part.value, flow=flow)
    if part.kind == "sequence":
        return f"{anchor}[{', '.join(map(one_line, part.items))}]"
    entries = (f"{scalar(key, flow=True)}: {one_line(item)}" for key, item in zip(part.keys, part.items, strict=True))
    return f"{anchor}{{{', '.join(entries)}}}"


def block(part: Piece, indent: int) -> list[str]:
    """The lines of a collection's entries, each indented by `indent` spaces."""
    lines: list[str] = []
    pad = " " * indent
    heads = [f"{scalar(key, flow=True)}:" for key in part.keys] if part.kind == "mapping" else ["-"] * len(part.items)
    for head, item in zip(heads, part.items, strict=True):
        lines.extend(pad + line if line else "" for line in item.before)
        lines.extend(entry(head, item, indent))
    lines.extend(pad + line if line else "" for line in part.after)
    return lines


def entry(head: str, part: Piece, indent: int) -> list[str]:
    """The lines of one entry, its leading comments left out; `head` is `key:` or `-`."""
    pad = " " * indent
    beside = f"  {part.beside}" if part.beside else ""
    anchor = f" &{part.anchor}" if part.anchor else ""
    if part.kind == "scalar" and not part.alias and literal_fits(part.value):
        text: str = part.value
        chomp = "" if text.endswith("\n") else "-"
        inner = pad + "  "
        body = [inner + line if line else "" for line in text.removesuffix("\n").split("\n")]
        return [f"{pad}{head}{anchor} |{chomp}{beside}", *body]
    if part.inline:
        line = f"{pad}{head} {one_line(part, flow=False)}"
        if part.kind == "scalar" or part.alias or not part.items or len(line) <= WIDTH:
            return [line + beside]
    if head == "-" and not anchor:
        first = part.items[0]
        rest = block(part, indent + 2)[len(first.before) :]
        # a comment must not part the dash from its first entry
        above = [*([part.beside] if part.beside else []), *first.before]
        return [*(pad + line if line else "" for line in above), f"{pad}- {rest[0].lstrip()}", *rest[1:]]
    return [f"{pad}{head}{anchor}{beside}", *block(part, indent + 2)]
