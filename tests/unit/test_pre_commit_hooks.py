"""The hooks that other repositories take from here: pre-commit would run them as these tests do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pyagent.cli.commands import app

ROOT = Path(__file__).resolve().parents[2]
HOOKS = {hook["id"]: hook for hook in YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")}
GOOD = "pyagent: 1\nid: demo\nnodes:\n  - id: a\n    use: flow.noop@1\n"


def run(hook: str, file: Path) -> tuple[int, str]:
    program, *arguments = shlex.split(HOOKS[hook]["entry"])
    assert program == "pyagent"
    result = CliRunner().invoke(app, [*arguments, str(file)])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("hook", "bad", "told"),
    [
        ("pyagent-graph-check", GOOD.replace("noop", "none"), "graph.node.unknown_type"),
        ("pyagent-graph-check", "a: [", "graph.yaml"),
        ("pyagent-graph-fmt", GOOD.replace("id: demo", "id:   demo"), "would format"),
    ],
)
def test_a_hook_lets_good_files_pass_and_stops_bad_ones(hook: str, bad: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD)
    assert run(hook, file)[0] == 0
    file.write_text(bad)
    code, output = run(hook, file)
    assert code == 1
    assert told in output
    assert file.read_text() == bad


def test_hooks_look_at_the_graphs_of_a_repository_and_at_nothing_else() -> None:
    for hook in HOOKS.values():
        assert {"id", "name", "entry", "language", "files"} <= hook.keys()
        for path, wanted in (
            ("graphs/demo.yaml", True),
            ("team/graphs/demo.yml", True),
            ("graphs/deep/data.yaml", False),
            ("docker-compose.yaml", False),
            ("mygraphs/demo.yaml", False),
        ):
            assert bool(re.search(hook["files"], path)) is wanted


def test_the_graphs_of_this_repository_pass_both_hooks() -> None:
    for file in sorted((ROOT / "graphs").glob("*.yaml")):
        for hook in HOOKS:
            assert run(hook, file)[0] == 0, file
