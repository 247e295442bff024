"""What `--json` writes: one JSON document on the standard output.

A command that lists gives a list, every other one an object; an error is `{"error": {code, message, hint, where?,
details?}}`. What goes on for a while (`run`, `resume`, `fork`, `show --follow`, `logs`) gives one object a line.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(value: Any) -> None:
    """Write a value as indented JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_json_line(value: Any) -> None:
    """Write a value as one line of JSON, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
