"""The `@node` decorator: a function and its parameter model become a node type."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from pyagent.errors import PyAgentError
from pyagent.sdk.commands import Command
from pyagent.sdk.items import Item, JsonObject, Outputs, Result
from pyagent.sdk.params import NodeParams, parameter_schema
from pyagent.sdk.sources import Endpoint, Source, Upcoming

Effects: TypeAlias = Literal["none", "idempotent", "once"]
Returned: TypeAlias = Outputs | Result | Command | Sequence[Item] | None
ItemReturned: TypeAlias = Item | JsonObject | Sequence[Item] | Outputs | None
NodeKind: TypeAlias = Literal["action", "trigger", "loop", "map", "call"]


class NodeDefinitionError(PyAgentError):
    """A node type is declared wrongly; raised when its module is imported."""

    code = "node.definition"
    hint = "Declare it as docs/guides/write-a-node.md shows: `async def` with items (or item), params and ctx."


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeType:
    """A capability: what `use: flow.switch@1` names."""

    name: str
    """`domain.name`."""
    version: int
    title: str
    description: str
    """The function's docstring."""
    icon: str
    kind: NodeKind
    params: type[NodeParams]
    ports_in: tuple[str, ...]
    """The first is the default one; `*` among them: an edge may name any other port, as those into a merge do."""
    ports_out: tuple[str, ...] | Callable[[Any], Sequence[str]]
    effects: Effects | Callable[[Any], Effects]
    each_item: bool
    """The function is called for each item, with outcomes kept by item (SEMANTICS 20)."""
    concurrency: int
    """For `each_item`: how many items at once."""
    function: Callable[..., Awaitable[Any]]
    makes_items: bool = False
    """Its items come from no input item in particular, so they need no lineage: a reader, a report, a generator."""
    source: Source | None = None
    """For a trigger: what tells when the world starts the graph."""
    upcoming: Upcoming | None = None
    """For a trigger whose next times are known."""
    endpoint: Callable[[Any], Endpoint] | None = None
    """For a trigger that is started by requests: where they are taken."""

    @property
    def live(self) -> bool:
        """Whether the world starts graphs here, outside of any run: the parameters then are as they are written."""
        return self.source is not None or self.endpoint is not None

    @property
    def use(self) -> str:
        """`name@version`, as a graph file writes it."""
        return f"{self.name}@{self.version}"

    def ports_out_for(self, params: NodeParams | None) -> tuple[str, ...]:
        """The output ports of a node with these parameters; the first is the default one."""
        if callable(self.ports_out):
            return tuple(self.ports_out(params)) if params is not None else ()
        return self.ports_out

    def effects_for(self, params: NodeParams | None) -> Effects:
        """What a try may do to the world, from the parameters where these decide (SEMANTICS 18)."""
        if callable(self.effects):
            return self.effects(params) if params is not None else "once"
        return self.effects

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters."""
        return parameter_schema(self.params)

    def validate_params(self, values: Mapping[str, Any]) -> NodeParams:
        """The parameters as a model. Raises pydantic's `ValidationError`."""
        return self.params.model_validate(values)

    async def __call__(self, *args: Any) -> Any:
        """Call the node's function itself, as a unit test does."""
        return await self.function(*args)


def node(
    name: str,
    *,
    version: int = 1,
    title: str,
    icon: str = "box",
    kind: NodeKind = "action",
    ports_in: Sequence[str] = ("in",),
    ports_out: Sequence[str] | Callable[[Any], Sequence[str]] = ("out",),
    effects: Effects | Callable[[Any], Effects] = "once",
    each_item: bool = False,
    concurrency: int = 1,
    makes_items: bool = False,
    source: Source | None = None,
    upcoming: Upcoming | None = None,
    endpoint: Callable[[Any], Endpoint] | None = None,
) -> Callable[[Callable[..., Awaitable[Any]] | Callable[..., AsyncIterator[Any]]], NodeType]:
    """Declare a node type.

    The function is `async def f(items: Items, params: Params, ctx: Context) -> Outputs | Result | Command`, or with
    `each_item=True` `async def f(item: Item, params: Params, ctx: Context)` returning a JSON object, an item, several
    items, items by port, or None for nothing. A function that yields gives these piece by piece: full pages are kept at
    once, so that all items need never be in memory. `ports_out` and `effects` may be functions of the parameters.
    `effects` left out means `once`: the engine then never repeats a try by itself. `makes_items`: what it gives comes
    from no input item in particular; otherwise the conformance kit wants to know from which. `source` and `upcoming`,
    or `endpoint`, say how the world starts a graph at a trigger (`pyagent.sdk.sources`).

    Raises `NodeDefinitionError` when the declaration does not hold together.
    """

    def decorate(function: Callable[..., Awaitable[Any]] | Callable[..., AsyncIterator[Any]]) -> NodeType:
        domain, _, rest = name.partition(".")
        if not (domain.isidentifier() and rest.replace(".", "_").isidentifier()):
            raise NodeDefinitionError(f"{name!r} is not a node name", hint="Use `domain.name` in lower case.")
        streams = inspect.isasyncgenfunction(function)
        if not streams and not inspect.iscoroutinefunction(function):
            raise NodeDefinitionError(f"the function of {name} is not `async def`")
        try:
            hints = typing.get_type_hints(function)
        except NameError as error:
            raise NodeDefinitionError(
                f"the function of {name} is annotated with what is not there: {error}",
                hint="Define the parameters' model at the top of the module, before the function.",
            ) from None
        positional = list(inspect.signature(function).parameters)
        if len(positional) != 3:
            raise NodeDefinitionError(f"the function of {name} must take (items, params, ctx)")
        if (source or upcoming or endpoint) and kind != "trigger":
            raise NodeDefinitionError(f"{name} is no trigger, so nothing can start it", hint="Say kind='trigger'.")
        model = hints.get(positional[1])
        if not (isinstance(model, type) and issubclass(model, NodeParams)):
            raise NodeDefinitionError(
                f"the second parameter of {name} has no NodeParams type",
                hint="Annotate it with a subclass of NodeParams, or with NoParams.",
            )
        if streams:
            from pyagent.sdk.stream import gathering

            called = gathering(function, lambda: made)
        else:
            called = cast("Callable[..., Awaitable[Any]]", function)
        made = NodeType(
            name=name,
            version=version,
            title=title,
            description=inspect.cleandoc(function.__doc__ or ""),
            icon=icon,
            kind=kind,
            params=model,
            ports_in=tuple(ports_in),
            ports_out=ports_out if callable(ports_out) else tuple(ports_out),
            effects=effects,
            each_item=each_item,
            concurrency=concurrency,
            function=called,
            makes_items=makes_items,
            source=source,
            upcoming=upcoming,
            endpoint=endpoint,
        )
        return made

    return decorate


__all__ = ["Effects", "NodeDefinitionError", "NodeKind", "NodeType", "node"]
