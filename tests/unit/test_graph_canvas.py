"""The block `canvas`: notes, frames and colours in the file, its hash, differences, merges and checks."""

from __future__ import annotations

from typing import Any

import pytest

from pyagent.errors import GraphError
from pyagent.graph.diff import diff
from pyagent.graph.merge import merge
from pyagent.graph.yaml import fmt, load_text
from pyagent.runtime.checking import GraphChecker

HEAD = """\
pyagent: 1
id: drawn
nodes:
  - id: a
    use: flow.noop@1
  - id: b
    use: flow.noop@1
edges:
  - a -> b
"""
TEXT = (
    HEAD
    + """\
layout:
  a: [0, 0]
  b: [200, 0]
canvas:
  notes:
    why: {text: Because, at: [0, -120], size: [240, 80], color: yellow}  # said in the review
    long:
      text: |
        Two
        lines
      at: [300, -120]
      size: [240, 80]
  frames:
    both: {title: Both, at: [-20, -20], size: [400, 120]}
  colors:
    a: red
"""
)


def canvas(**more: Any) -> str:
    """A file whose canvas is written in one line for each of its parts."""
    parts = "".join(f"  {name}: {value}\n" for name, value in more.items())
    return HEAD + (f"canvas:\n{parts}" if parts else "")


def test_the_canonical_style_has_one_entry_a_line() -> None:
    assert fmt(TEXT) == TEXT


def test_the_hash_is_that_of_the_graph_without_it() -> None:
    assert load_text(TEXT).spec.hash() == load_text(HEAD).spec.hash()


