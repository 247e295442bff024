"""Numbers of things and sizes in bytes, as people write and read them."""

from __future__ import annotations

import re

from pyagent.errors import InputError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = " kmgt"


def many(number: int, what: str, plural: str = "") -> str:
    """`1 run`, `1,200 runs`."""
    return f"{number:,} {what if number == 1 else plural or what + 's'}"


def size_in_words(size: int) -> str:
    """`1.2 MB`."""
    value, unit = float(size), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"


def size_of_text(text: str) -> int:
    """The bytes that `500MB`, `2GiB` mean. Raises `InputError` (`input.options`)."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InputError(f"{text!r} is no size", code="input.options", hint="Write 500MB or 2GB.")
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** _POWERS.index(found[2].lower() or " "))
