"""What is said of partial runs is tried: the graph and the commands, in their order."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from command_line import Command
from pyagent.cli.exits import Exit

PAGE = (Path(__file__).parents[2] / "docs/concepts/partial-runs.md").read_text(encoding="utf-8")
[GRAPH] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
UNTIL, ALONE, FROM = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def newest(command: Command) -> dict[str, Any]:
    return json.loads(command("runs", "--json")[1])[0]


def steps(command: Command, run: str) -> list[str]:
    return [step["step"] for step in json.loads(command("show", run, "--json")[1])["steps"]]


def test_partial_runs_go_as_the_page_says(command: Command, folder: Path) -> None:
    (folder / "prices.yaml").write_text(GRAPH)

    def go(line: str, run: str = "") -> str:
        code, _, err = command(*shlex.split(re.sub(r"\bRUN\b", run, line))[1:])
        assert code == Exit.DONE, err
        return newest(command)["id"]

    first = go(UNTIL)
    assert steps(command, first) == ["split", "gross"]
    assert json.loads(command("show", first, "--json")[1])["outputs"] == {"gross": [12, 24], "told": None}
    alone = go(ALONE, first)
    assert steps(command, alone) == ["split", "gross", "tell"]
    whole = go(FROM, alone)
    assert set(steps(command, whole)) == {"split", "gross", "tell", "aside"}
    assert json.loads(command("show", whole, "--json")[1])["outputs"] == {"gross": [12, 24], "told": "It is 12"}
