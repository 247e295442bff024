"""Programs and shell scripts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from marked_processes import have_ended, marked
from pyagent.runtime.checking import GraphChecker
from pyagent.sdk import BlobRef, Item, NodeCancelled, NodeError, NodeTimeout, Registry
from pyagent.testing import TestCancelToken, TestContext, run_node
from pyagent_nodes.code.shell import shell

NASTY = "$(touch hacked); `id` && \"quotes' \\ * ü\n--help"


async def run(params, items=({"n": 1}, {"n": 2}), **options):
    return await run_node(shell, items, {"script": params} if isinstance(params, str) else params, **options)


async def failure(params, **options) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await run(params, **options)
    assert caught.value.hint
    return caught.value


def test_it_is_found_by_its_name_and_is_never_repeated_unasked():
    found = Registry({"code": "pyagent_nodes.code"}).get("code.shell")
    assert found is not None
    assert found.effects_for(None) == "once"


async def test_a_program_gets_its_arguments_as_they_are(tmp_path: Path):
    done = await run({"command": ["printf", "%s", NASTY]}, work_dir=tmp_path)
    assert done.json() == [{"exit_code": 0, "stdout": NASTY}]
    assert done.sources() == [[0, 1]]
    assert list(tmp_path.iterdir()) == []


async def test_a_script_gets_values_as_variables_and_arguments_and_never_as_text(tmp_path: Path):
    params = {"script": 'printf "%s|%s|%s" "$VALUE" "$1" "$#"', "env": {"VALUE": NASTY}, "args": [NASTY]}
    done = await run(params, work_dir=tmp_path)
    assert done.json()[0]["stdout"] == f"{NASTY}|{NASTY}|1"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["echo {{ $json.name }}", "echo '{{$('x').first()}}'", "rm {{ $inputs.path }}"])
async def test_an_expression_in_a_script_is_refused_with_the_way_out(script):
    with pytest.raises(ValidationError, match="Give it a name in `env`"):
        await run(script)


def test_graph_check_shows_where_an_expression_stands_in_a_script_and_leaves_other_templates_alone():
    graph = """
pyagent: 1
id: scripts
nodes:
  - id: text
    use: data.template@1
    with: {template: "{{ name | upcase }}{% if a == 'x:' %}{% endif %}"}
  - id: shell
    use: code.shell@1
    with:
      script: echo {{ $json.name }}
edges:
  - text -> shell
