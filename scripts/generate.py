"""Write the generated files, or with `--check` compare them and write nothing.

Every generated file is one line of `GENERATED`: its path and the function that gives its whole text. A function
must give the same text on every machine.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path

import api_client
import api_reference
import command_reference
import error_reference
import event_reference
import node_reference
import schema_reference
import settings_reference

ROOT = Path(__file__).resolve().parent.parent

GENERATED: dict[str, Callable[[], str]] = {
    "docs/reference/api.md": api_reference.render,
    "docs/reference/commands.md": command_reference.render,
    "docs/reference/errors.md": error_reference.render,
    "docs/reference/events.md": event_reference.render,
    "docs/reference/events.schema.json": event_reference.render_schema,
    "docs/reference/graph.schema.json": schema_reference.render,
    "docs/reference/nodes.md": node_reference.render,
    "docs/reference/settings.md": settings_reference.render,
    "web/src/api/schema.ts": api_client.render,
}


def main() -> int:
    """0 when every file is current (or was written), 1 when `--check` found one that is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if a file is not current")
    check: bool = parser.parse_args().check
    stale = 0
    for name, render in GENERATED.items():
        path = ROOT / name
        old, new = (path.read_text() if path.is_file() else ""), render()
        if old == new:
            continue
        stale += 1
        if check:
            print(f"{name} is not current; run `make gen`", file=sys.stderr)
            sys.stderr.writelines(
                list(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "in the tree", "generated"))[:40]
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new)
            print(f"wrote {name}")
    if not stale:
        print(f"{len(GENERATED)} generated files are current")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
