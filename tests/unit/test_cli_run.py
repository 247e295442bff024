"""The command line in this process: `pyagent run` and the requests to runs, with their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import Command
from pyagent.cli.exits import Exit

GREET = """\
pyagent: 1
id: greet
inputs:
  name: {type: string, default: you}
  times: {type: integer, default: 1}
outputs: {hello: "{{ $('greet').first().json.hello }}"}
nodes:
  - id: greet
    use: data.set@1
    name: Say hello
    with: {fields: {hello: "Hello {{ $inputs.name }} {{ $inputs.times }}"}}
"""
ASK = """\
pyagent: 1
id: ask
outputs: {done: "{{ $('done').first().json.ok }}"}
nodes:
  - {id: ask, use: flow.approve@1, with: {title: Keep it?}}
  - {id: done, use: data.set@1, with: {fields: {ok: true}}}
edges: [ask.approved -> done]
"""
WAIT = """\
pyagent: 1
id: wait
nodes:
  - {id: wait, use: flow.wait@1, with: {signal: go, key: k}}
"""
FAIL = """\
pyagent: 1
id: fail
inputs: {broken: {type: boolean, default: true}}
outputs: {done: "{{ $('end').first().json.ok }}"}
nodes:
  - {id: begin, use: data.set@1, with: {fields: {ok: true}}}
  - {id: check, use: flow.if@1, with: {when: "{{ $inputs.broken }}"}}
  - {id: fail, use: flow.fail@1, name: Give up, with: {message: It broke}}
  - {id: end, use: flow.noop@1}
edges: [begin -> check, check.true -> fail, check.false -> end]
"""
CALLER = """\
pyagent: 1
id: caller
settings: {on_failure: note}
nodes:
  - {id: call, use: flow.graph@1, with: {graph: note, wait: false}}
  - {id: fail, use: flow.fail@1, with: {message: no}}
edges: [call -> fail]
"""
NOTE = """\
pyagent: 1
id: note
nodes:
  - {id: note, use: flow.noop@1}
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """With graphs."""
    for text in (GREET, ASK, WAIT, FAIL, CALLER, NOTE):
        name = text.split("id: ")[1].split("\n")[0]
        (folder / f"{name}.yaml").write_text(text)
    return folder


def only_run(command: Command) -> dict[str, Any]:
    [run] = json.loads(command("runs", "--json")[1])
    return run


def test_a_run_that_completes_ends_with_0_and_shows_its_outputs(command: Command) -> None:
    code, out, _ = command("run", "greet", "--input", "name=Ada", "-i", "times=2")
    assert code == Exit.DONE
    assert "✓ Say hello" in out
    assert "Hello Ada 2" in out


def test_a_graph_is_found_by_path_too(command: Command) -> None:
    assert command("run", "./greet.yaml")[0] == Exit.DONE


def test_inputs_come_as_json_from_an_option_or_a_file(command: Command, folder: Path) -> None:
    (folder / "inputs.json").write_text('{"name": "Eve"}')
    assert "Hello Eve 1" in command("run", "greet", "--input-json", "@inputs.json")[1]
    assert "Hello 7 3" in command("run", "greet", "--input-json", '{"times": 3}', "--input", "name=7")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--input", "name"], "input.syntax"),
        (["--input", "times=many"], "input times: 'many' is not of type 'integer'"),
        (["--input", "nome=x"], "there is no input `nome`"),
        (["--input", "nome=x"], "Did you mean `name`? The graph greet takes: name, times."),
        (["--input-json", "[1]"], "input.syntax"),
        (["--input-json", "@nowhere.json"], "input.syntax"),
    ],
)
def test_inputs_that_do_not_fit_end_with_2_before_anything_starts(
    command: Command, arguments: list[str], said: str
) -> None:
    code, _, err = command("run", "greet", *arguments)
    assert code == Exit.USAGE
    assert said in err
    assert json.loads(command("runs", "--json")[1]) == []


def test_a_needed_input_that_is_not_given_is_named_with_how_to_give_it(command: Command, folder: Path) -> None:
    (folder / "needs.yaml").write_text(
        "pyagent: 1\nid: needs\ninputs: {file: {type: string}, to: {type: string}}\n"
        "nodes: [{id: a, use: flow.noop@1}]\n"
    )
    code, _, err = command("run", "needs", "--input", "to=x")
    assert code == Exit.USAGE
    assert "the input `file` is missing" in err
    assert "`--input file=…`" in err