def test_an_empty_canvas_says_nothing() -> None:
    assert load_text(HEAD + "canvas: {notes: {}, colors: {}}\n").spec.to_data() == load_text(HEAD).spec.to_data()


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("{notes: {n: {text: a, at: [0, 0]}}}", "size"),
        ("{notes: {n: {text: a, at: [0, 0], size: [0, 1]}}}", "size"),
        ("{notes: {N: {text: a, at: [0, 0], size: [1, 1]}}}", "notes"),
        ("{frames: {n: {title: a, at: [0], size: [1, 1]}}}", "at"),
        ("{colors: {a: pink}}", "colors"),
        ("{colours: {a: red}}", "colours"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_place(part: str, place: str) -> None:
    with pytest.raises(GraphError) as refused:
        load_text(f"{HEAD}canvas: {part}\n")
    assert place in str(refused.value.where.field)
    assert refused.value.where.line == 10


def test_an_unknown_key_is_told_with_the_one_that_is_meant() -> None:
    [problem] = GraphChecker().check_text(HEAD + "canvas: {colours: {a: red}}\n")
    assert problem.hint == "Did you mean `colors`?"


def test_an_edit_of_a_note_leaves_the_comments_beside_the_others() -> None:
    document = load_text(TEXT)
    data = document.spec.to_data()
    data["canvas"]["frames"]["both"]["title"] = "The two"
    changed = document.update(type(document.spec).model_validate(data))
    assert changed.text == TEXT.replace("title: Both", "title: The two")


def test_what_is_drawn_is_no_difference_unless_it_is_asked_for() -> None:
    old, new = load_text(TEXT), load_text(TEXT.replace("at: [0, -120]", "at: [5, 5]").replace("a: red", "a: blue"))
    assert diff(old, new) == []
    assert [(change.kind, change.path) for change in diff(old, new, layout=True)] == [
        ("moved", "canvas.notes.why.at"),
        ("changed", "canvas.colors.a"),
    ]


def test_notes_that_come_and_go_are_told_one_by_one() -> None:
    old, new = load_text(HEAD), load_text(TEXT)
    paths = [change.path for change in diff(old, new, layout=True) if change.path.startswith("canvas")]
    assert paths == ["canvas.notes.why", "canvas.notes.long", "canvas.frames.both", "canvas.colors.a"]


def test_the_colour_of_a_node_with_another_id_follows_it() -> None:
    new = TEXT.replace("id: a\n", "id: c\n").replace("a -> b", "c -> b").replace("  a: ", "  c: ")
    one, other = (text.replace("flow.noop@1", "data.set@1", 1) for text in (TEXT, new))
    assert [change.kind for change in diff(load_text(one), load_text(other), layout=True)] == ["renamed"]


def test_each_side_adds_its_notes() -> None:
    ours = canvas(notes="{one: {text: a, at: [0, 0], size: [1, 1]}}")
    theirs = canvas(notes="{two: {text: b, at: [0, 0], size: [1, 1]}}", colors="{a: red}")
    found = merge(HEAD, ours, theirs)
    assert found.clean
    merged = load_text(found.text).spec.canvas
    assert (list(merged.notes), merged.colors) == (["one", "two"], {"a": "red"})


@pytest.mark.parametrize("key", ["at: [0, 0]", "size: [1, 1]", "color: red"])
def test_what_is_only_drawn_never_conflicts(key: str) -> None:
    note = "{{n: {{text: a, {}}}}}"
    rest = [part for part in ("at: [0, 0]", "size: [1, 1]", "color: red") if part != key]
    values = [key, key.replace("0, 0", "7, 7").replace("1, 1", "7, 7").replace("red", "blue")]
    values += [key.replace("0, 0", "9, 9").replace("1, 1", "9, 9").replace("red", "green")]
    base, ours, theirs = (canvas(notes=note.format(", ".join([*rest, value]))) for value in values)
    found = merge(base, ours, theirs)
    assert found.clean
    assert load_text(found.text).spec.canvas == load_text(ours).spec.canvas


def test_two_sides_that_write_other_words_into_a_note_are_a_conflict() -> None:
    base, ours, theirs = (canvas(notes=f"{{n: {{text: {word}, at: [0, 0], size: [1, 1]}}}}") for word in "abc")
    found = merge(base, ours, theirs)
    assert [conflict.path for conflict in found.conflicts] == ["canvas.notes.n.text"]
    assert found.conflicts[0].parts == ("canvas", "notes", "n", "text")


def test_a_note_that_one_side_took_away_stays_away_though_the_other_moved_it() -> None:
    base, theirs = (canvas(notes=f"{{n: {{text: a, at: [{x}, 0], size: [1, 1]}}}}") for x in (0, 5))
    found = merge(base, HEAD, theirs)
    assert found.clean
    assert load_text(found.text).spec.canvas == load_text(HEAD).spec.canvas


def test_a_note_that_one_side_took_away_and_the_other_wrote_in_is_a_conflict() -> None:
    base, theirs = (canvas(notes=f"{{n: {{text: {word}, at: [0, 0], size: [1, 1]}}}}") for word in "ab")
    found = merge(base, HEAD, theirs)
    assert [(conflict.path, conflict.kind) for conflict in found.conflicts] == [("canvas.notes.n", "deleted")]
    assert found.conflicts[0].absent == ("ours",)


def test_the_colour_of_a_node_that_was_taken_away_goes_with_it() -> None:
    alone = HEAD.replace("  - id: b\n    use: flow.noop@1\n", "").replace("edges:\n  - a -> b\n", "")
    found = merge(HEAD, alone, canvas(colors="{b: red}"))
    assert found.clean
    assert load_text(found.text).spec.canvas.colors == {}


def test_a_layout_that_one_side_took_away_is_no_conflict() -> None:
    base, theirs = (f"{HEAD}layout:\n  a: [{x}, 0]\n" for x in (0, 5))
    assert merge(base, HEAD, theirs).clean


@pytest.mark.parametrize("block", ["layout:\n  gone: [0, 0]\n", "canvas:\n  colors:\n    gone: red\n"])
def test_what_is_drawn_for_a_node_that_is_not_there_is_a_warning_that_can_be_taken_out(block: str) -> None:
    [problem] = GraphChecker().check_text(HEAD + block)
    assert (problem.code, problem.severity) == ("graph.layout.unknown_node", "warning")
    assert problem.where.line == 9 + block.count("\n")
    assert problem.fix is not None
