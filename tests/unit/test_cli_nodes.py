"""`pyagent node …`: what is told of node types, new ones from the template, and what is wrong with them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from command_line import Command
from pyagent.cli.exits import Exit
from pyagent.graph.yaml import fmt
from pyagent.sdk.process import ProcessResult, clean_environment, run_process

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With no other folder of nodes or graphs."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("PYAGENT_NODES", "PYAGENT_GRAPHS"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_a_type_is_shown_with_types_that_people_read_ports_effects_and_its_example(command: Command) -> None:
    code, out, _ = command("node", "show", "flow.switch")
    assert code == Exit.DONE
    assert "rules  list of {when, to} required" in out
    assert "rules[].when  condition required" in out
    assert 'mode  first | all = "first"' in out
    assert "effects none" in out
    assert "- decide.urgent -> page" in out


def test_as_json_a_type_has_its_schema_and_example_and_a_list_has_all(command: Command) -> None:
    shown = json.loads(command("node", "show", "data.set@1", "--json")[1])
    listed = json.loads(command("node", "list", "data", "--json")[1])
    assert shown["parameters"]["properties"]["fields"]["type"] == "object"
    assert shown["example"].startswith("pyagent: 1\n")
    assert {"type", "title", "kind", "effects", "ports_in", "ports_out", "each_item", "description"} <= set(listed[0])


def test_a_type_or_domain_that_is_not_there_is_told_with_those_there_are(command: Command) -> None:
    code, _, err = command("node", "show", "flow.swich")
    assert code == Exit.USAGE
    assert "flow.switch" in err
    code, _, err = command("node", "list", "flw")
    assert code == Exit.USAGE
    assert "Domains:" in err


def test_node_types_are_found_by_a_word_and_each_is_one_line_in_a_pipe(command: Command) -> None:
    code, out, _ = command("node", "list", "WEBHOOK")
    assert code == Exit.DONE
    (line,) = [line for line in out.splitlines() if line.startswith("flow.webhook@1")]
    everything = command("node", "list")[1]
    assert len(everything.splitlines()) == 1 + len(json.loads(command("node", "list", "--json")[1]))
    assert len(line) > 80


def test_a_new_local_node_passes_its_own_tests_and_is_found_at_once(tmp_path: Path, command: Command) -> None:
    assert command("node", "new", "io.shout")[0] == Exit.DONE

    assert "io.shout@1" in command("node", "list", "io")[1]
    assert command("node", "check", "nodes")[:2] == (Exit.DONE, "✓ io.shout@1\n\n1 node type, 0 errors, 0 warnings\n")
    example = tmp_path / "nodes" / "io" / "examples" / "shout.yaml"
    assert fmt(example.read_text()) == example.read_text()
    assert "hello" not in command("run", str(example), "-i", "text=hello")[1]
    passes(tmp_path, "nodes")


def test_a_new_package_passes_its_own_tests(tmp_path: Path, command: Command) -> None:
    assert command("node", "new", "text.shout_out", "--package")[0] == Exit.DONE
    root = tmp_path / "pyagent-nodes-text"
    assert 'text = "pyagent_nodes_text"' in (root / "pyproject.toml").read_text()
    passes(root, "tests")

    assert command("node", "new", "text.whisper", "--package")[0] == Exit.DONE
    assert sorted(path.name for path in (root / "pyagent_nodes_text").glob("*.py")) == [
        "__init__.py",
        "shout_out.py",
        "whisper.py",
    ]


def passes(folder: Path, tests: str) -> None:
    """The tests in a folder pass with pytest and nothing else."""
    result = run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", tests],
        folder,
        clean_environment(),
    )
    assert result.ok, result.text + result.error_text
    assert "4 passed" in result.text


def run(arguments: list[str], folder: Path, env: dict[str, str] | None = None) -> ProcessResult:
    return asyncio.run(run_process(arguments, cwd=folder, env=env, timeout=60))


@pytest.mark.integration
def test_a_new_package_is_installed_into_an_environment_and_found_there(tmp_path: Path, command: Command) -> None:
    command("node", "new", "text.shout", "--package")
    python = tmp_path / "venv" / "bin" / "python"
    # The packages of this environment, seen from an empty one.
    assert run([sys.executable, "-m", "venv", "--without-pip", "venv"], tmp_path).ok
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    own = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (own / "beside.pth").write_text(f"import site; site.addsitedir({packages!r})\n")
    uv = str(Path(sys.executable).parent / "uv")
    install = [uv, "pip", "install", "--python", str(python), "--no-deps", "--no-build-isolation", "."]
    result = run(install, tmp_path / "pyagent-nodes-text", dict(os.environ))
    assert result.ok, result.error_text

    listed = run([str(python), "-m", "pyagent.cli", "node", "list", "text"], tmp_path)
    checked = run([str(python), "-m", "pyagent.cli", "node", "check"], tmp_path)

    assert "text.shout@1" in listed.text
    assert checked.ok, checked.text
    assert "✓ text.shout@1" in checked.text


@pytest.mark.parametrize(("name", "hint"), [("shout", "domain.name"), ("Text.shout", "lower case"), ("a.b-c", "a.b-c")])
def test_a_name_that_does_not_fit_is_refused(command: Command, name: str, hint: str) -> None:
    code, _, err = command("node", "new", name)
    assert code == Exit.USAGE
    assert hint in err


def test_a_name_that_no_file_can_have_is_refused(command: Command, tmp_path: Path) -> None:
    code, _, err = command("node", "new", "a." + "b" * 300)
    assert (code, "input.node_name" in err) == (Exit.USAGE, True)
    assert not (tmp_path / "nodes").exists()


def test_a_new_type_that_stands_before_an_installed_one_says_so(command: Command) -> None:
    assert "is installed already" in command("node", "new", "io.http")[1]
    assert "is installed already" not in command("node", "new", "io.shouted")[1]


def test_nothing_is_written_over(command: Command) -> None:
    command("node", "new", "text.shout")
    code, _, err = command("node", "new", "text.shout")
    assert code == Exit.USAGE
    assert "input.exists" in err


def test_the_check_tells_what_is_wrong_with_code_and_hint_and_ends_with_1(command: Command, tmp_path: Path) -> None:
    command("node", "new", "text.shout")
    module = tmp_path / "nodes" / "text" / "shout.py"
    module.write_text(module.read_text().replace('description="The text to put in capitals"', 'title="t"'))
    (tmp_path / "nodes" / "text" / "broken.py").write_text("x = (")

    code, out, _ = command("node", "check", "nodes")
    found = json.loads(command("node", "check", "nodes", "--json")[1])

    assert code == Exit.FAILED
    assert "node.check.description the parameter field is not described" in out
    assert "= Give it Field(..., description=…)." in out
    assert [each["code"] for each in found] == ["node.definition", "node.check.description"]
    assert "broken.py:1" in found[0]["message"]
    assert command("node", "check", "nodes/text/shout.py")[1].count("error") == 1


def test_a_node_that_gives_something_else_than_its_example_says_is_told(command: Command, tmp_path: Path) -> None:
    command("node", "new", "text.shout")
    said = tmp_path / "nodes" / "text" / "examples" / "shout.json"
    said.write_text(said.read_text().replace("HELLO!", "hello"))
    code, out, _ = command("node", "check", "nodes/text")
    assert code == Exit.FAILED
    assert 'it gives {"text": "HELLO!"}' in out


def test_a_type_in_the_wrong_folder_is_told_where_it_belongs(command: Command, tmp_path: Path) -> None:
    command("node", "new", "text.shout")
    (tmp_path / "nodes" / "text").rename(tmp_path / "nodes" / "words")
    out = command("node", "check", "nodes/words")[1]
    assert "it is in the folder words, and its domain is text" in out


def test_checking_what_is_not_there_ends_with_2(command: Command) -> None:
    assert command("node", "check", "nothing.there")[0] == Exit.USAGE
    code, out, _ = command("node", "check")
    assert (code, "pyagent node new" in out) == (Exit.DONE, True)
