"""The guide on graphs in git is tried: its commands, in their order, print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "guides" / "graphs-in-git.md").read_text(encoding="utf-8")


def test_the_commands_print_what_the_guide_says(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    (work / "graphs").mkdir(parents=True)
    home.mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_PAGER": "cat",
        "LC_ALL": "C.UTF-8",
    }

    def run(command: str) -> str:
        found = subprocess.run(
            ["bash", "-c", command],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return found.stdout

    graph = re.search(r"```yaml\n(pyagent: 1\n.*?)```", GUIDE, re.DOTALL)
    assert graph is not None
    (work / "graphs" / "triage.yaml").write_text(graph[1], encoding="utf-8")
    run("git init -q -b main && git config user.name A && git config user.email a@localhost")
    run("git add -A && git commit -q -m First")

    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            printed = run(command)
            if command.startswith("pyagent graph install"):
                assert "error" not in printed
                assert printed.strip()
                run("git add -A && git commit -q -m 'As installed'")
            else:
                assert printed == expected, command


def test_the_hooks_of_the_guide_are_those_of_the_repository() -> None:
    text = re.search(r"```yaml\n(# \.pre-commit-config.*?)```", GUIDE, re.DOTALL)
    assert text is not None
    [repository] = YAML(typ="safe").load(text[1])["repos"]
    known = {hook["id"]: hook for hook in YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")}
    for hook in repository["hooks"]:
        assert (hook["entry"], hook["files"]) == (known[hook["id"]]["entry"], known[hook["id"]]["files"])
