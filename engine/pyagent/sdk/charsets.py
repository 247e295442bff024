"""Character sets that strangers name: those that texts are sent in, and none of Python's other codecs."""

from __future__ import annotations

import codecs

# Codecs that make text of text. The first two are quadratic: a megabyte takes minutes, and nothing stops them.
_NO_TEXTS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"})
_LONGEST_NAME = 100


def charset(name: str) -> str:
    """The name that Python knows a character set by. Raises `LookupError` for what is none, and for what may not be.

    For names from outside, such as a `Content-Type`: decoding with the result takes time in proportion to the text,
    and fails with nothing but `UnicodeDecodeError`.
    """
    found = codecs.lookup(name) if len(name) <= _LONGEST_NAME and "\0" not in name else None
    if found is None or found.name in _NO_TEXTS or not getattr(found, "_is_text_encoding", True):
        raise LookupError(f"unknown character set: {name[:_LONGEST_NAME]}")
    return found.name


__all__ = ["charset"]
