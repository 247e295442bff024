"""What `--json` writes: one JSON document on the standard output.

A command that lists gives a list, every other one an object; an error is `{"error": {code, message, hint, where?,
details?}}`. What goes on for a while (`run`, `resume`, `fork`, `show --follow`, `logs`) gives one object a line.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_UNBOUNDED = 10_000
"""Columns of a pipe: no line of a table is as long."""


def print_json(value: Any) -> None:
    """Write a value as indented JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_json_line(value: Any) -> None:
    """Write a value as one line of JSON, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def table_console() -> Console:
    """A console for tables: on a terminal they are as wide as that, elsewhere each row is one whole line."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNBOUNDED)
