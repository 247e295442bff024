"""`pyagent graph install-editor` adds to an editor's settings and takes nothing away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from pyagent.cli.editor import SCHEMA, SETTINGS, read_jsonc
from pyagent.cli.graph import app
from pyagent.graph.yaml import load_text

OURS = {f"./{SCHEMA}": ["graphs/*.yaml", "graphs/*.yml"]}
GRAPH = "pyagent: 1\nid: demo\nnodes:\n  - {id: a, use: flow.noop@1}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".vscode").mkdir()
    return tmp_path


def install(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["install-editor", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "before",
    [
        None,
        "{}",
        "",
        '// mine\n{\n  // of the editor\n  "editor.tabSize": 2, /* two */\n}\n',
        '{\n  "a": "{ // no comment",\n  "yaml.schemas": {"x.json": ["*.x"]},\n  "b": [1, 2,]\n}\n',
        '{"yaml.schemas": {}}',
    ],
)
def test_settings_of_others_stay_and_ours_are_added_once(folder: Path, before: str | None) -> None:
    path = folder / SETTINGS
    if before is not None:
        path.write_text(before)
    install()
    first = path.read_text()
    found = read_jsonc(first)
    known = read_jsonc(before or "{}")
    assert found.pop("yaml.schemas") == {**known.pop("yaml.schemas", {}), **OURS}
    assert found == known
    for comment in ("// mine", "// of the editor", "/* two */"):
        assert (comment in first) == (comment in (before or ""))
    assert install().startswith("nothing to do")
    assert path.read_text() == first


def test_patterns_replace_those_of_the_last_time(folder: Path) -> None:
    install()
    install("--pattern", "flows/*.yaml")
    assert read_jsonc((folder / SETTINGS).read_text())["yaml.schemas"] == {f"./{SCHEMA}": ["flows/*.yaml"]}


def test_settings_that_are_no_json_are_left_alone(folder: Path) -> None:
    (folder / SETTINGS).write_text('{"a": ')
    result = CliRunner().invoke(app, ["install-editor"])
    assert result.exit_code == 5
    assert "setup.editor" in result.output
    assert (folder / SETTINGS).read_text() == '{"a": '


def test_a_file_can_name_its_schema_itself(folder: Path) -> None:
    path = folder / "graphs" / "demo.yaml"
    path.parent.mkdir()
    path.write_text(GRAPH)
    install("--modeline", "graphs/demo.yaml")
    assert path.read_text() == f"# yaml-language-server: $schema=../{SCHEMA}\n{GRAPH}"
    load_text(path.read_text())
    assert install("--modeline", "graphs/demo.yaml").startswith("nothing to do")


def test_the_written_schema_knows_parameters_by_node_type(folder: Path) -> None:
    install()
    validator = Draft202012Validator(json.loads((folder / SCHEMA).read_text()))

    def errors(use: str, params: dict[str, object]) -> int:
        node = {"id": "a", "use": use, "with": params}
        return len(list(validator.iter_errors({"pyagent": 1, "id": "demo", "nodes": [node]})))

    assert errors("data.set@1", {"fields": {"a": 1}}) == 0
    assert errors("data.set@1", {"rules": []}) == 1
    assert errors("flow.switch@1", {"rules": [{"when": True, "to": "a"}]}) == 0
    assert errors("of.others@1", {"anything": 1}) == 0