"""
    [problem] = GraphChecker().check_text(graph)
    assert problem.code == "graph.param.invalid"
    assert "data must not become program text" in problem.message
    assert problem.where.line == 11


async def test_braces_that_are_no_expression_are_the_shell_s():
    assert (await run({"script": "echo {{a,b},c} ${#}", "shell": "bash"})).json()[0]["stdout"] == "a b c 0"


async def test_it_starts_in_the_run_s_directory_with_a_clean_environment(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SECRET", "hush")
    (tmp_path / "sub").mkdir()
    params = {"command": ["env"], "env": {"MINE": 1, "YES": True}, "as": "lines", "cwd": "sub"}
    [made] = (await run(params, work_dir=tmp_path)).json()
    assert {"MINE=1", "YES=true"} <= set(made["stdout"])
    assert not any("hush" in line for line in made["stdout"])
    [made] = (await run({"command": ["pwd"], "cwd": "sub"}, work_dir=tmp_path)).json()
    assert made["stdout"] == str(tmp_path / "sub")


@pytest.mark.parametrize(
    ("stdin", "mode", "expected"),
    [
        ("none", "all", [""]),
        ("json", "all", ['[{"ü": 1}, {"ü": null}]']),
        ("lines", "all", ['{"ü": 1}\n{"ü": null}']),
        ("json", "each", ['{"ü": 1}', '{"ü": null}']),
        ("lines", "each", ['{"ü": 1}', '{"ü": null}']),
    ],
)
async def test_items_can_be_read_from_stdin(stdin, mode, expected):
    done = await run({"command": ["cat"], "stdin": stdin, "mode": mode}, [{"ü": 1}, {"ü": None}])
    assert [json["stdout"] for json in done.json()] == expected


async def test_text_can_be_read_from_stdin():
    done = await run({"command": ["wc", "-c"], "stdin": "text", "text": "äb\ud83d"})
    assert done.json()[0]["stdout"].strip() == "4"


async def test_each_item_has_a_run_of_its_own_and_keeps_its_fields_lineage_and_binaries():
    file = BlobRef("0" * 64, 1)
    done = await run_node(
        shell,
        [Item({"n": 1}, {"f": file}), {"n": 2}],
        lambda json, _: {"command": ["echo", str(json["n"] * 2)], "mode": "each", "into": "o.out"},
    )
    assert done.json() == [{"n": 1, "exit_code": 0, "o": {"out": "2"}}, {"n": 2, "exit_code": 0, "o": {"out": "4"}}]
    assert done.sources() == [[0], [1]]
    assert done.outputs["out"][0].binary == {"f": file}


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("text", "a\n\n", [{"exit_code": 0, "stdout": "a"}]),
        ("lines", "a\n\nb\n", [{"exit_code": 0, "stdout": ["a", "", "b"]}]),
        ("json", '[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("json", '{"a": 1}', [{"exit_code": 0, "stdout": {"a": 1}}]),
        ("json", "5", [{"exit_code": 0, "stdout": 5}]),
        ("json", "[]", []),
        ("json_lines", '{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("none", "a", [{"exit_code": 0}]),
    ],
)
async def test_what_it_writes_becomes_items(form, text, expected):
    done = await run({"command": ["printf", "%s", text], "as": form})
    assert [item.json for item in done.outputs.get("out", ())] == expected


async def test_what_it_writes_may_become_a_binary():
    params = {"script": r"printf '\377\000'", "as": "binary", "into": "raw", "file_name": "x.bin"}
    done = await run(params)
    binary = done.outputs["out"][0].binary
    assert binary is not None
    assert binary["raw"].name == "x.bin"
    assert await done.context.blobs.get(binary["raw"]) == b"\xff\0"


@pytest.mark.parametrize("text", ["{", '{"a": NaN}', "{}\nx"])
async def test_what_is_not_json_is_an_error(text):
    error = await failure({"command": ["printf", "%s", text], "as": "json_lines"})
    assert error.code == "node.shell_json"


async def test_stderr_becomes_log_lines_and_the_message_of_a_failure():
    done = await run("echo 'zeile ü' >&2; echo out")
    assert [line["message"] for line in done.logs] == ["zeile ü"]
    error = await failure("echo first >&2; echo last >&2; exit 3")
    assert error.code == "node.shell_failed"
    assert error.message == "the command ended with exit code 3: last"
    assert error.details["exit_code"] == 3


async def test_some_exit_codes_may_be_no_failure():
    done = await run({"command": ["sh", "-c", "exit 3"], "success": [0, 3]})
    assert done.json() == [{"exit_code": 3, "stdout": ""}]
    assert (await failure({"command": ["true"], "success": [1]})).code == "node.shell_failed"


@pytest.mark.parametrize("script", ["false; echo on", 'echo "$UNSET"'])
async def test_a_script_stops_at_its_first_failure_and_at_variables_that_are_not_set(script):
    assert (await failure(script)).code == "node.shell_failed"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
async def test_bash_sees_failures_inside_pipes():
    assert (await failure({"script": "false | cat", "shell": "bash"})).code == "node.shell_failed"


async def test_a_command_that_runs_too_long_is_killed():
    with pytest.raises(NodeTimeout, match="longer than"):
        await run({"command": ["sleep", "600"], "timeout": "200ms"})


async def test_a_command_that_writes_too_much_fails():
    error = await failure({"command": ["head", "-c", "100000", "/dev/zero"], "max_output": "10 KB"})
    assert error.code == "node.shell_output"


async def test_a_command_that_writes_for_ever_is_ended_when_it_has_written_too_much():
    error = await failure({"script": "yes", "max_output": "10 KB", "timeout": "1h"})
    assert (error.code, "more than" in error.message) == ("node.shell_output", True)


async def test_what_nobody_reads_may_be_as_much_as_it_likes():
    done = await run({"script": "head -c 100000 /dev/zero", "max_output": "10 KB", "as": "none"})
    assert done.json() == [{"exit_code": 0}]


async def test_arguments_may_be_numbers():
    done = await run({"script": 'printf "%s|" "$@"', "args": ["01", 2, 2.5, True]})
    assert done.json()[0]["stdout"] == "01|2|2.5|true|"


async def test_limits_hold_for_the_command():
    error = await failure({"script": "head -c 100000 /dev/zero > f", "file_size": "10 KB"})
    assert error.code == "node.shell_failed"


async def test_a_program_that_does_not_exist_is_named():
    error = await failure({"command": ["/no/such/program"]})
    assert error.code == "node.process_not_found"
    assert "/no/such/program" in error.message


async def test_a_cancel_kills_the_command_and_what_it_started():
    token = TestCancelToken()
    found: dict[int, int] = {}

    class Watching(TestContext):
        def log(self, message, **options):
            found.update(marked("600.0418"))
            token.trigger()

    with pytest.raises(NodeCancelled):
        await run("sleep 600.0418 & echo up >&2; wait", context=Watching, cancel=token)
    assert len(found) == 2  # the shell's script names it, too
    assert have_ended(found)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"command": ["a"], "script": "b"},
        {"command": ["a"], "args": ["b"]},
        {"command": ["a"], "text": "b"},
        {"command": ["a"], "env": {"A B": "c"}},
        {"command": ["a"], "env": {"1A": "c"}},
        {"command": ["a"], "success": []},
    ],
)
async def test_parameters_that_do_not_fit_are_refused(params):
    with pytest.raises(ValidationError):
        await run(params)
