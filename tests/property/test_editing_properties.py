"""Whatever an editor does to a graph's data, its text then says exactly that, and nobody's comments get lost."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyagent.graph.editing import edit_text
from pyagent.graph.yaml import dump, load_text, validate
from pyagent.runtime.checking import GraphChecker

pytestmark = pytest.mark.timeout(600)
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
ROOT = Path(__file__).resolve().parents[2]
CHECKER = GraphChecker()
FILES = [*sorted((ROOT / "graphs").glob("*.yaml")), *sorted((ROOT / "nodes").glob("pyagent_nodes/*/examples/*.yaml"))]
COLORS = ("blue", "green", "yellow", "orange", "red", "purple", "gray")
WORDS = (
    "a",
    "yes",
    "null",
    "",
    "1.5",
    "# no comment",
    "a: b",
    "two\nlines\n",
    "{{ $json.x }}",
    "é 😀",
    " lead",
    "-",
    "[",
)
Data = dict[str, Any]


def edited(text: str, data: Any) -> str:
    found = edit_text(text, data, CHECKER.catalogue, CHECKER.expressions)
    assert found.document is not None, found.problems
    return found.text


def made(chance: random.Random) -> Data:
    """A graph by chance, in canonical form."""
    data: Data = {
        "pyagent": 1,
        "id": "made",
        "nodes": [node(chance, f"n{number}") for number in range(chance.randint(1, 7))],
    }
    names = [found["id"] for found in data["nodes"]]
    data["edges"] = [f"{chance.choice(names)} -> {chance.choice(names)}" for _ in range(chance.randint(0, 6))]
    data["layout"] = {
        name: [chance.randint(-500, 500), chance.randint(-500, 500)] for name in names if chance.random() < 0.8
    }
    data["canvas"] = {
        "notes": {f"note{number}": note(chance) for number in range(chance.randint(0, 2))},
        "frames": {"frame": {"title": "F", "at": [0, 0], "size": [10, 10]}} if chance.random() < 0.4 else {},
        "colors": {name: chance.choice(COLORS) for name in names if chance.random() < 0.3},
    }
    return validate(data).to_data()


def node(chance: random.Random, name: str) -> Data:
    use = chance.choice(["data.set@1", "flow.noop@1", "flow.switch@1", "flow.map@1"])
    found: Data = {"id": name, "use": use}
    if use == "data.set@1":
        found["with"] = {"fields": {chance.choice("abc"): chance.choice(WORDS) for _ in range(chance.randint(1, 3))}}
    elif use == "flow.switch@1":
        found["with"] = {
            "rules": [{"when": "{{ $json.a }}", "to": word} for word in ("x", "y")[: chance.randint(1, 2)]]
        }
    elif use == "flow.map@1":
        found["body"] = {"nodes": [{"id": f"{name}_in", "use": "flow.noop@1"}]}
    if chance.random() < 0.4:
        found["name"] = chance.choice(WORDS)
    return found


def note(chance: random.Random) -> Data:
    return {"text": chance.choice(WORDS), "at": [chance.randint(-9, 9), 0], "size": [240, 120]}


def remarked(text: str) -> str:
    """The text with a comment above and beside each node of the top, named by it."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("  - id: "):
            name = line.removeprefix("  - id: ")
            lines += [f"  # above {name}.", f"{line}  # beside {name}."]
        else:
            lines.append(line)
    return "\n".join(lines)


def change(data: Data, chance: random.Random) -> set[str]:
    """Change the data in one place, as an editor does; the nodes that were touched."""
    names = [found["id"] for found in data["nodes"]]
    one = chance.choice(data["nodes"])
    kind = chance.choice(
        ["param", "name", "move", "add", "remove", "connect", "cut", "note", "color", "swap", "disable"]
    )
    if kind == "param":
        one["with"] = {
            **one.get("with", {}),
            "fields": {"z": chance.choice(WORDS), "k": {"deep": [1, chance.choice(WORDS)]}},
        }
        return {one["id"]}
    if kind == "name":
        one["name"] = chance.choice(WORDS)
        return {one["id"]}
    if kind == "disable":
        one["disabled"] = not one.get("disabled", False)
        return {one["id"]}
    if kind == "move":
        data.setdefault("layout", {})[one["id"]] = [chance.randint(-99, 99), chance.randint(-99, 99)]
    elif kind == "add":
        fresh = next(name for number in range(999) if (name := f"new{number}") not in names)
        data["nodes"].insert(chance.randint(0, len(names)), node(chance, fresh))
        data.setdefault("layout", {})[fresh] = [0, 0]
        return {fresh}
    elif kind == "remove" and len(names) > 1:
        data["nodes"].remove(one)
        data["edges"] = [edge for edge in data.get("edges", []) if one["id"] not in edge.split(" -> ")]
        data.get("layout", {}).pop(one["id"], None)
        return {one["id"]}
    elif kind == "connect":
        data.setdefault("edges", []).append(f"{chance.choice(names)} -> {chance.choice(names)}")
    elif kind == "cut" and data.get("edges"):
        data["edges"].remove(chance.choice(data["edges"]))
    elif kind == "note":
        data.setdefault("canvas", {}).setdefault("notes", {})[f"note{chance.randint(0, 3)}"] = note(chance)
    elif kind == "color":
        data.setdefault("canvas", {}).setdefault("colors", {})[one["id"]] = chance.choice(COLORS)
    elif kind == "swap" and len(names) > 1:
        data["nodes"].reverse()
        return set(names)
    return set()


@SETTINGS
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_the_text_says_what_the_data_says_and_keeps_the_comments_of_what_was_not_touched(seed: int, edits: int) -> None:
    chance = random.Random(seed)
    data = made(chance)
    text = remarked(dump(validate(data)))
    touched: set[str] = set()
    for _ in range(edits):
        touched |= change(data, chance)
        text = edited(text, copy.deepcopy(data))
        assert load_text(text).spec.to_data() == validate(data).to_data()
    for found in data["nodes"]:
        if found["id"] not in touched:
            assert f"# above {found['id']}." in text
            assert f"# beside {found['id']}." in text


@SETTINGS
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_a_change_that_is_undone_gives_the_file_that_was(seed: int, crlf: bool, mark: bool) -> None:
    chance = random.Random(seed)
    data = made(chance)
    text = dump(validate(data))
    text = ("\ufeff" if mark else "") + (text.replace("\n", "\r\n") if crlf else text)
    # What one writes the other reads: places of nodes that were never there come last, and go again.
    one = chance.choice(data["nodes"])
    after = copy.deepcopy(data)
    after["nodes"][data["nodes"].index(one)]["notes"] = "changed"
    there = edited(text, after)
    assert there != text
    assert edited(there, data) == text


@SETTINGS
@given(st.integers(0, 2**32))
def test_a_generated_graph_that_was_not_changed_keeps_every_byte(seed: int) -> None:
    text = remarked(dump(validate(made(random.Random(seed)))))
    data = edit_text(text, None, CHECKER.catalogue).document
    assert data is not None
    assert edited(text, data.spec.to_data()) == text


def test_every_file_that_comes_with_us_is_saved_unchanged_to_the_byte() -> None:
    assert len(FILES) > 50
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        document = edit_text(text, None, CHECKER.catalogue).document
        assert document is not None, path
        assert edited(text, document.spec.to_data()) == text, path


def test_two_hundred_generated_graphs_are_saved_unchanged_to_the_byte() -> None:
    for seed in range(200):
        text = remarked(dump(validate(made(random.Random(seed)))))
        document = load_text(text)
        assert document.update(document.spec).save_text() == text
