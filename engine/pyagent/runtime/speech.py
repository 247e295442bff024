"""How much one try of a step may say: lines, tokens and signs of progress, and characters of them all."""

from __future__ import annotations

import json
from typing import Any

from pyagent.runtime.journal import event
from pyagent.runtime.log import StepKey
from pyagent.store.base import NewEvent

MOST_SAID = {"step.log": 10_000, "step.progress": 10_000, "step.token": 100_000}
"""Events of a kind that one try may add to its run; those that come after are counted and left out. A model's long
answer has more tokens than a person reads lines."""
MOST_BYTES = 8 * 1024 * 1024
"""Characters of all that one try says, fields as JSON; what comes after is counted and left out."""
LONGEST_TEXT = 16 * 1024
"""Characters of one message or token; the rest is cut off. Fields of a line that are larger as JSON are left out."""
_MOST_FIELDS = 100
"""Fields of one line; those after them are left out."""


class Speech:
    """What one try of a step has said so far."""

    __slots__ = ("_attempt", "_bytes", "_key", "_said", "left_out")

    def __init__(self, key: StepKey, attempt: int) -> None:
        self._key = key
        self._attempt = attempt
        self._said = dict.fromkeys(MOST_SAID, 0)
        self._bytes = 0
        self.left_out: dict[str, int] = {}
        """Events by kind that were too many."""

    @property
    def key(self) -> StepKey:
        """The step."""
        return self._key

    def refuses(self, kind: str) -> bool:
        """Whether nothing more of the kind is taken; it is counted then."""
        if self._bytes < MOST_BYTES and self._said[kind] < MOST_SAID[kind]:
            return False
        self.left_out[kind] = self.left_out.get(kind, 0) + 1
        return True

    def take(self, kind: str, data: dict[str, Any]) -> NewEvent:
        """The event, cut to what fits. `data` holds JSON in which secrets are masked already."""
        fitting = {name: _fitting(value) for name, value in list(data.items())[:_MOST_FIELDS]}
        self._said[kind] += 1
        self._bytes += sum(len(name) + size for name, (_, size) in fitting.items())
        return event(kind, str(self._key), **{name: value for name, (value, _) in fitting.items()})

    def last(self) -> NewEvent:
        """The line that says how much was left out."""
        names = {"step.log": "log lines", "step.progress": "signs of progress", "step.token": "tokens"}
        counts = " and ".join(f"{count} {names[kind]}" for kind, count in self.left_out.items())
        message = f"{counts} were left out: one try may not say so much"
        return event(
            "step.log",
            str(self._key),
            message=message,
            level="warning",
            attempt=self._attempt,
            left_out=dict(self.left_out),
        )


def _fitting(value: Any) -> tuple[Any, int]:
    """The value, cut if it must be, and its size."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            value = f"{value[:LONGEST_TEXT]}… [{len(value) - LONGEST_TEXT} characters left out]"
        return value, len(value)
    size = len(json.dumps(value, default=str))
    return (value, size) if size <= LONGEST_TEXT else (f"… [{size} bytes of JSON left out]", 40)


__all__ = ["LONGEST_TEXT", "MOST_BYTES", "MOST_SAID", "Speech"]
