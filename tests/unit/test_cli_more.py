"""The command line in this process: logs, the items of steps, files of inputs, new graphs, JSON and usage errors."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from command_line import Command
from pyagent.cli import complete
from pyagent.cli.exits import Exit
from pyagent.cli.logs import moment
from pyagent.errors import InputError

STEPS = """\
pyagent: 1
id: steps
inputs:
  numbers: {type: array, default: [1, 2, 3]}
  name: {type: string, default: you}
outputs: {big: "{{ $('big').all().map(item => item.json.n) }}"}
nodes:
  - {id: split, use: data.split@1, name: Split it, with: {field: numbers, into: n}}
  - {id: big, use: flow.filter@1, with: {when: "{{ $json.n > 1 }}"}}
edges: [split -> big]
"""
ASK = """\
pyagent: 1
id: ask
nodes:
  - {id: before, use: data.set@1, with: {fields: {ok: true}}}
  - {id: ask, use: flow.approve@1, with: {title: Keep it?}}
  - {id: done, use: flow.fail@1, with: {message: It broke}}
edges: [before -> ask, ask.approved -> done]
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """With two graphs."""
    (folder / "steps.yaml").write_text(STEPS)
    (folder / "ask.yaml").write_text(ASK)
    return folder


def newest(command: Command) -> str:
    return json.loads(command("runs", "--json")[1])[0]["id"]


# items of steps


def test_an_item_that_a_step_was_given_is_told_by_where_it_was_made(command: Command):
    command("run", "steps")
    # All of them were made of the one item that split was given: that says nothing of what they are here.
    inputs = json.loads(command("show", newest(command), "big", "--json")[1])["inputs"]["in"]
    assert [item["from"][0]["origin"] for item in inputs] == [
        {"step": "split", "port": "out", "item": index} for index in range(3)
    ]
    assert "from split[2]" in command("show", newest(command), "big", "--port", "in", "--item", "2")[1]


def test_a_step_shows_its_items_by_port_and_where_they_came_from(command: Command) -> None:
    command("run", "steps")
    code, out, _ = command("show", newest(command), "big")
    assert code == Exit.DONE
    assert "\nin  3 items" in out
    assert "\nout  2 items" in out
    assert "← split[1]" in out


def test_one_item_and_one_port_can_be_asked_for(command: Command) -> None:
    command("run", "steps")
    run = newest(command)
    item = json.loads(command("show", run, "big", "--item", "1", "--json")[1])
    assert (item["way"], item["port"], item["json"]["n"]) == ("out", "out", 3)
    assert item["from"] == [{"item": 2, "port": "in", "origin": {"step": "split", "port": "out", "item": 2}}]
    whole = json.loads(command("show", run, "split", "--port", "out", "--json")[1])
    assert (list(whole["inputs"]), [each["json"]["n"] for each in whole["outputs"]["out"]]) == ([], [1, 2, 3])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["nope"], "run.no_step"),
        (["big", "--port", "x"], "run.no_port"),
        (["big", "--item", "9"], "run.no_item"),
        (["--item", "0"], "input.options"),
    ],
)
def test_a_step_port_or_item_that_is_not_there_is_told(command: Command, more: list[str], code: str) -> None:
    command("run", "steps")
    exit_code, out, _ = command("show", newest(command), *more, "--json")
    assert (exit_code, json.loads(out)["error"]["code"]) == (Exit.USAGE, code)


# logs


def test_logs_tell_what_happened_as_loud_as_was_asked_for(command: Command) -> None:
    command("run", "ask")
    run = newest(command)
    command("approve", run)
    command("resume", run)
    code, out, _ = command("logs", run)
    assert code == Exit.DONE
    assert "waiting" in out
    assert "started" in out.replace("run  started", "", 1) or "ask" in out
    errors = command("logs", run, "--level", "error")[1]
    assert len(errors.splitlines()) == 2
    assert "done  failed: node.failed: It broke" in errors


def test_logs_of_one_node_as_json_have_their_level(command: Command) -> None:
    command("run", "steps")
    run = newest(command)
    lines = [
        json.loads(line)
        for line in command("logs", run, "--node", "Split it", "--level", "debug", "--json")[1].splitlines()
    ]
    assert {line["step"] for line in lines} == {"split"}
    assert [(line["kind"], line["level"]) for line in lines] == [("step.started", "debug"), ("step.completed", "info")]
    code, _, err = command("logs", run, "--node", "nope")
    assert code == Exit.USAGE
    assert "It has: split, big." in err