def test_a_failed_run_ends_with_1_and_says_where_and_what_next(command: Command) -> None:
    code, out, _ = command("run", "fail")
    assert code == Exit.FAILED
    assert "node.failed: It broke" in out
    assert "node fail" in out
    assert f"pyagent resume {only_run(command)['id']}" in out


def test_a_graph_with_problems_ends_with_2_and_shows_every_line_in_question(command: Command, folder: Path) -> None:
    broken = GREET.replace("data.set@1", "data.sett@1").replace("$inputs.name", "$inputs.name +")
    (folder / "broken.yaml").write_text(broken.replace("id: greet\ninputs", "id: broken\ninputs"))
    code, _, err = command("run", "./broken.yaml")
    assert code == Exit.USAGE
    assert "graph.node.unknown_type" in err
    assert "Did you mean `data.set@1`?" in err
    assert "graph.expr.syntax" in err
    assert "use: data.sett@1" in err
    assert "^" in err


def test_a_file_that_does_not_fit_the_format_shows_all_that_is_wrong(command: Command, folder: Path) -> None:
    (folder / "bad.yaml").write_text("pyagent: 1\nid: bad\nnods: []\nnodes:\n  - {id: A, use: data.set@1}\n")
    code, _, err = command("run", "./bad.yaml")
    assert code == Exit.USAGE
    assert "bad.yaml:3" in err
    assert "bad.yaml:5" in err


@pytest.mark.parametrize(
    ("name", "code"), [("./nowhere.yaml", "graph.file"), ("nothing", "graph.not_found"), ("./notes.yaml", "graph.yaml")]
)
def test_a_graph_that_cannot_be_read_ends_with_2(command: Command, folder: Path, name: str, code: str) -> None:
    (folder / "notes.yaml").write_text("a: [")
    exit_code, _, err = command("run", name)
    assert exit_code == Exit.USAGE
    assert code in err


def test_a_graph_without_a_file_is_run_as_it_was_last_and_says_so(command: Command, folder: Path) -> None:
    command("run", "greet")
    (folder / "greet.yaml").unlink()
    code, _, err = command("run", "greet")
    assert code == Exit.DONE
    assert "The graph greet as it was run last; no file of it is in" in err


def test_graphs_are_checked_and_drawn_by_id_too(command: Command) -> None:
    assert command("graph", "check", "greet")[0] == Exit.DONE
    assert command("graph", "show", "greet")[0] == Exit.DONE
    code, out, _ = command("graph", "check", "nothing")
    assert code == Exit.FAILED
    assert "This command takes a file or the id of a graph in" in out


def test_a_step_inside_a_map_is_not_forked_and_the_hint_says_what_is(command: Command) -> None:
    command("run", "greet")
    code, _, err = command("fork", only_run(command)["id"], "each[0]/price")
    assert code == Exit.USAGE
    assert "fork the map's or the call's step" in err


