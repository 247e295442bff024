"""The guide to run files is tried: its commands in their order, its Python, and what it says of the parts."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import Command
from pyagent.cli.exits import Exit
from pyagent.runtime.engine import Engine
from pyagent.testing import MemoryStore

GUIDE = (Path(__file__).parents[2] / "docs/guides/run-files.md").read_text(encoding="utf-8")
EXPORT, SHOW, IMPORT, KEEP = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
ASK = """\
pyagent: 1
id: ask
nodes:
  - {id: before, use: data.set@1, with: {fields: {who: Ada}}}
  - {id: ask, use: flow.approve@1, with: {title: Keep it?}}
edges: [before -> ask]
"""


@pytest.fixture
def run(folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that waits, in the folder in which commands are given."""
    (folder / "ask.yaml").write_text(ASK)
    command("run", "ask")
    monkeypatch.chdir(folder)
    return json.loads(command("runs", "--json")[1])[0]["id"]


def lines(block: str, run: str) -> list[list[str]]:
    """The arguments of each command."""
    filled = re.sub(r"\bSTEP\b", "ask", re.sub(r"\bRUN\b", run, block))
    return [shlex.split(line, comments=True)[1:] for line in filled.splitlines()]


def test_a_run_is_written_as_a_page_as_the_guide_says(command: Command, run: str, folder: Path) -> None:
    for arguments in lines(SHOW, run):
        code, out, _ = command(*arguments)
        assert (code, "run.html" in out) == (Exit.DONE, True)
    page = (folder / "run.html").read_text(encoding="utf-8")
    assert "Waiting" in page
    assert "<script" not in page
    assert command("show", run, "ask", "--html", "x.html")[0] == Exit.USAGE
    assert command("show", run, "--html", "none/x.html")[0] == Exit.USAGE


def test_runs_are_exported_and_imported_as_the_guide_says(
    command: Command, run: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in lines(EXPORT, run):
        code, out, error = command(*arguments)
        assert code == Exit.DONE, out + error
    names = {path.name for path in folder.glob("*.run.zip")}
    assert names == {f"{run}.run.zip", "report.run.zip", "family.run.zip"}
    monkeypatch.setenv("PYAGENT_STORE", str(folder / "other.db"))
    codes = [command(*arguments)[0] for arguments in lines(IMPORT, run)]
    assert codes == [Exit.DONE, Exit.DONE, Exit.CANCELLED, Exit.WAITING]


def test_the_parts_of_a_file_are_those_that_the_guide_names(command: Command, run: str, folder: Path) -> None:
    command("export", run)
    told = set(re.findall(r"`([\w./]+)`", "".join(re.findall(r"^\| (`.*?) \|", GUIDE, re.MULTILINE))))
    with zipfile.ZipFile(folder / f"{run}.run.zip") as file:
        for name in file.namelist():
            general = re.sub(r"[0-9a-f]{64}\.yaml", "HASH.yaml", name.replace(run, "ID"))
            assert re.sub(r"blobs/.*", "blobs/DIGEST", general) in told


def test_the_store_is_kept_small_as_the_guide_says(command: Command, run: str) -> None:
    for arguments in lines(KEEP, run):
        code, out, error = command(*arguments)
        assert code == Exit.DONE, out + error


async def test_the_python_of_the_guide_carries_a_run(tmp_path: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    found: dict[str, Any] = {}
    exec(compile(program, "run-files.md", "exec"), found)
    carry: Callable[..., Awaitable[str]] = found["carry"]
    here, there = MemoryStore(), MemoryStore()
    await here.open()
    await there.open()
    run = await Engine(here).run(ASK)
    assert await carry(Engine(here), Engine(there), run.id, tmp_path / "x.run.zip") == run.id
