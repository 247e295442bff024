"""Forms and runs that begin anew or take turns, on the command line."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from command_line import Command
from pyagent.cli.exits import Exit
from pyagent.cli.forms import ask_form, set_values, typed
from pyagent.errors import InputError

FORM = """\
pyagent: 1
id: form
outputs: {said: "{{ $('ask').first().json.answer }}"}
nodes:
  - id: ask
    use: flow.ask@1
    with:
      title: Which one?
      fields:
        - {name: colour, type: choice, options: [red, blue], required: true}
        - {name: count, type: integer, default: 1}
"""
SERVICE = """\
pyagent: 1
id: service
state: {runs: {type: integer, reduce: add}}
outputs: {runs: "{{ $state.runs }}"}
nodes:
  - {id: count, use: flow.noop@1, write: {runs: "{{ 1 }}"}}
  - {id: more, use: flow.if@1, with: {when: "{{ $state.runs < 3 }}"}}
  - {id: anew, use: flow.restart@1}
edges: [count -> more, more.true -> anew]
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """With two graphs."""
    (folder / "form.yaml").write_text(FORM)
    (folder / "service.yaml").write_text(SERVICE)
    return folder


def waiting_run(command: Command) -> str:
    code, out, _ = command("run", "form")
    assert code == Exit.WAITING
    assert "pyagent answer" in out
    return json.loads(command("runs", "--json")[1])[0]["id"]


@pytest.mark.parametrize(
    "answer", [("--set", "colour=blue", "--set", "count=3"), ("ask", "--value", '{"colour": "blue", "count": 3}')]
)
def test_a_form_is_answered_by_its_fields_or_as_a_whole(command: Command, answer: tuple[str, ...]) -> None:
    run = waiting_run(command)
    code, out, _ = command("answer", run, *answer)
    assert (code, "answered" in out) == (Exit.DONE, True)
    assert command("resume", run)[0] == Exit.DONE
    shown = json.loads(command("show", run, "--json")[1])
    assert shown["outputs"] == {"said": {"colour": "blue", "count": 3}}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (("--set", "colour=green"), "run.answer"),
        (("--set", "count=3"), "run.answer"),
        (("--set", "count=many", "--set", "colour=red"), "input.syntax"),
        (("--set", "colour"), "input.syntax"),
        (("--value", "{"), "input.syntax"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(command: Command, answer: tuple[str, ...], code: str) -> None:
    run = waiting_run(command)
    ended, _, err = command("answer", run, *answer)
    assert ended == Exit.USAGE
    assert code in err
    assert "answer" not in json.loads(command("show", run, "--json")[1])["status"]


def test_a_run_that_begins_anew_is_followed_to_its_end(command: Command) -> None:
    code, out, _ = command("run", "service")
    assert code == Exit.DONE
    assert out.count("It begins anew: run") == 2
    runs: list[dict[str, Any]] = json.loads(command("runs", "--json")[1])
    assert [run["outputs"] for run in runs] == [{"runs": 3}, {"runs": 2}, {"runs": 1}]
    assert [run["continued_as"] for run in runs] == [None, runs[0]["id"], runs[1]["id"]]
    assert f"pyagent show {runs[0]['id']}" in command("show", runs[1]["id"])[1]


# forms on a terminal

WAIT: dict[str, Any] = {
    "kind": "form",
    "response_schema": {
        "type": "object",
        "properties": {
            "name": {"title": "Name", "type": "string", "minLength": 1, "description": "Yours"},
            "age": {"type": "integer", "minimum": 0},
            "member": {"type": "boolean", "default": False},
            "tags": {"type": "array", "items": {"enum": ["a", "b", 3]}},
        },
        "required": ["name", "age"],
    },
}


async def asked(*lines: str | None) -> tuple[Any, str]:
    console = Console(file=StringIO(), width=200)
    left = list(lines)

    async def read() -> str | None:
        return left.pop(0)

    answer = await ask_form(WAIT, console, read)
    assert left == []
    return answer, console.file.getvalue()  # type: ignore[attr-defined]


async def test_a_form_is_asked_field_by_field_until_each_fits() -> None:
    answer, said = await asked("y\n", "\n", "Ada\n", "old\n", "-1\n", "36\n", "yes\n", "a, 3\n")
    assert answer == {"name": "Ada", "age": 36, "member": True, "tags": ["a", 3]}
    assert "Yours" in said
    assert "is needed" in said
    assert "'old' is no integer" in said
    assert "must be 0 or more" in said


async def test_what_need_not_be_given_may_be_left_out() -> None:
    assert (await asked("y\n", "Ada\n", "1\n", "\n", "\n"))[0] == {"name": "Ada", "age": 1}


@pytest.mark.parametrize("lines", [("\n",), ("n\n",), (None,), ("y\n", None), ("y\n", "Ada\n", None)])
async def test_a_form_may_be_left_open(lines: tuple[str | None, ...]) -> None:
    assert (await asked(*lines))[0] is None


def test_text_becomes_what_the_schema_says() -> None:
    assert typed({"type": "string"}, "7") == "7"
    assert typed({"type": "number"}, "7.5") == 7.5
    assert typed({}, "7") == 7
    assert typed({}, "seven") == "seven"
    assert typed({"enum": [1, "b"]}, "1") == 1
    assert typed({"type": "array", "items": {"type": "integer"}}, "1, 2") == [1, 2]
    assert typed({"type": "array"}, "[1]") == [1]
    with pytest.raises(InputError):
        set_values(WAIT, ["age=x"])
