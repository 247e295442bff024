"""Valid graphs broken in one place: each with the code that must be told, and the lines where it may be told."""

from __future__ import annotations

import ast
import copy
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from graph_mutations import MUTATIONS, TEXT_MUTATIONS, Data, Mutation, NotHere
from pyagent.errors import GraphError
from pyagent.graph.identity import same
from pyagent.graph.yaml_edit import edit
from pyagent.graph.yaml_format import canonical, render
from pyagent.graph.yaml_tree import Tree, parse
from pyagent.runtime.checking import GraphChecker

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Broken:
    """A broken graph file."""

    code: str
    name: str
    """Of the mutation."""
    seed: str
    text: bytes
    lines: frozenset[int]
    """Where the code must be told, from 1: one of these."""


@dataclass(frozen=True)
class Seed:
    """A valid graph."""

    name: str
    text: str
    tree: Tree
    data: Data


def codes_of_the_product() -> set[str]:
    """Every code that reading and checking a graph's text may give, from the sources; those put together of parts
    from the page that documents them."""
    found: set[str] = set()
    parts: set[str] = set()
    for path in (ROOT / "engine/pyagent/graph").rglob("*.py"):
        if path.name == "migration.py":  # two versions are compared there
            continue
        inside: set[int] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                inside |= {id(value) for value in node.values}
                text = "".join(value.value if isinstance(value, ast.Constant) else "*" for value in node.values)  # type: ignore[misc]
                if re.fullmatch(r"graph\.[a-z_.*]+", text):
                    parts.add(text.replace(".", r"\.").replace("*", "[a-z_]+"))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                found |= {node.value} if re.fullmatch(r"graph(\.[a-z_]+[a-z])+", node.value) else set()
    told = documented_codes()
    for pattern in parts:
        built = {code for code in told if re.fullmatch(pattern, code)}
        assert built, f"no code that {pattern} makes is documented"
        found |= built
    # said of files, not of what stands in them
    return found - {"graph.file"}


def documented_codes() -> set[str]:
    page = (ROOT / "docs/concepts/graph-file.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(graph\.[\w.]+)` \|", page, re.MULTILINE))


# --- seeds -----------------------------------------------------------------------------------------------------------


@cache
def seeds() -> tuple[Seed, ...]:
    """Valid graphs: the ready ones, the nodes' examples, and the cases of the semantics."""
    paths = [
        *sorted((ROOT / "graphs").glob("*.yaml")),
        *sorted((ROOT / "nodes").glob("pyagent_nodes/*/examples/*.yaml")),
    ]
    texts = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths]
    checker = GraphChecker()
    found: list[Seed] = []
    for name, text in [*texts, *_semantics()]:
        problems = checker.check_text(text)
        # what is added to a node that never runs would not be looked at
        if any(problem.severity == "error" or problem.code == "graph.node.unreachable" for problem in problems):
            continue
        tree = parse(text)
        found.append(Seed(name, text, tree, canonical(tree.value)))
    return tuple(found)


def _semantics() -> Iterator[tuple[str, str]]:
    cases = yaml.safe_load((ROOT / "tests/conformance/semantics_cases.yaml").read_text(encoding="utf-8"))["cases"]
    for number, case in enumerate(cases):
        ports: dict[str, list[str]] = {}
        edges: list[str] = []
        for edge in case["edges"]:
            left, right = (part.strip() for part in edge.split("->"))
            source, _, port = left.partition(".")
            for name in (source, right):
                ports.setdefault(name, [])
            if port and port not in ports[source]:
                ports[source].append(port)
            edges.append(f"{left} -> {right}")
        nodes: list[Data] = []
        for name, outs in ports.items():
            node: Data = {"id": name, "use": "flow.noop@1"}
            if outs:
                rules = [{"when": "{{ true }}", "to": port} for port in outs]
                node = {"id": name, "use": "flow.switch@1", "with": {"rules": rules}}
            if name == case.get("start"):
                nodes.append({"id": "begin", "use": "flow.manual@1"})
                edges.insert(0, f"begin -> {name}")
            if join := case.get("join", {}).get(name):
                node["join"] = join
            nodes.append(node)
        yield f"semantics {number}", render({"pyagent": 1, "id": f"case_{number}", "nodes": nodes, "edges": edges})


# --- broken files ----------------------------------------------------------------------------------------------------


def broken(count: int, seed: int = 0) -> Iterator[Broken]:
    """`count` broken files, every mutation in its turn, of graphs and places by chance."""
    chance = random.Random(seed)
    every = [*(("data", *entry) for entry in MUTATIONS), *(("text", *entry) for entry in TEXT_MUTATIONS)]
    # each code in its turn, and of those that break it, each mutation
    by_code: dict[str, list[Any]] = {}
    for kind, code, mutation in every:
        by_code.setdefault(code, []).append((kind, mutation))
    made = turn = 0
    while made < count:
        turn += 1
        for code, mutations in by_code.items():
            kind, mutation = mutations[turn % len(mutations)]
            for _ in range(200):
                origin = chance.choice(seeds())
                try:
                    if kind == "data":
                        text, lines = _mutated(origin, mutation, chance)
                    else:
                        changed, line = mutation(origin.text, chance)
                        text = changed if isinstance(changed, bytes) else changed.encode("utf-8", "surrogatepass")
                        lines = frozenset({line})
                except NotHere:
                    continue
                yield Broken(code, mutation.__name__, origin.name, text, lines)
                made += 1
                break
            else:
                raise AssertionError(f"{mutation.__name__} fits no graph")
            if made == count:
                return


def _mutated(origin: Seed, mutation: Mutation, chance: random.Random) -> tuple[bytes, frozenset[int]]:
    data = copy.deepcopy(origin.data)
    marks = mutation(data, chance)
    text = render(data)
    if chance.random() < 0.5:
        # as an editor would change the file, comments and style kept
        edited = edit(origin.text, origin.tree, origin.data, data)
        with suppress(GraphError):
            text = edited if same(canonical(parse(edited).value), data) else text
    rows = text.split("\n")
    lines = frozenset(number for number, row in enumerate(rows, 1) if any(mark in row for mark in marks))
    assert lines, (mutation.__name__, marks, text)
    return text.encode(), lines
