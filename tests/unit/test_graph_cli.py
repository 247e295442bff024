"""`pyagent graph`: exit codes, what is printed, what is written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pyagent.cli.graph import app

GOOD = "pyagent: 1\nid: demo\nnodes:\n  - id: a\n    use: flow.noop@1\n"
BAD = "pyagent: 1\nid: demo\nnodes:\n  - {id: a, use: flow.swich@1}\nedges:\n  - a -> b\n"
UGLY = "id: demo # x\npyagent: 1\nnodes:   [{id: a, use: flow.noop@1}]\n"
FORMATTED = "pyagent: 1\nid: demo  # x\nnodes:\n  - id: a\n    use: flow.noop@1\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good.yaml", GOOD), ("bad.yaml", BAD), ("ugly.yaml", UGLY), ("no.yaml", "a: [")):
        Path(name).write_text(text)
    return CliRunner()


def test_a_good_file_passes(run: CliRunner) -> None:
    result = run.invoke(app, ["check", "good.yaml", "ugly.yaml"])
    assert result.exit_code == 0
    assert "2 files without problems" in result.output


def test_a_bad_file_fails_with_place_code_excerpt_mark_and_hint(run: CliRunner) -> None:
    result = run.invoke(app, ["check", "bad.yaml", "good.yaml"])
    assert result.exit_code == 1
    assert "bad.yaml:4:18 graph.node.unknown_type no node type `flow.swich@1` is installed" in result.output
    assert "    4 │   - {id: a, use: flow.swich@1}\n      │                  ^\n" in result.output
    assert "      = Did you mean `flow.switch@1`?" in result.output
    assert "bad.yaml:6:5 graph.edge.unknown_node" in result.output
    assert "2 errors, 0 warnings" in result.output


def test_warnings_alone_do_not_fail(run: CliRunner) -> None:
    text = GOOD.replace("- id: a", "- {id: s, use: flow.manual@1}\n  - id: a")
    result = run.invoke(app, ["check", "-"], input=text)
    assert result.exit_code == 0
    assert "-:5:9 graph.node.unreachable" in result.output
    assert "0 errors, 1 warning" in result.output


def test_problems_are_written_as_json_for_all_files_at_once(run: CliRunner) -> None:
    result = run.invoke(app, ["check", "--json", "bad.yaml", "no.yaml", "none.yaml", "good.yaml"])
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert [(problem["where"]["file"], problem["code"]) for problem in found] == [
        ("bad.yaml", "graph.node.unknown_type"),
        ("bad.yaml", "graph.edge.unknown_node"),
        ("no.yaml", "graph.yaml"),
        ("none.yaml", "graph.file"),
    ]


def test_formatting_writes_the_file_once(run: CliRunner) -> None:
    result = run.invoke(app, ["fmt", "ugly.yaml", "good.yaml"])
    assert (result.exit_code, result.output) == (0, "formatted ugly.yaml\n")
    assert Path("ugly.yaml").read_text() == FORMATTED
    result = run.invoke(app, ["fmt", "ugly.yaml", "good.yaml"])
    assert (result.exit_code, result.output) == (0, "")


def test_checking_the_format_changes_nothing(run: CliRunner) -> None:
    result = run.invoke(app, ["fmt", "--check", "ugly.yaml"])
    assert (result.exit_code, result.output) == (1, "would format ugly.yaml\n")
    assert Path("ugly.yaml").read_text() == UGLY


def test_formatting_reads_and_writes_streams(run: CliRunner) -> None:
    result = run.invoke(app, ["fmt", "-"], input=UGLY)
    assert (result.exit_code, result.output) == (0, FORMATTED)


def test_a_file_that_is_no_yaml_is_not_formatted_and_the_others_are(run: CliRunner) -> None:
    result = run.invoke(app, ["fmt", "no.yaml", "ugly.yaml"])
    assert result.exit_code == 1
    assert "graph.yaml" in result.output
    assert Path("no.yaml").read_text() == "a: ["
    assert Path("ugly.yaml").read_text() == FORMATTED


def test_the_schema_has_the_installed_types_unless_it_is_plain(run: CliRunner) -> None:
    full = json.loads(run.invoke(app, ["schema"]).output)
    plain = json.loads(run.invoke(app, ["schema", "--plain"]).output)
    assert "with flow.switch@1" in full["$defs"]
    assert "with flow.switch@1" not in plain["$defs"]


def test_a_graph_is_shown_as_tree_mermaid_and_svg(run: CliRunner) -> None:
    assert "a  flow.noop@1" in run.invoke(app, ["show", "good.yaml"]).output
    assert run.invoke(app, ["show", "good.yaml", "--format", "mermaid"]).output.startswith("flowchart TD")
    result = run.invoke(app, ["show", "good.yaml", "--format", "svg", "--output", "out.svg"])
    assert (result.exit_code, result.output) == (0, "")
    assert Path("out.svg").read_text().startswith("<svg ")


def test_what_cannot_be_shown_or_written_ends_with_a_code(run: CliRunner) -> None:
    result = run.invoke(app, ["show", "no.yaml"])
    assert result.exit_code == 1
    assert "graph.yaml" in result.output
    result = run.invoke(app, ["show", "good.yaml", "--format", "svg", "--output", "none/out.svg"])
    assert result.exit_code == 1
    assert "graph.file" in result.output


def test_shown_text_is_never_read_as_markup(run: CliRunner) -> None:
    result = run.invoke(app, ["check", "-"], input=GOOD.replace("flow.noop@1", '"[bold]x[/]@1"'))
    assert "[bold]x[/]@1" in result.output


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path: Path) -> None:
    graph = tmp_path / "g.yaml"
    text = "pyagent: 1\nid:   g\nnodes:\n" + "".join(f"- {{id: n{i}, use: flow.noop@1}}\n" for i in range(50))
    graph.write_text(text)
    graph.chmod(0o640)
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))"
    run_it = "import sys; from pyagent.cli.graph import app; app(['fmt', sys.argv[1]])"

    def fmt(*before: str) -> int:
        program = "\n".join((*before, run_it))
        return subprocess.run([sys.executable, "-c", program, str(graph)], capture_output=True, check=False).returncode

    assert fmt(full) != 0
    assert graph.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["g.yaml"]
    assert fmt() == 0
    assert graph.read_text() != text
    assert graph.stat().st_mode & 0o777 == 0o640
