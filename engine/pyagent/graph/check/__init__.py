"""Static checks of a graph: everything that can be said of it before it runs, all at once, by line."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from pyagent.errors import GraphError
from pyagent.graph.check.catalogue import (
    Catalogue,
    Expressions,
    Fault,
    NodeTypeInfo,
    ParamProblem,
    Reading,
)
from pyagent.graph.check.context import Check
from pyagent.graph.check.expressions import check_expressions
from pyagent.graph.check.facts import NodeFacts, node_facts
from pyagent.graph.check.flow import check_flow
from pyagent.graph.check.nodes import check_edges, check_ids, check_nodes, check_state
from pyagent.graph.check.salvage import path_before, paths_of, salvage
from pyagent.graph.problems import Problem, schema_problems
from pyagent.graph.yaml import BOM, Document, decode, validate
from pyagent.graph.yaml_tree import parse


def check(document: Document, catalogue: Catalogue, expressions: Expressions | None = None) -> list[Problem]:
    """Everything that is wrong with the graph, in the order of its lines.

    A graph without problems of severity `error` may run. `expressions` None leaves templates unchecked.
    """
    return inspect(document, catalogue, expressions)[0]


def inspect(
    document: Document, catalogue: Catalogue, expressions: Expressions | None = None
) -> tuple[list[Problem], dict[str, NodeFacts]]:
    """As `check`, and what the node types and the edges say of each node, by id."""
    run = Check(
        spec=document.spec,
        tree=document.tree,
        text=document.text,
        file=document.file,
        catalogue=catalogue,
        expressions=expressions,
    )
    return _checked(run, complete=True), node_facts(run)


def check_text(
    text: str | bytes, catalogue: Catalogue, expressions: Expressions | None = None, file: str | None = None
) -> list[Problem]:
    """Everything that is wrong with a graph file, also where it is no YAML or does not fit the format.

    What fits is checked although the rest does not; checks that need the whole graph are then left out.
    """
    try:
        decoded = decode(text, file).removeprefix(BOM)
        tree = parse(decoded, file)
    except GraphError as error:
        return [Problem.of(error)]
    try:
        spec = validate(tree.value)
        run = Check(spec=spec, tree=tree, text=decoded, file=file, catalogue=catalogue, expressions=expressions)
        return _checked(run, complete=True)
    except ValidationError as error:
        problems = schema_problems(error, tree, file)
    places = paths_of(tree)
    spec, lost, complete = salvage(tree)
    if spec is None:
        return problems
    run = Check(spec=spec, tree=tree, text=decoded, file=file, catalogue=catalogue, expressions=expressions, lost=lost)
    found = _checked(run, complete=complete)
    # Items that were taken out of lists have left others in their places, and a fix must not hit those.
    rest = [replace(problem, path=path_before(problem.path, tree, places), fix=None) for problem in found]
    return _sorted([*problems, *rest])


def _checked(run: Check, *, complete: bool) -> list[Problem]:
    check_ids(run)
    unique = not run.problems
    check_nodes(run)
    check_state(run)
    if complete:
        check_edges(run)
        check_flow(run)
    # of nodes with the same id the first is seen, so what comes before the others cannot be told
    check_expressions(run, upstream=complete and unique)
    return _sorted(run.problems)


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.where.line or 0, problem.where.column or 0, problem.code))


__all__ = [
    "Catalogue",
    "Expressions",
    "Fault",
    "NodeFacts",
    "NodeTypeInfo",
    "ParamProblem",
    "Problem",
    "Reading",
    "check",
    "check_text",
    "inspect",
]