def test_logs_that_are_followed_end_with_the_run(command: Command) -> None:
    command("run", "steps")
    assert "completed" in command("logs", newest(command), "--follow")[1]


def test_logs_since_a_time_leave_out_what_came_before(command: Command) -> None:
    command("run", "steps")
    assert command("logs", newest(command), "--since", "2100-01-01")[1] == ""
    now = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    assert moment("90m", now) == now - timedelta(minutes=90)
    assert moment("2026-03-04T11:00:00+00:00", now) == now - timedelta(hours=1)
    assert moment("11:59", now.astimezone()) <= now
    with pytest.raises(InputError):
        moment("yesterday", now)


def test_the_time_of_an_event_and_the_time_of_its_step_agree(command: Command) -> None:
    command("run", "steps")
    run = newest(command)
    steps = {step["step"]: step for step in json.loads(command("show", run, "--json")[1])["steps"]}
    events = [json.loads(line) for line in command("show", run, "--log", "--json")[1].splitlines()]
    for event in events:
        if event["kind"] == "step.completed":
            step = steps[event["step"]]
            took = datetime.fromisoformat(step["ended_at"]) - datetime.fromisoformat(step["started_at"])
            assert abs(took.total_seconds() - event["data"]["seconds"]) < 0.01


# requests


def test_resume_tells_only_what_is_new(command: Command) -> None:
    command("run", "ask")
    run = newest(command)
    command("approve", run)
    code, out, _ = command("resume", run)
    assert code == Exit.FAILED
    assert "before" not in out
    assert "done" in out
    lines = [json.loads(line) for line in command("resume", run, "--json")[1].splitlines()]
    assert lines[0]["kind"] != "run.queued"
    assert lines[-1]["run"]["status"] == "failed"


def test_requests_give_the_run_as_json(command: Command) -> None:
    command("run", "ask")
    run = newest(command)
    paused = json.loads(command("pause", run, "--json")[1])
    assert (paused["id"], paused["status"]) == (run, "paused")
    assert json.loads(command("resume", run, "--detach", "--json")[1])["id"] == run
    assert json.loads(command("approve", run, "--reject", "--json")[1])["id"] == run
    assert json.loads(command("cancel", run, "--json")[1])["status"] == "cancelled"
    assert json.loads(command("signal", "x", "--json")[1]) == {"signal": "x", "key": "", "run": None}
    assert json.loads(command("fork", run, "before", "--detach", "--json")[1])["forked_from"] == run


def test_what_is_left_to_others_names_all_who_execute_it(command: Command) -> None:
    command("run", "ask")
    run = newest(command)
    for line in (("fork", run, "before", "--detach"), ("approve", run)):
        out = command(*line)[1]
        assert "`pyagent serve`" in out
        assert "`pyagent worker`" in out


def test_a_run_is_deleted_when_it_has_ended_and_somebody_agrees(command: Command) -> None:
    command("run", "ask")
    run = newest(command)
    assert "run.not_ended" in command("delete", run, "--yes")[2]
    command("cancel", run)
    assert "input.consent" in command("delete", run)[2]
    assert command("delete", run, "--yes")[:2] == (Exit.DONE, f"{run}: deleted\n")
    assert command("show", run)[0] == Exit.USAGE


# inputs


@pytest.mark.parametrize("text", ["numbers: [4, 5]\nname: Ada\n", '{"numbers": [4, 5], "name": "Ada"}'])
def test_inputs_come_from_a_file_of_yaml_or_json(command: Command, tmp_path: Path, text: str) -> None:
    (tmp_path / "inputs.txt").write_text(text)
    assert command("run", "steps", "--input-file", "inputs.txt")[0] == Exit.DONE
    run = json.loads(command("show", newest(command), "--json")[1])
    assert run["inputs"] == {"numbers": [4, 5], "name": "Ada"}


def test_a_dash_is_the_standard_input_and_single_inputs_win(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("name: Ada\nnumbers: []\n"))
    command("run", "steps", "--input-file", "-", "-i", "name=Eve")
    assert json.loads(command("show", newest(command), "--json")[1])["inputs"] == {"name": "Eve", "numbers": []}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "input.file: --input-file inputs.yaml cannot be read"),
        ("- a\n- b\n", "it is not a mapping"),
        ("a: 1\na: 2\n", "input.file: --input-file inputs.yaml cannot be read"),
        (None, "No such file"),
    ],
)
def test_a_file_of_inputs_that_does_not_fit_is_told(
    command: Command, tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "inputs.yaml").write_text(text)
    code, _, err = command("run", "steps", "--input-file", "inputs.yaml")
    assert code == Exit.USAGE
    assert said in err


