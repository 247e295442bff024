"""Text that programs, repositories and graphs wrote, made harmless for a terminal."""

from __future__ import annotations

import re

from rich.markup import escape as escape_markup

_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Colours and cursor movements (CSI), window titles (OSC): ECMA-48."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What else moves the cursor, rings, or turns the direction of what follows."""


def plain(text: str) -> str:
    """The text without what a terminal would act on; lines and tabs stay."""
    return _CONTROL.sub("\ufffd", _SEQUENCE.sub("", text).replace("\r", " "))


def escape(text: str) -> str:
    """The text for Rich's markup: shown as it is, harmless."""
    return escape_markup(plain(text))
