"""Joins the graph's checks with the installed node types and the expression language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, cast

from pydantic import BaseModel, ValidationError

from pyagent.errors import ExpressionError, GraphError
from pyagent.graph.check import Fault, ParamProblem, Problem, Reading, check, check_text
from pyagent.graph.yaml import Document
from pyagent.graph.yaml_tree import Path
from pyagent.runtime.expressions import Expression, check_syntax, is_template, parse
from pyagent.sdk.fields import literal_fields
from pyagent.sdk.node import NodeType
from pyagent.sdk.params import has_template, lenient
from pyagent.sdk.registry import Registry

_ABSENT = object()


class CheckedType:
    """A node type as the checks see it."""

    def __init__(self, node_type: NodeType) -> None:
        self._type = node_type
        self.kind: str = node_type.kind
        self.each_item = node_type.each_item
        self.live = node_type.live
        self.title = node_type.title
        self.description = node_type.description
        self.icon = node_type.icon
        self.ports_in: Sequence[str] = node_type.ports_in
        self.fixed_ports_out: Sequence[str] | None = None if callable(node_type.ports_out) else node_type.ports_out

    def ports_out(self, params: Mapping[str, Any]) -> Sequence[str] | None:
        """The ports with these parameters; None where they cannot be known from what is written."""
        if self.fixed_ports_out is not None:
            return self.fixed_ports_out
        try:
            return self._type.ports_out_for(lenient(self._type.params, params))
        except (TypeError, ValueError, AttributeError, LookupError):
            # the type's own function met parameters that are missing, wrong, or given by an expression
            return None

    def effects(self, params: Mapping[str, Any]) -> str:
        """What a try may do to the world; `once` where that cannot be known from what is written."""
        if not callable(self._type.effects):
            return self._type.effects
        try:
            return self._type.effects_for(lenient(self._type.params, params))
        except (TypeError, ValueError, AttributeError, LookupError):
            return "once"

    def param_problems(self, params: Mapping[str, Any]) -> Sequence[ParamProblem]:
        """What the type's model says against the parameters, templates left out of account."""
        try:
            self._type.validate_params(params)
        except ValidationError as error:
            found = (
                self._problem(params, details["loc"], details["type"], details["msg"])
                for details in error.errors(include_url=False, include_input=False, include_context=False)
            )
            # branches of a union complain one by one about the same place
            return list({problem.path: problem for problem in found if problem is not None}.values())
        return []

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters."""
        return self._type.schema()

    def _problem(self, params: Mapping[str, Any], location: Path, kind: str, message: str) -> ParamProblem | None:
        value, path = _existing(params, location)
        if kind == "missing":
            return ParamProblem(path=(*path, location[-1]), kind="missing", message="is missing")
        if kind == "extra_forbidden":
            return ParamProblem(
                path=path, kind="unknown", message="is not known", known=_names(self._type.params, location[:-1])
            )
        if has_template(value) and next(iter(location), None) not in literal_fields(self._type.params):
            return None
        text = message.replace("Input should be", "must be").removeprefix("Value error, ")
        return ParamProblem(path=path, kind="invalid", message=text)


class InstalledTypes:
    """The registry's node types as the checks see them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def get(self, use: str) -> CheckedType | None:
        """The type that `use` names, None if it is not installed."""
        found = self._registry.get(use)
        return None if found is None else CheckedType(found)

    def uses(self) -> Iterable[str]:
        """Every installed type as `type@version`."""
        return [found.use for found in self._registry.all()]


class TemplateReader:
    """What templates read, by the engine's own parser."""

    def read(self, template: str) -> Reading:
        """What `template` reads, or why it does not parse."""
        if not is_template(template):
            return Reading()
        try:
            check_syntax(template)
            parts = [part for part in parse(template).parts if isinstance(part, Expression)]
        except ExpressionError as error:
            return Reading(
                fault=Fault(message=error.message, line=error.where.line or 1, column=error.where.column or 1)
            )
        nodes: set[str] = set()
        keys: dict[Literal["$inputs", "$state"], set[str]] = {"$inputs": set(), "$state": set()}
        for part in parts:
            roots = part.analysis[0]
            nodes |= part.analysis[2]
            for root, found in keys.items():
                found |= set(roots.get(root) or ())
        return Reading(nodes=frozenset(nodes), inputs=frozenset(keys["$inputs"]), state=frozenset(keys["$state"]))


class GraphChecker:
    """Checks graphs against the node types that are installed."""

    def __init__(self, registry: Registry | None = None) -> None:
        """`registry`: the node types; those of this environment if left out."""
        self._given = registry

    @cached_property
    def catalogue(self) -> InstalledTypes:
        """The node types as the checks see them."""
        return InstalledTypes(self._given or Registry.installed())

    @cached_property
    def expressions(self) -> TemplateReader:
        """The expression language as the checks see it."""
        return TemplateReader()

    def check(self, document: Document) -> list[Problem]:
        """Everything that is wrong with the graph, in the order of its lines."""
        return check(document, self.catalogue, self.expressions)

    def require(self, document: Document) -> list[Problem]:
        """The warnings about a graph that may run.

        Raises `GraphError` if it may not; `details["problems"]` has everything that is wrong with it.
        """
        problems = self.check(document)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            first = errors[0]
            details = {"problems": [problem.as_dict() for problem in problems]}
            raise GraphError(first.message, code=first.code, hint=first.hint, where=first.where, details=details)
        return problems

    def check_text(self, text: str | bytes, file: str | None = None) -> list[Problem]:
        """Everything that is wrong with a graph file, also where it is no YAML or does not fit the format."""
        return check_text(text, self.catalogue, self.expressions, file)


def _existing(params: Any, location: Path) -> tuple[Any, Path]:
    """The part of pydantic's location that is in the parameters, and what stands there."""
    path: list[str | int] = []
    for part in location:
        inside = _inside(params, part)
        # what is not there is the name of a union's branch; what follows it may be there again
        if inside is not _ABSENT:
            params = inside
            path.append(part)
    return params, tuple(path)


def _inside(value: Any, part: str | int) -> Any:
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value).get(part, _ABSENT)
    if isinstance(value, list) and isinstance(part, int):
        elements = cast("list[Any]", value)
        return elements[part] if part < len(elements) else _ABSENT
    return _ABSENT


def _names(model: type[BaseModel], location: Path) -> tuple[str, ...]:
    """The parameters that are known where an unknown one stands; empty inside of nested values."""
    if location:
        return ()
    return tuple(field.alias or name for name, field in model.model_fields.items())


__all__ = ["CheckedType", "GraphChecker", "InstalledTypes", "TemplateReader"]