# graphs


def test_a_new_graph_runs_and_stands_in_the_list(command: Command, tmp_path: Path) -> None:
    assert command("graph", "new", "hello")[0] == Exit.DONE
    assert "Hello world" in command("run", "./hello.yaml")[1]
    assert command("graph", "check", "hello.yaml")[0] == Exit.DONE
    assert command("graph", "fmt", "--check", "hello.yaml")[0] == Exit.DONE
    (tmp_path / "broken.yaml").write_text("pyagent: 1\nid: [")
    found = {each["file"].rpartition("/")[2]: each for each in json.loads(command("graph", "list", "--json")[1])}
    assert found["hello.yaml"]["inputs"] == ["name"]
    assert found["broken.yaml"]["error"]["code"] == "graph.yaml"
    assert command("graph", "new", "hello")[0] == command("graph", "new", "Hello")[0] == Exit.USAGE


# wrong command lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("frob", "no such command 'frob'"),
        ("hello.yaml", "To run it: pyagent run hello.yaml"),
        ("check steps", "Did you mean `pyagent graph check`?"),
        ("help", "Write: pyagent --help"),
        ("run", "Write: pyagent run GRAPH"),
        ("run steps --inptu a=b", "Did you mean `--input`?"),
        ("run steps --on-key x", "'x' is not one of 'reject', 'existing', 'replace'"),
        ("run steps --port x", "a whole number goes there"),
        ("run steps more", "nothing is known to do with more"),
        ("run step", "Did you mean `steps`?"),
        ("run steps --watch --serve", "input.options"),
        ("show", "Write: pyagent show RUN [STEP]"),
        ("runs -n 0", "it must be greater than or equal to 1"),
        ("runs --watch", "--watch draws on a terminal"),
        ("pause x --timeout soon", "'soon' is not a duration"),
        ("logs x --level loud", "not one of 'debug', 'info', 'warning', 'error'"),
        ("resolve x y mended", "'mended' is not one of 'done', 'retry', 'failed'"),
        ("node show flow", "flow is a domain: pyagent node list flow"),
        ("graph chek", "Did you mean `check`?"),
        ("completion ksh", "'ksh' is not one of 'bash', 'zsh', 'fish'"),
        ("open --port 1", "no server answers"),
    ],
)
def test_a_wrong_command_line_is_told_with_what_to_write(command: Command, line: str, said: str) -> None:
    code, _, err = command(*line.split())
    assert code in (Exit.USAGE, Exit.STORE)
    assert said in err
    assert err.startswith("error ")
    assert "hint:" in err


def test_with_json_a_wrong_command_line_is_json(command: Command) -> None:
    code, out, err = command("run", "--nothing", "--json")
    assert (code, err) == (Exit.USAGE, "")
    assert json.loads(out)["error"]["code"] == "input.usage"


# completion


def completed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    complete.answer(words)
    return capsys.readouterr().out.split()


def test_commands_options_choices_graphs_runs_steps_and_types_are_completed(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command("run", "steps")
    run = newest(command)
    assert completed(capsys, "re") == ["resolve", "resume"]
    assert "list" in completed(capsys, "graph", "")
    assert completed(capsys, "resume", "--j") == ["--json"]
    assert {"ask", "steps"} <= set(completed(capsys, "run", ""))
    assert completed(capsys, "run", "steps", "--on-key", "re") == ["reject", "replace"]
    assert completed(capsys, "show", run[:6]) == [run]
    assert completed(capsys, "show", run, "") == ["big", "split"]
    assert completed(capsys, "resolve", run, "big", "") == ["done", "failed", "retry"]
    assert "flow.switch" in completed(capsys, "node", "show", "flow.s")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_the_program(command: Command, shell: str) -> None:
    assert "pyagent __complete" in command("completion", shell)[1]


def test_completing_imports_nothing_heavy(tmp_path: Path, command: Command) -> None:
    import subprocess

    program = "import sys; from pyagent.cli import complete; complete.answer(['run', '']); print(*sys.modules)"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    heavy: set[Any] = {"typer", "rich", "pydantic", "asyncio", "yaml", "ruamel", "langgraph"}
    assert not heavy & set(done.stdout.split())
