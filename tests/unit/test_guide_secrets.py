"""The guide to secrets is tried: its commands run, and what it names is there."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
from pathlib import Path

import pytest

from pyagent.cli.commands import app
from pyagent.graph.yaml import load_text
from pyagent.runtime.credentials import users_of_credentials
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk.process import run_process
from pyagent.server.capabilities import MEANINGS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "secrets.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.integration
async def test_the_commands_do_what_they_say(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "sales.db").close()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYAGENT_STORE": str(tmp_path / "store.db"),
        "GITHUB_TOKEN": "ghp_of_the_guide",
    }
    program = "".join(blocks("sh")) + 'echo "$LESS"'
    result = await run_process(["bash", "-ec", program], cwd=tmp_path, env=environment, timeout=100)
    assert result.ok, result.text + result.error_text
    assert "sales.db answers" in result.text
    assert re.search(r"github +http_bearer", result.text)
    assert "ghp_of_the_guide" not in result.text
    assert re.search(r"read, run +\d{4}-.*CI", result.text)
    assert re.search(r"^pat1_", result.text, re.MULTILINE)
    found = await run_process(["pyagent", "vault", "list", "--json"], cwd=tmp_path, env=environment, timeout=60)
    assert [row["name"] for row in json.loads(found.text)] == ["github", "warehouse"]


async def test_the_graph_asks_for_the_credential(tmp_path: Path) -> None:
    [graph] = blocks("yaml")
    assert load_text(graph).spec.id == "stars"
    (tmp_path / "stars.yaml").write_text(graph)
    assert await users_of_credentials(GraphLibrary([tmp_path]), None) == {"github": ["stars"]}


def test_every_command_of_vault_and_token_stands_in_the_guide() -> None:
    from typer.main import get_command

    for group in ("vault", "token"):
        commands = getattr(get_command(app), "commands")[group].commands  # noqa: B009  Typer hides the class that has it
        assert [name for name in commands if f"pyagent {group} {name}" not in GUIDE] == []


def test_every_capability_stands_in_the_guide_with_what_it_allows() -> None:
    for capability, meaning in MEANINGS.items():
        row = re.search(rf"^\| `{capability}` \| (.*) \|$", GUIDE, re.MULTILINE)
        assert row is not None
        assert row[1].startswith(meaning.partition(":")[0])
