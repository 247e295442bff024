"""Plant each mutation in a copy of the engine and see whether the tests of the rules catch it.

`python tests/mutations/mutate.py [WORD ...]` prints a table (only mutations whose name has one of the words) and
exits with 1 if one survives, or if the copy without a mutation fails. The tree itself is never touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from planted import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
SUITES = {
    "named": ["tests/conformance/test_semantics_cases.py", "tests/unit/test_rules_found.py"],
    "property": ["tests/property/test_rules_agree.py"],
}
EXAMPLES = int(os.environ.get("PYAGENT_MUTATION_EXAMPLES", "1000"))
LIMIT = 120
"""Seconds for one suite; a mutation that makes the rules run for ever is caught by it."""


def environment(engine: Path) -> dict[str, str]:
    """The tests' environment: the copy comes before the installed package."""
    return {
        **os.environ,
        "PYTHONPATH": str(engine),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYAGENT_RULES_EXAMPLES": str(EXAMPLES),
        "PYAGENT_RULES_SHRINK": "0",
    }


def misplaced(mutation: Mutation) -> str | None:
    """Why a mutation cannot be planted: its text is not in the tree exactly once."""
    found = (ROOT / "engine/pyagent" / mutation.file).read_text().count(mutation.old)
    return None if found == 1 else f"{mutation.name}: its text is {found} times in {mutation.file}:\n{mutation.old}"


def plant(mutation: Mutation, engine: Path) -> None:
    """Change the copy."""
    path = engine / "pyagent" / mutation.file
    path.write_text(path.read_text().replace(mutation.old, mutation.new))


def passes(engine: Path, tests: list[str]) -> bool:
    """Whether the tests pass on the copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "--timeout", str(LIMIT // 2), *tests]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment(engine), capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.returncode == 0


def uses_the_copy(engine: Path) -> bool:
    """Whether Python imports the copy and not the tree."""
    command = [sys.executable, "-c", "import pyagent; print(pyagent.__file__)"]
    done = subprocess.run(command, cwd=ROOT, env=environment(engine), capture_output=True, check=True)
    return done.stdout.decode().startswith(str(engine))


def judge(mutation: Mutation | None) -> dict[str, bool]:
    """By suite, whether it passes on a copy with the mutation."""
    with tempfile.TemporaryDirectory(prefix="pyagent-mutation-") as folder:
        engine = Path(folder)
        shutil.copytree(ROOT / "engine/pyagent", engine / "pyagent", ignore=shutil.ignore_patterns("__pycache__"))
        if not uses_the_copy(engine):
            raise RuntimeError("the copy of the engine is not the one that is imported")
        if mutation is not None:
            plant(mutation, engine)
        return {suite: passes(engine, tests) for suite, tests in SUITES.items()}


def main(words: list[str]) -> int:
    """Run all; the exit code."""
    chosen = [one for one in MUTATIONS if not words or any(word in one.name for word in words)]
    if lost := [reason for one in chosen if (reason := misplaced(one))]:
        print("The rules have changed; change the mutations with them.", *lost, sep="\n")
        return 1
    if not all(judge(None).values()):
        print("The rules fail their tests as they are: nothing can be said of mutations.")
        return 1
    survivors = 0
    print(f"{'mutation':<72} {'named':<8} {'property':<8} seconds")
    for mutation in chosen:
        begin = time.monotonic()
        verdict = judge(mutation)
        words_of = ["-" if passed else "caught" for passed in verdict.values()]
        survived = all(verdict.values())
        survivors += survived
        mark = "  SURVIVES" if survived else ""
        print(f"{mutation.name:<72} {words_of[0]:<8} {words_of[1]:<8} {time.monotonic() - begin:.1f}{mark}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
