"""Broken graph files are told with code, line and hint; there are some for every code that there is."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from broken_graphs import Broken, broken, codes_of_the_product, documented_codes, seeds
from graph_mutations import MUTATIONS, TEXT_MUTATIONS
from pyagent.runtime.checking import GraphChecker

SLOW = 2.0
"""Seconds of the processor that no file may take."""


def judge(cases: list[Broken]) -> Counter[str]:
    """Check the files; how many there were of each code. Fails at the end, with the first of what went wrong."""
    checker = GraphChecker()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for case in cases:
        begin = time.process_time()
        problems = checker.check_text(case.text, "demo.yaml")
        seconds = time.process_time() - begin
        counts[case.code] += 1
        found = [problem for problem in problems if problem.code == case.code and problem.where.line in case.lines]
        told = [f"{problem.where.line} {problem.code} {problem.message}" for problem in problems]
        if not found or seconds > SLOW:
            wrong.append(
                f"{case.name} of {case.seed}: {case.code} at {sorted(case.lines)}, not {told} in {seconds:.2f} s"
            )
        wrong += [
            f"{case.name}: no hint for {problem.code} {problem.message}" for problem in problems if not problem.hint
        ]
        wrong += [f"{case.name}: no line for {problem.code}" for problem in problems if problem.where.line is None]
    kinds = Counter(text.partition(":")[0].partition(" of ")[0] for text in wrong)
    assert not wrong, f"{len(wrong)} of {len(cases)} {dict(kinds)}\n" + "\n".join(wrong[:8])
    return counts


def test_every_code_of_the_product_has_a_mutation_and_stands_in_the_docs() -> None:
    mutated = {code for code, _ in [*MUTATIONS, *TEXT_MUTATIONS]}
    assert mutated == codes_of_the_product()
    assert mutated | {"graph.file", "graph.state.unmigrated"} == documented_codes()


def test_valid_graphs_of_all_kinds_are_broken() -> None:
    kinds = Counter(seed.name.split("/")[0].split(" ")[0] for seed in seeds())
    assert kinds["graphs"] >= 2
    assert kinds["nodes"] >= 20
    assert kinds["semantics"] >= 20


def test_broken_files_give_their_code_at_the_mutated_line() -> None:
    counts = judge(list(broken(300)))
    assert min(counts.values()) >= 300 // len(codes_of_the_product()) - 1


@pytest.mark.integration
def test_ten_thousand_broken_files_give_their_code_at_the_mutated_line() -> None:
    counts = judge(list(broken(10_000, seed=1)))
    assert set(counts) == codes_of_the_product()
    assert min(counts.values()) >= 100
