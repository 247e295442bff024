"""Recorded runs: a graph, the log of one run of it, and what followed from each entry when it was recorded.

`python -m replay.recording NAME GRAPH_FILE [INPUTS [ANSWER]]` (in `tests/`, with JSON) records another. A recording
is never changed: the rules of its semantics version decide the same for ever, and a changed rule gets a new version.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from pyagent.graph.yaml import load_text
from pyagent.runtime.engine import Engine
from pyagent.runtime.log import Entry
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.sdk import Registry
from pyagent.testing import MemoryStore

HERE = Path(__file__).parent


def decisions(graph: str, entries: list[dict[str, Any]]) -> list[dict[str, list[str]]]:
    """What follows from each entry, as text."""
    program = Program(load_text(graph).spec, Registry.installed())
    state = RunState(program)
    found: list[dict[str, list[str]]] = []
    for entry in entries:
        changes = state.apply(Entry.from_dict(entry))
        said = {
            "ready": [str(key) for key in changes.ready],
            "skipped": [str(key) for key in changes.skipped],
            "expanded": [str(key) for key in changes.expanded],
            "cancel": [str(key) for key, _ in changes.cancel],
            "finished": changes.finished,
        }
        found.append({name: value for name, value in said.items() if value})
    return found


async def record(graph: str, inputs: dict[str, Any], answer: Any = None) -> dict[str, Any]:
    """Run the graph and record it, or the last of its successors; each approval is answered with yes, unless there is
    another `answer`, and each signal sent."""
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    run = await engine.run(graph, inputs)
    while run.status == "waiting" or run.continued_as is not None:
        for step in await store.steps(run.id):
            wait = step.wait or {}
            if step.status == "waiting" and wait.get("kind") == "signal":
                await engine.signal(wait["name"], answer, key=wait.get("key", ""))
            elif step.status == "waiting" and wait.get("kind") in ("approval", "form"):
                await engine.answer(run.id, step.step, {"approved": True} if answer is None else answer)
        run = await engine.drive(run.continued_as or run.id)
    entries = [entry.as_dict() for entry in await engine.log(run.id)]
    return {"semantics": 1, "graph": graph, "entries": entries, "decisions": decisions(graph, entries)}


if __name__ == "__main__":
    name, path, *rest = sys.argv[1:]
    given = [json.loads(text) for text in rest] or [{}]
    made = asyncio.run(record(Path(path).read_text(encoding="utf-8"), *given))
    (HERE / f"{name}.json").write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
