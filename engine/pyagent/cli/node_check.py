"""`pyagent node check`: the conformance kit, applied to node types that are installed or lie in a folder."""

from __future__ import annotations

import contextlib
import inspect
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from pyagent.cli.exits import Exit
from pyagent.cli.output import print_json
from pyagent.cli.text import escape
from pyagent.errors import NotFound, PyAgentError
from pyagent.sdk.node import NodeDefinitionError, NodeType
from pyagent.sdk.registry import Registry
from pyagent.testing import CaseRecorder, NodeExample, NodeProblem, node_problems


async def check_nodes(what: Sequence[str], *, repeat_once: bool, as_json: bool) -> Exit:
    """Print what is wrong with node types; exit code 1 if there is an error.

    `what`: types, domains, modules or folders; nothing: every type outside of PyAgent's own. Raises `NotFound`.
    """
    console = Console(highlight=False, soft_wrap=True)
    types, broken = _chosen(what)
    found = [
        NodeProblem(
            use=Path(error.message.partition(" ")[0]).name, code=error.code, message=error.message, hint=error.hint
        )
        for error in broken
    ]
    _print(found, console, as_json=as_json)
    for node_type in types:
        own = await _problems(node_type, repeat_once=repeat_once)
        found += own
        if not as_json and not own:
            console.print(f"[green]✓[/] {node_type.use}")
        _print(own, console, as_json=as_json)
    errors = sum(each.severity == "error" for each in found)
    if as_json:
        print_json([each.as_dict() for each in found])
    elif not types and not found:
        console.print("No node types but PyAgent's own. Make one: [bold]pyagent node new text.shout[/]")
    else:
        warnings = len(found) - errors
        console.print(
            f"\n{len(types)} node type{'s' * (len(types) != 1)}, {errors} error{'s' * (errors != 1)}, "
            f"{warnings} warning{'s' * (warnings != 1)}",
            style="red" if errors else "yellow" if warnings else "green",
        )
    return Exit.FAILED if errors else Exit.DONE


def _print(problems: Sequence[NodeProblem], console: Console, *, as_json: bool) -> None:
    for found in () if as_json else problems:
        style = "red" if found.severity == "error" else "yellow"
        case = f" [dim]({escape(found.case)})[/]" if found.case else ""
        console.print(f"[{style}]✗[/] {escape(found.use)}{case} [{style}]{found.code}[/] {escape(found.message)}")
        console.print(f"      [dim]=[/] {escape(found.hint)}")


def _chosen(what: Sequence[str]) -> tuple[list[NodeType], list[NodeDefinitionError]]:
    """The node types that are meant, and modules of theirs that cannot be imported."""
    registry = Registry.installed()
    if not what:
        foreign = [found for found in registry.all() if not found.function.__module__.startswith("pyagent_nodes.")]
        return foreign, [error for error in registry.broken if not error.message.startswith("pyagent_nodes.")]
    types: list[NodeType] = []
    broken: list[NodeDefinitionError] = []
    for each in what:
        path = Path(each)
        if path.exists() and (path.is_dir() or path.suffix == ".py"):
            for folder in [path.parent] if path.is_file() else _domains(path):
                local = Registry.of_folder(folder)
                inside = local.all()
                broken += [error for error in local.broken if path.is_dir() or str(path.absolute()) in error.message]
                types += [found for found in inside if path.is_dir() or _source(found) == path.absolute()]
        elif each in registry.domains:
            types += [found for found in registry.all() if found.name.partition(".")[0] == each]
        else:
            types.append(registry.require(each))
    if not types and not broken:
        raise NotFound(
            f"there are no node types in {', '.join(what)}",
            code="node.not_found",
            hint="Name a module with a function that @node decorates, its folder, or a type of `pyagent node list`.",
        )
    return types, broken


def _domains(folder: Path) -> Iterator[Path]:
    """A folder that is a domain, or the domains inside of it."""
    from pyagent.sdk.local import domain_folders, node_files

    if next(node_files(folder), None) is not None:
        yield folder
    for inside in domain_folders([folder]).values():
        yield from inside


def _source(node_type: NodeType) -> Path:
    return Path(inspect.getfile(inspect.unwrap(node_type.function))).absolute()


async def _problems(node_type: NodeType, *, repeat_once: bool) -> list[NodeProblem]:
    source = _source(node_type)
    domain, _, rest = node_type.name.partition(".")
    found = list(_misplaced(node_type, source))
    path = source.parent / "examples" / f"{rest}.yaml"
    if not path.is_file():
        warning = _problem(
            node_type,
            "example",
            f"there is no example graph {path}",
            "Write a small graph that shows the node, and beside it a .json with its inputs and outputs.",
            warning=True,
        )
        return [*found, warning, *await node_problems(node_type)]
    with tempfile.TemporaryDirectory(prefix="pyagent-check-", ignore_cleanup_errors=True) as folder:
        given = {"folder": folder}
        registry = Registry.installed([source.parent.parent.parent])
        for other in Registry.of_folder(source.parent).all() if source.parent.name == domain else ():
            registry.add(other)
        registry.add(node_type)
        recorder = CaseRecorder(registry)
        try:
            example = NodeExample.read(path)
            if example.needs:
                told = f"its example needs {', '.join(example.needs)}, so it was not run"
                hint = "Try it in a test that gives it what it needs: pyagent.testing.CaseRecorder."
                found.append(_problem(node_type, "example", told, hint, warning=True))
                return [*found, *await node_problems(node_type)]
            run, outputs = await example.run(recorder, given=given)
            if difference := example.difference(run, outputs, given=given):
                found.append(_problem(node_type, "example", difference, f"Correct the example, {path}, or the node."))
        except PyAgentError as error:
            found.append(_problem(node_type, "example", f"its example does not run: {error}", error.hint))
        cases = recorder.cases(node_type.use)
        # What a node prints is not what was asked for.
        with contextlib.redirect_stdout(None):
            return [*found, *await node_problems(node_type, cases, repeat_once=repeat_once)]


def _misplaced(node_type: NodeType, source: Path) -> Iterator[NodeProblem]:
    domain, _, rest = node_type.name.partition(".")
    if node_type.function.__module__.startswith("pyagent_local_") and source.parent.name != domain:
        yield _problem(
            node_type,
            "place",
            f"it is in the folder {source.parent.name}, and its domain is {domain}",
            f"A folder is a domain: move it to {domain}/, or call it {source.parent.name}.{rest}.",
        )
    stem = rest.replace(".", "_")
    if source.stem.rstrip("_") != stem:
        yield _problem(
            node_type,
            "place",
            f"it is in {source.name}; a run looks for it in {stem}.py first, and imports all modules then",
            f"Call the module {stem}.py.",
            warning=True,
        )


def _problem(node_type: NodeType, code: str, message: str, hint: str, *, warning: bool = False) -> NodeProblem:
    return NodeProblem(
        use=node_type.use,
        code=f"node.check.{code}",
        message=message,
        hint=hint,
        severity="warning" if warning else "error",
    )