def test_json_gives_one_event_a_line_and_the_run_at_the_end(command: Command) -> None:
    code, out, _ = command("run", "greet", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = [line["kind"] for line in lines[:-1]]
    assert code == Exit.DONE
    assert kinds[0] == "run.queued"
    assert kinds[-1] == "run.completed"
    assert [line["cursor"] for line in lines[:-1]] == sorted(line["cursor"] for line in lines[:-1])
    assert lines[-1]["run"]["outputs"] == {"hello": "Hello you 1"}


def test_with_json_an_error_is_json_too(command: Command) -> None:
    code, out, err = command("run", "nothing", "--json")
    assert code == Exit.USAGE
    assert json.loads(out)["error"]["code"] == "graph.not_found"
    assert err == ""


def test_a_run_that_needs_an_approval_ends_with_3_in_a_pipe_and_says_how(command: Command) -> None:
    code, out, _ = command("run", "ask")
    run = only_run(command)
    assert code == Exit.WAITING
    assert f"pyagent approve {run['id']} ask" in out
    assert run["status"] == "waiting"


def test_an_approved_run_is_finished_by_resume(command: Command) -> None:
    command("run", "ask")
    run = only_run(command)
    assert command("approve", run["id"], "--comment", "fine")[0] == Exit.DONE
    assert f"is answered; go on with pyagent resume {run['id']}" in command("show", run["id"])[1]
    code, out, _ = command("resume", run["id"])
    assert code == Exit.DONE
    assert "✓ completed" in out


def test_a_rejected_run_skips_what_needed_the_approval(command: Command) -> None:
    command("run", "ask")
    run = only_run(command)
    command("approve", run["id"], "ask", "--reject")
    assert command("resume", run["id"])[0] == Exit.DONE
    steps = {step["node"]: step["status"] for step in json.loads(command("show", run["id"], "--json")[1])["steps"]}
    assert steps == {"ask": "completed", "done": "skipped"}


def test_approving_what_does_not_wait_is_refused(command: Command) -> None:
    command("run", "greet")
    code, _, err = command("approve", only_run(command)["id"])
    assert code == Exit.USAGE
    assert "run.not_waiting" in err
    assert "has ended (completed): nothing in it waits" in err


def test_a_signal_wakes_the_run_that_waits_for_its_name_and_key(command: Command) -> None:
    code, out, _ = command("run", "wait")
    assert code == Exit.WAITING
    assert "pyagent signal go --key k" in out
    run = only_run(command)
    assert "it is kept until one does" in command("signal", "go", "--key", "other")[1]
    code, out, _ = command("signal", "go", "--key", "k", "--value", '{"a": 1}')
    assert code == Exit.DONE
    assert f"The run {run['id']} waits for it" in out
    assert "is answered" in command("show", run["id"])[1]
    assert command("resume", run["id"])[0] == Exit.DONE


def test_a_signal_to_a_run_that_has_ended_is_refused_and_says_so(command: Command) -> None:
    command("run", "wait")
    run = only_run(command)
    command("cancel", run["id"])
    code, out, err = command("signal", "go", "--key", "k", "--run", run["id"])
    assert (code, out) == (Exit.USAGE, "")
    assert "run.not_waiting" in err
    assert "has ended (cancelled): nothing in it waits for a signal" in err
    assert f"pyagent resume {run['id']}" in err


def test_a_run_with_a_priority_shows_it(command: Command) -> None:
    command("run", "greet")
    assert "priority" not in command("runs")[1]
    assert "priority" not in command("show", only_run(command)["id"])[1]
    command("run", "greet", "--priority", "7")
    run = json.loads(command("runs", "--json")[1])[0]
    assert run["priority"] == 7
    table = command("runs")[1].splitlines()
    assert "priority" in table[0]
    assert [line.split()[-1] for line in table[1:]] == ["7", "0"]
    assert "priority 7" in command("show", run["id"])[1]


def test_a_signal_whose_value_is_no_json_is_refused(command: Command) -> None:
    code, _, err = command("signal", "go", "--value", "{")
    assert code == Exit.USAGE
    assert "--value is no JSON" in err


def test_a_waiting_run_is_cancelled_at_once_and_shows_4(command: Command) -> None:
    command("run", "ask")
    run = only_run(command)
    assert command("cancel", run["id"], "--reason", "no time") == (Exit.DONE, f"{run['id']}: cancelled\n", "")
    code, out, _ = command("show", run["id"])
    assert code == Exit.CANCELLED
    assert "⊘ cancelled" in out


def test_cancelling_a_run_that_has_ended_says_so(command: Command) -> None:
    command("run", "greet")
    code, out, _ = command("cancel", only_run(command)["id"])
    assert code == Exit.DONE
    assert "has ended already: completed" in out


def test_a_paused_run_shows_3_and_goes_on_when_resumed(command: Command) -> None:
    command("run", "ask")
    run = only_run(command)
    assert "paused" in command("pause", run["id"])[1]
    assert command("show", run["id"])[0] == Exit.WAITING
    assert command("resume", run["id"])[0] == Exit.WAITING
    assert only_run(command)["status"] == "waiting"


def test_a_fork_runs_again_from_a_step_with_items_of_its_own(command: Command) -> None:
    command("run", "greet")
    run = only_run(command)
    code, out, _ = command("fork", run["id"], "greet", "--items", '[{"hello": "Hi"}]')
    assert code == Exit.DONE
    assert "hello  Hi" in out
    assert json.loads(command("runs", "--json")[1])[0]["forked_from"] == run["id"]


def test_a_fork_can_go_on_with_a_mended_graph(command: Command, folder: Path) -> None:
    command("run", "fail")
    run = only_run(command)
    (folder / "mended.yaml").write_text(
        FAIL.replace("flow.fail@1", "flow.noop@1").replace(", with: {message: It broke}", "")
    )
    assert command("fork", run["id"], "fail", "--graph", "./mended.yaml")[0] == Exit.DONE


def test_a_key_that_is_taken_is_refused_and_existing_finds_the_run(command: Command) -> None:
    command("run", "ask", "--key", "one")
    code, _, err = command("run", "ask", "--key", "one")
    assert code == Exit.USAGE
    assert "store.key_taken" in err
    assert command("run", "ask", "--key", "one", "--on-key", "existing")[0] == Exit.WAITING
    assert len(json.loads(command("runs", "--json")[1])) == 1


def test_runs_that_a_run_starts_are_executed_too(command: Command) -> None:
    code, out, _ = command("run", "caller")
    assert code == Exit.FAILED
    assert out.count("It has started note") == 2
    runs = json.loads(command("runs", "--json")[1])
    assert sorted((run["graph"], run["status"]) for run in runs) == [
        ("caller", "failed"),
        ("note", "completed"),
        ("note", "completed"),
    ]


def test_an_input_that_needs_consent_is_refused_in_a_pipe_without_yes(command: Command, folder: Path) -> None:
    (folder / "trust.yaml").write_text(
        GREET.replace("id: greet\ninputs", "id: trust\ninputs").replace(
            "default: you", "default: you, consent: it acts."
        )
    )
    assert command("run", "trust")[0] == Exit.DONE, "the author vouches for the default"
    code, _, err = command("run", "trust", "-i", "name=Mallory")
    assert code == Exit.USAGE
    assert "name = Mallory: it acts." in err
    assert "--yes" in err
    assert command("run", "trust", "-i", "name=Mallory", "--yes")[0] == Exit.DONE


def test_a_run_is_found_by_the_beginning_of_its_id(command: Command) -> None:
    command("run", "greet")
    run = only_run(command)
    assert run["id"] in command("show", run["id"][:12])[1]
    _, _, err = command("show", run["id"][:4])
    assert "Give at least 6 characters" in err
    assert run["id"] in err
    code, _, err = command("show", "zzzzzzzz")
    assert code == Exit.USAGE
    assert "not_found" in err


def test_show_lists_steps_and_its_log_every_event(command: Command) -> None:
    command("run", "fail")
    run = only_run(command)["id"]
    code, out, _ = command("show", run)
    assert code == Exit.FAILED
    assert "✗ Give up" in out
    assert "– end" in out
    log = command("show", run, "--log")[1]
    assert "step.failed  Give up" in log


def test_runs_can_be_filtered_and_paged(command: Command) -> None:
    for graph in ("greet", "fail", "greet"):
        command("run", graph)
    found = json.loads(command("runs", "--json", "--graph", "greet")[1])
    assert [run["graph"] for run in found] == ["greet", "greet"]
    older = json.loads(command("runs", "--json", "--before", found[0]["id"])[1])
    assert [run["graph"] for run in older] == ["fail", "greet"]
    assert [run["graph"] for run in json.loads(command("runs", "--json", "--status", "failed")[1])] == ["fail"]
    code, _, err = command("runs", "--status", "sleeping")
    assert code == Exit.USAGE
    assert "queued" in err


def test_a_store_that_cannot_be_opened_ends_with_5(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("no folder")
    monkeypatch.setenv("PYAGENT_STORE", str(folder / "file" / "store.db"))
    code, _, err = command("runs")
    assert code == Exit.STORE
    assert "hint" in err


@pytest.mark.parametrize("arguments", [["frobnicate"], ["run"], ["run", "greet", "--nothing"], ["runs", "-n", "0"]])
def test_a_command_line_that_does_not_parse_ends_with_2(command: Command, arguments: list[str]) -> None:
    assert command(*arguments)[0] == Exit.USAGE


def test_an_error_that_nobody_meant_is_told_without_a_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(**_: Any) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("pyagent.cli.runs.list_runs", broken)
    code, _, err = command("runs")
    assert code == Exit.FAILED
    assert "internal" in err
    assert "PYAGENT_DEBUG=1" in err
