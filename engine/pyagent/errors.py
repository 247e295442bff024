"""The error tree: every error has a stable code, says where it happened, and carries a hint.

This module imports the standard library only; every other module may import it. An error is data first:
`as_dict()` is what the API, the event stream and `--json` show, `str()` is what a person reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """The place an error is about; every part may be missing."""

    file: str | None = None
    """Path of the graph file."""
    line: int | None = None
    """Line in that file, from 1."""
    column: int | None = None
    """Column in that line, from 1."""
    node: str | None = None
    """Id of the node."""
    field: str | None = None
    """Dotted path inside the node or graph, e.g. `with.rules.0.when`."""
    step: str | None = None
    """The step, as `node@scope`."""

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            # Without a file the line is one of the field's own text.
            place += f":{self.line}" if place else f"line {self.line}"
            place += f":{self.column}" if self.column is not None else ""
        parts = [place] if place else []
        if self.step or self.node:
            parts.append(f"node {self.step or self.node}")
        if self.field:
            parts.append(f"field {self.field}")
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The parts that are known, as JSON."""
        found = {name: getattr(self, name) for name in ("file", "line", "column", "node", "field", "step")}
        return {name: value for name, value in found.items() if value is not None}


class PyAgentError(Exception):
    """Root of all errors that PyAgent raises on purpose."""

    code: ClassVar[str] = "internal"
    hint: str = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: Where | None = None,
        details: Mapping[str, Any] | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code  # type: ignore[misc]
        if hint is not None:
            self.hint = hint
        self.where = where or Where()
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        place = str(self.where)
        text = f"{self.code}: {self.message}"
        return f"{text} ({place})" if place else text

    def as_dict(self) -> dict[str, Any]:
        """`{code, message, hint, where, details}`; empty parts are left out."""
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            found["hint"] = self.hint
        if where := self.where.as_dict():
            found["where"] = where
        if self.details:
            found["details"] = self.details
        return found


class GraphError(PyAgentError):
    """The graph file cannot be read or breaks a rule; `code` says which (`graph.*`)."""

    code = "graph.invalid"


class ExpressionError(PyAgentError):
    """An expression does not parse, fails, or reads what is not upstream (`expr.*`)."""

    code = "expr.failed"


class NodeError(PyAgentError):
    """A node's own failure; nodes raise it, or a subclass, with a code `node.*` or their own domain."""

    code = "node.failed"


class NodeTimeout(NodeError):
    """A try outlived its `timeout` or showed no progress for its `idle_timeout`."""

    code = "node.timeout"
    hint = "Raise `timeout` (or `idle_timeout`) on the node, or call ctx.progress() more often."


class NodeCancelled(NodeError):
    """The step was asked to stop: the run was cancelled, failed, or no longer needs it."""

    code = "node.cancelled"
    hint = "If the step is still wanted, `pyagent resume` goes on with the run."


class InputError(PyAgentError):
    """What the caller gave does not fit: run inputs, parameters, an answer (`input.*`)."""

    code = "input.invalid"


class RunError(PyAgentError):
    """A run cannot do what was asked, or ended badly (`run.*`)."""

    code = "run.failed"


class StoreError(PyAgentError):
    """The store cannot be reached, is full, read-only or damaged (`store.*`)."""

    code = "store.failed"


class LeaseHeld(StoreError):
    """Another owner's lease on the run has not expired."""

    code = "store.lease_held"
    hint = "Wait until its owner ends or its lease expires."


class LeaseLost(StoreError):
    """The commit carried an old fencing token: another worker has taken the run over."""

    code = "store.lease_lost"
    hint = "This worker must stop the run's steps; the new owner goes on."


class NotFound(PyAgentError):
    """What was asked for does not exist (`*.not_found`)."""

    code = "not_found"


class SetupError(PyAgentError):
    """Something that PyAgent needs on this machine is missing (`setup.*`)."""

    code = "setup.missing"
    hint = "Run `pyagent doctor`."
