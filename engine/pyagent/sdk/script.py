"""Programs in the expression language (JavaScript) that a node has the engine run: `ctx.javascript`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pyagent.errors import NodeError

ScriptMode: TypeAlias = Literal["all", "each"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptLimits:
    """What a script may use."""

    seconds: float = 10.0
    """Longest run; with mode `each`, of one item."""
    memory: int = 64 * 1024 * 1024
    """Bytes that it may hold, its items included."""
    lines: int = 1000
    """Lines of `console.log` that are kept; one more says that there were others."""


class ScriptFailed(NodeError):
    """A script does not parse, threw an error, or reached a limit."""

    code = "node.code_failed"
    hint = "Correct the code."

    def __init__(self, message: str, *, code: str, hint: str, line: int | None = None, item: int | None = None) -> None:
        """`line` (from 1) is that of the code, `item` (from 0) the input item it worked on."""
        place = [f"line {line}"] if line is not None else []
        place += [f"item {item}"] if item is not None else []
        super().__init__(
            f"{message} ({', '.join(place)})" if place else message,
            code=code,
            hint=hint,
            details={"line": line, "item": item},
        )


__all__ = ["ScriptFailed", "ScriptLimits", "ScriptMode"]
