"""Environment variables: each is declared once, read by its declaration, and told in the reference."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyagent.cli.commands import run as pyagent
from pyagent.errors import SetupError
from pyagent.settings import DEBUG, GRAPHS, SETTINGS, SQLITE_SYNCHRONOUS, STORE, WORK, Setting

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for folder in ("engine/pyagent", "nodes/pyagent_nodes") for path in sorted((ROOT / folder).rglob("*.py"))
]
OF_PROGRAMS = {"PYAGENT_TEST_REPORT", "PYAGENT_TEST_SELECT"}
"""What the pipeline tells the programs that it runs; nobody else sets them."""


def names_in(path: Path) -> Iterator[str]:
    """Names of variables in the texts of a module, comments left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\bPYAGENT_[A-Z][A-Z0-9_]*", node.value)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_variable_that_a_module_names_is_declared(path: Path) -> None:
    whole = {setting.name for setting in SETTINGS if not setting.family}
    families = tuple(setting.name for setting in SETTINGS if setting.family)
    unknown = {name for name in names_in(path) if name not in whole | OF_PROGRAMS and not name.startswith(families)}
    assert unknown == set(), "declare it in pyagent.settings"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_but_settings_reads_one_itself(path: Path) -> None:
    if path.name == "settings.py" and path.parent.name == "pyagent":
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(environ|getenv)[^\n]*[\"']PYAGENT_(?!TEST_)", text)


def test_every_declaration_is_told_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert [setting.name for setting in SETTINGS if f"| `{setting.name}" not in reference] == []
    assert all(setting.description and not setting.description.endswith(".") for setting in SETTINGS)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_WORK", "")
    monkeypatch.setenv("PYAGENT_GRAPHS", "")
    assert WORK.path() is None
    assert GRAPHS.paths() == []


def test_values_have_the_types_that_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("PYAGENT_GRAPHS", "~/a:b")
    monkeypatch.setenv("PYAGENT_SQLITE_SYNCHRONOUS", "FULL")
    assert GRAPHS.paths() == [Path("/home/ann/a"), Path("b")]
    assert SQLITE_SYNCHRONOUS.text() == "full"
    for value, on in (("1", True), ("yes", True), ("0", False), ("off", False), ("", False)):
        monkeypatch.setenv("PYAGENT_DEBUG", value)
        assert DEBUG.flag() is on
    number = Setting(name="PYAGENT_STORE", kind="number", description="A number")
    monkeypatch.setenv("PYAGENT_STORE", "many")
    with pytest.raises(SetupError) as caught:
        number.number()
    assert caught.value.code == "setup.setting"


def test_a_value_that_is_none_of_the_choices_is_refused_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_SQLITE_SYNCHRONOUS", "off")
    with pytest.raises(SetupError) as caught:
        SQLITE_SYNCHRONOUS.text()
    assert caught.value.hint == "Use one of: normal, once, full."


def test_the_command_shows_what_is_set_and_where_from_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYAGENT_STORE", "/somewhere")
    monkeypatch.setenv("PYAGENT_CREDENTIAL_MAIL", '{"password": "hush"}')
    assert pyagent(["settings", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert (found["PYAGENT_STORE"]["value"], found["PYAGENT_STORE"]["from"]) == ("/somewhere", "environment")
    assert found["PYAGENT_CREDENTIAL_MAIL"]["value"] == "set"
    assert found["PYAGENT_SQLITE_SYNCHRONOUS"]["from"] == "default"
    assert pyagent(["settings"]) == 0
    assert "hush" not in capsys.readouterr().out
    assert STORE.text() == "/somewhere"


def test_a_variable_that_nobody_reads_is_told_by_the_doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PYAGENT_STORE", str(tmp_path / "store.db"))
    monkeypatch.setenv("PYAGENT_GRAPH", "x")
    pyagent(["doctor", "--json"])
    [found] = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "settings"]
    assert "PYAGENT_GRAPH" in found["detail"]
    assert "PYAGENT_GRAPHS" in found["hint"]
