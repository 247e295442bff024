"""`pyagent export` and `pyagent import` in this process."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from command_line import Command
from pyagent.cli.exits import Exit

ASK = """\
pyagent: 1
id: ask
nodes:
  - {id: before, use: data.set@1, with: {fields: {who: Ada Lovelace}}}
  - {id: ask, use: flow.approve@1, with: {title: Keep it?}}
edges: [before -> ask]
"""


@pytest.fixture
def run(folder: Path, command: Command) -> str:
    """A run that waits."""
    (folder / "ask.yaml").write_text(ASK)
    command("run", "ask")
    return json.loads(command("runs", "--json")[1])[0]["id"]


def test_a_run_goes_from_one_store_into_another(
    command: Command, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = command("export", run, "-o", str(tmp_path / "out.zip"))
    assert code == Exit.DONE, out
    assert "It holds the run's data" in out
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "other.db"))
    code, out, _ = command("import", str(tmp_path / "out.zip"))
    assert code == Exit.DONE, out
    assert f"imported run {run}, which was waiting" in out
    assert "decides here what it decided there" in out
    code, out, _ = command("show", run)
    assert code == Exit.CANCELLED
    assert "it was waiting when it was exported" in out
    assert f"pyagent fork {run} STEP" in out
    assert "pyagent resume" not in out
    code, _, error = command("resume", run)
    assert (code, "run.imported" in error) == (Exit.FAILED, True)
    code, _, error = command("import", str(tmp_path / "out.zip"))
    assert (code, "run_file.exists" in error) == (Exit.FAILED, True)
    code, out, _ = command("import", str(tmp_path / "out.zip"), "--as-new", "--json")
    new = json.loads(out)["runs"][0]
    assert (code, new != run) == (Exit.DONE, True)
    code, out, _ = command("fork", new, "ask", "--detach")
    assert code in (Exit.DONE, Exit.INTERRUPTED, Exit.WAITING), out


def test_a_run_without_data_says_only_shapes(command: Command, run: str, tmp_path: Path) -> None:
    code, out, _ = command("export", run, "-o", str(tmp_path / "out.zip"), "--without-data", "--json")
    assert (code, json.loads(out)["runs"]) == (Exit.DONE, [run])


def test_a_file_that_is_there_is_replaced_only_on_demand(command: Command, run: str, tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("mine")
    code, _, error = command("export", run, "-o", str(tmp_path / "out.zip"))
    assert (code, "run_file.target" in error) == (Exit.USAGE, True)
    assert (tmp_path / "out.zip").read_text() == "mine"
    assert command("export", run, "-o", str(tmp_path / "out.zip"), "--force")[0] == Exit.DONE
    for target in (tmp_path, tmp_path / "nowhere" / "out.zip"):
        code, _, error = command("export", run, "-o", str(target))
        assert (code, "run_file.target" in error) == (Exit.USAGE, True)
    assert not list(tmp_path.rglob(".*.new"))


@pytest.mark.parametrize("place", ["/proc/out.zip", f"{'long' * 80}.zip"])
def test_a_place_that_cannot_be_written_is_told(command: Command, run: str, place: str) -> None:
    code, _, error = command("export", run, "-o", place)
    assert (code, "run_file.target" in error) == (Exit.USAGE, True), error
    assert "-o FILE" in error


def test_what_is_no_exported_run_is_told_with_what_to_do(command: Command, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "some.zip").write_text("some")
    for file, code in ((str(tmp_path / "some.zip"), "run_file.no_run"), ("nowhere.zip", "run_file.no_file")):
        exit_code, _, error = command("import", file)
        assert (exit_code, code in error) == (Exit.USAGE, True)
        assert re.search("pyagent export", error)
    assert command("import", str(tmp_path / "some.zip"), "--max-size", "much")[0] == Exit.USAGE


def test_what_is_no_run_file_is_told_apart(command: Command, run: str, tmp_path: Path) -> None:
    file = tmp_path / "out.zip"
    assert command("export", run, "-o", str(file))[0] == Exit.DONE
    again = tmp_path / "again.zip"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(again, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    for path, says in ((tmp_path, "is a folder"), (tmp_path / "none.zip", "no file"), (again, "packed again")):
        code, _, error = command("import", str(path))
        assert (code, says in " ".join(error.split())) == (Exit.USAGE, True), error
