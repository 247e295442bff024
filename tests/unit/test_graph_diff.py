"""What changed between two graphs, told by node and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pyagent.cli.graph import app
from pyagent.graph.diff import Change, diff, render_text
from pyagent.graph.yaml import load_text

OLD = """\
pyagent: 1
id: demo
nodes:
  - id: read
    use: data.set@1
    with: {fields: {a: 1}}
  - id: decide
    use: flow.switch@1
    with: {rules: [{when: "{{ $json.a }}", to: one}]}
  - id: code
    use: code.python@1
    with:
      source: |
        first
        second
edges:
  - read -> decide
  - decide.one -> code
layout:
  read: [0, 0]
"""


def changes(*edits: tuple[str, str], layout: bool = False) -> list[Change]:
    text = OLD
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return diff(load_text(OLD), load_text(text), layout=layout)


def told(*edits: tuple[str, str], layout: bool = False) -> str:
    return render_text(changes(*edits, layout=layout))


def test_style_comments_order_of_keys_and_explicit_defaults_are_no_change() -> None:
    assert (
        changes(("id: demo", "id: demo  # x"), ("{a: 1}}", "{a: 1}}\n    on_error: stop"), ("read -> d", "read->d"))
        == []
    )


def test_a_changed_field_is_named_with_both_values_and_lines() -> None:
    [change] = changes(("$json.a", "$json.b"), ("id: demo", "id: demo\nname: Demo"))[1:]
    assert (change.kind, change.path, change.lines) == ("changed", "nodes.decide.with.rules[0].when", (9, 10))
    assert change.as_dict() == {
        "kind": "changed",
        "path": "nodes.decide.with.rules[0].when",
        "old": "{{ $json.a }}",
        "new": "{{ $json.b }}",
        "lines": [9, 10],
    }


def test_nodes_and_edges_come_and_go() -> None:
    assert told(
        ("edges:\n", "  - {id: mail, use: flow.noop@1, name: Mail}\nedges:\n"),
        ("  - decide.one -> code\n", "  - decide.one -> mail\n"),
    ) == (
        "+ nodes.mail  flow.noop@1 “Mail”  (line 16)\n"
        "- edges[decide.one -> code]  (line 18 before)\n"
        "+ edges[decide.one -> mail]  (line 19)\n"
    )


def test_a_node_with_another_id_is_renamed_and_its_edges_are_the_same() -> None:
    assert told(("id: read", "id: load"), ("read -> decide", "load -> decide"), ("  read: [0", "  load: [0")) == (
        "→ nodes.read: the id is now load  (line 4)\n"
    )


def test_a_long_text_is_told_line_by_line() -> None:
    assert told(("        second\n", "        third\n")) == (
        "~ nodes.code.with.source:  (line 13)\n    - second\n    + third\n"
    )


def test_a_channel_of_another_type_is_told_with_what_its_runs_need() -> None:
    def version(channel: str) -> str:
        return f"pyagent: 1\nid: g\nstate:\n  seen: {channel}\nnodes: []\n"

    old = load_text(version("{type: array}"))
    [change] = diff(old, load_text(version("{type: string}")))
    assert str(change).startswith('~ state.seen.type: "array" → "string"\n    ! without `migrate`, runs')
    assert change.as_dict()["note"] == change.note
    for carried in ("{type: any}", '{type: string, migrate: "{{ $state.seen.join() }}"}'):
        assert {found.note for found in diff(old, load_text(version(carried)))} == {""}


def test_places_are_told_when_asked_for() -> None:
    edit = ("read: [0, 0]", "read: [5, 0]\n  code: [9, 9]")
    assert changes(edit) == []
    assert told(edit, layout=True) == "↔ layout.read: [0, 0] → [5, 0]  (line 20)\n+ layout.code: [9, 9]  (line 21)\n"


def test_edges_in_another_order_are_a_change() -> None:
    first, second = "  - read -> decide\n", "  - decide.one -> code\n"
    [change] = changes((first + second, second + first))
    assert (change.kind, change.path) == ("changed", "edges")


def test_a_null_is_a_value() -> None:
    assert [change.kind for change in changes(("{a: 1}", "{a: 1, b: null}"))] == ["added"]


def test_bare_graphs_are_compared_without_lines() -> None:
    one, other = (load_text(text).spec for text in (OLD, OLD.replace("a: 1", "a: true")))
    [change] = diff(one, other)
    assert (change.path, change.old, change.new, change.lines) == ("nodes.read.with.fields.a", 1, True, (None, None))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    for name, text in (("old.yaml", OLD), ("new.yaml", OLD.replace("a: 1", "a: 2")), ("note.yaml", f"# x\n{OLD}")):
        Path(name).write_text(text)
    return CliRunner()


def test_the_command_writes_text_or_json(run: CliRunner) -> None:
    assert run.invoke(app, ["diff", "old.yaml", "new.yaml"]).output == "~ nodes.read.with.fields.a: 1 → 2  (line 6)\n"
    [change] = json.loads(run.invoke(app, ["diff", "--json", "old.yaml", "new.yaml"]).output)
    assert change["path"] == "nodes.read.with.fields.a"
    assert run.invoke(app, ["diff", "old.yaml", "old.yaml"]).output == "no difference\n"
    assert run.invoke(app, ["diff", "old.yaml", "note.yaml"]).output.startswith("no difference but comments")


def test_the_command_says_what_it_cannot_read(run: CliRunner) -> None:
    for arguments in (["none.yaml", "new.yaml"], ["none:old.yaml", "new.yaml"]):
        result = run.invoke(app, ["diff", *arguments])
        assert result.exit_code == 1
        assert "graph.file" in result.output
    assert run.invoke(app, ["diff", "a", "b", "c"]).exit_code == 2


def test_merging_writes_to_the_screen_a_file_or_into_our_version(run: CliRunner) -> None:
    Path("other.yaml").write_text(OLD.replace("to: one", "to: two").replace("decide.one", "decide.two"))
    both = Path("other.yaml").read_text().replace("a: 1", "a: 2")
    result = run.invoke(app, ["merge", "old.yaml", "new.yaml", "other.yaml"])
    assert (result.exit_code, result.output) == (0, both)
    run.invoke(app, ["merge", "old.yaml", "new.yaml", "other.yaml", "-o", "out.yaml"])
    assert Path("out.yaml").read_text() == both
    run.invoke(app, ["merge", "old.yaml", "new.yaml", "other.yaml", "graphs/demo.yaml"])
    assert Path("new.yaml").read_text() == both


def test_a_conflict_ends_the_command_with_1_and_its_name(run: CliRunner) -> None:
    Path("other.yaml").write_text(OLD.replace("a: 1", "a: 3"))
    result = run.invoke(
        app, ["merge", "old.yaml", "new.yaml", "other.yaml", "--names", "mine", "main", "-o", "out.yaml"]
    )
    assert result.exit_code == 1
    assert "out.yaml:6 conflict nodes.read.with.fields.a: both changed it" in result.output
    assert "<<<<<<< mine  nodes.read.with.fields.a\n" in Path("out.yaml").read_text()
