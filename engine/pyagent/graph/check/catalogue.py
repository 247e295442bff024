"""What the checks ask of node types and of the expression language; both are handed in, so that neither is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pyagent.graph.yaml_tree import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ParamProblem:
    """What is wrong with a node's parameters, as its type sees them."""

    path: Path
    """Place in `with`; for a missing one the place where it should be."""
    kind: Literal["missing", "unknown", "invalid"]
    message: str
    known: tuple[str, ...] = ()
    """For `unknown`: the names that are known there."""


class NodeTypeInfo(Protocol):
    """A node type as the checks see it."""

    @property
    def kind(self) -> str:
        """`action`, `trigger`, `loop`, `map` or `call`."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def description(self) -> str:
        """What it does; the first paragraph says it in short."""
        ...

    @property
    def icon(self) -> str:
        """Name of its icon."""
        ...

    @property
    def each_item(self) -> bool:
        """Whether one step may deliver on `error` and on other ports, because it keeps outcomes by item."""
        ...

    @property
    def live(self) -> bool:
        """Whether it is a trigger that the world starts: outside of a run no expression has a value."""
        ...

    @property
    def ports_in(self) -> Sequence[str]:
        """Input ports; the first is the default one; none for triggers; `*` among them allows any name."""
        ...

    def ports_out(self, params: Mapping[str, Any]) -> Sequence[str] | None:
        """Output ports with these parameters, the first the default one; None if they cannot be known.

        The `error` port that `on_error: route` adds is not among them.
        """
        ...

    @property
    def fixed_ports_out(self) -> Sequence[str] | None:
        """Output ports that are the same with all parameters, None where these decide."""
        ...

    def effects(self, params: Mapping[str, Any]) -> str:
        """`none`, `idempotent` or `once`, with these parameters."""
        ...

    def param_problems(self, params: Mapping[str, Any]) -> Sequence[ParamProblem]:
        """What is wrong; a string with `{{` in it may become anything and is accepted anywhere."""
        ...

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters."""
        ...


class Catalogue(Protocol):
    """The installed node types."""

    def get(self, use: str) -> NodeTypeInfo | None:
        """The type that `use` (`flow.switch@1`) names, None if it is not installed."""
        ...

    def uses(self) -> Iterable[str]:
        """Every installed type as `type@version`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Why a template does not parse; line and column count from 1 in the template."""

    message: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a template reads, as far as that can be known without running it."""

    fault: Fault | None = None
    nodes: frozenset[str] = frozenset()
    """Ids or names that stand as literals in `$('…')` and `$node`."""
    inputs: frozenset[str] = frozenset()
    """Keys read of `$inputs`; empty where all of it is read."""
    state: frozenset[str] = frozenset()
    """Channels read of `$state`; empty where all of it is read."""


class Expressions(Protocol):
    """The expression language."""

    def read(self, template: str) -> Reading:
        """What `template`, a string with `{{ … }}`, reads, or why it does not parse."""
        ...
