"""The page on events knows every kind that the engine tells."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_kind_of_event_stands_in_the_reference_and_nothing_else() -> None:
    told: set[str] = set()
    for path in (ROOT / "engine/pyagent/runtime").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        told |= set(re.findall(r"(?:event\(|kind=)\"((?:run|step)\.[a-z_]+)\"", text))
    told |= {"run.cancelled", "step.failed", "step.completed"}  # made of a status

    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    known = {kind for row in rows for kind in re.findall(r"`([a-z_.]+)`", row)}

    assert known == told
