"""What a log decides, entry by entry, as text: two programs that replay it must agree (SEMANTICS 14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyagent.graph.yaml import load_text
from pyagent.runtime.log import Entry
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.sdk.registry import Registry

Decided = dict[str, list[str]]


def state_of(root: str, texts: Mapping[str, str], registry: Registry) -> RunState:
    """A run's state before its first entry. `texts`: the graphs' YAML by the hash that the run is pinned to.

    Raises `GraphError` where node types that they use are not installed, or a graph does not hold together.
    """
    programs = {hash: Program(load_text(text).spec, registry, hash) for hash, text in texts.items()}
    return RunState(programs[root], programs.__getitem__)


def decisions(state: RunState, entries: Iterable[Entry]) -> Iterator[Decided]:
    """What follows from each entry; what does not is left out. Raises `PyAgentError` for a log that cannot be."""
    for entry in entries:
        changes = state.apply(entry)
        said: dict[str, Any] = {
            "ready": [str(key) for key in changes.ready],
            "skipped": [str(key) for key in changes.skipped],
            "expanded": [str(key) for key in changes.expanded],
            "cancel": [str(key) for key, _ in changes.cancel],
            "finished": list(changes.finished),
        }
        yield {name: value for name, value in said.items() if value}


__all__ = ["Decided", "decisions", "state_of"]
