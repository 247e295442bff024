"""What a commit tells that Cypher can ask: what steps used and produced, which step is inside which, who answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from pyagent.store import sealing
from pyagent.store.base import Commit, NewEvent

_ANSWERS = ("step.answered", "step.resolved")


def told(commit: Commit) -> dict[str, list[dict[str, Any]]]:
    """The parameters `insides`, `used`, `blobs` and `answers` of a commit's query."""
    used: list[dict[str, Any]] = []
    blobs: list[dict[str, Any]] = []
    for step in commit.steps:
        if (lineage := step.lineage) is not None:
            used += [{"step": step.step, "source": source} for source in lineage.used]
            for made, found in ((False, lineage.read), (True, lineage.produced)):
                blobs += [
                    {"step": step.step, "digest": kept, "name": name or None, "made": made}
                    for digest, name in found.items()
                    for kept in sealing.known_names(digest)
                ]
    insides = [{"step": step.step, "outer": outer} for step in commit.steps if (outer := outer_of(step.step))]
    answers = [{"step": event.step, "values": _answer(event)} for event in commit.events if event.kind in _ANSWERS]
    return {"insides": insides, "used": used, "blobs": blobs, "answers": answers}


def outer_of(step: str) -> str | None:
    """The map's or call's step that a step is inside of: `each` for `each[3]/fetch@1`; None in the run's own graph."""
    frame, _, _ = step.rpartition("/")
    if not frame:
        return None
    return frame.removesuffix("()") if frame.endswith("()") else frame.rpartition("[")[0]


def _answer(event: NewEvent) -> dict[str, Any]:
    """Who answered, when, what, and what was seen: texts of JSON for what may have any form."""
    given: Mapping[str, Any] = event.data.get("answer") or {"kind": "resolve", "value": event.data.get("how")}
    value = given.get("value")
    approved = cast("Mapping[str, Any]", value).get("approved") if isinstance(value, Mapping) else None
    at = given.get("at")
    # Texts that Cypher can ask for cannot be sealed: the events have them.
    is_sealed = sealing.writer() is not None
    return {
        "kind": str(given.get("kind", "")),
        "actor": given.get("actor") or event.data.get("actor"),
        "at": datetime.fromisoformat(at) if isinstance(at, str) else event.at,
        "approved": approved if isinstance(approved, bool) else None,
        "value": None if is_sealed else _as_text(cast("object", value)),
        "seen": None if is_sealed or given.get("seen") is None else _as_text(given["seen"]),
    }


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
