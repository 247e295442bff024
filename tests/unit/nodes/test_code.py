"""Python code in a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import ValidationError

from marked_processes import have_ended, marked
from pyagent.sdk import BlobRef, Item, NodeCancelled, NodeError, NodeTimeout, Registry
from pyagent.testing import TestCancelToken, TestContext, run_node
from pyagent_nodes.code.python import python


async def run(code: str, items=({"n": 1}, {"n": 2}), **options):
    params = {"code": dedent(code), **options.pop("params", {})}
    return await run_node(python, items, params, **options)


async def failure(code: str, **options) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await run(code, **options)
    assert caught.value.hint
    return caught.value


def test_it_is_found_by_its_name_and_is_never_repeated_unasked():
    found = Registry({"code": "pyagent_nodes.code"}).get("code.python")
    assert found is not None
    assert found.effects_for(None) == "once"
    for field in found.params.model_fields.values():
        assert field.description


async def test_all_items_go_in_and_new_ones_come_out():
    done = await run("return [{'sum': sum(item['n'] for item in items), 'ü': '😀'}]")
    assert done.json() == [{"sum": 3, "ü": "😀"}]


async def test_as_many_items_out_as_in_keep_their_lineage():
    done = await run("return [{'n': item['n'] + 1} for item in items]")
    assert done.json() == [{"n": 2}, {"n": 3}]
    assert done.sources() == [[0], [1]]


async def test_one_object_nothing_or_a_generator_may_be_returned():
    assert (await run("return {'a': 1}")).json() == [{"a": 1}]
    assert (await run("pass")).outputs == {}
    assert (await run("# only a comment")).outputs == {}
    assert (await run("yield {'a': 1}\nyield {'a': 2}")).json() == [{"a": 1}, {"a": 2}]


async def test_each_item_may_become_one_none_or_several_that_come_from_it_and_keep_binaries():
    file = BlobRef("0" * 64, 1)
    done = await run(
        """
        if item["n"] == 1:
            return None
        if item["n"] == 2:
            return [{"a": 1}, {"a": 2}]
        return {"a": 3}
        """,
        [{"n": 1}, Item({"n": 2}, {"f": file}), {"n": 3}],
        params={"mode": "each"},
    )
    assert done.json() == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert done.sources() == [[1], [1], [2]]
    assert done.outputs["out"][0].binary == {"f": file}


async def test_it_sees_inputs_and_state_and_functions_see_imports():
    code = """
    import math
    def area(r):
        return math.floor(math.pi * r * r)
    return {"area": area(inputs["r"]), "seen": state["seen"]}
    """
    assert (await run(code, inputs={"r": 2}, state={"seen": [1]})).json() == [{"area": 12, "seen": [1]}]


async def test_what_it_prints_becomes_log_lines_and_never_the_result():
    done = await run(
        """
        import os, sys
        print("zeile ü")
        print("to stderr", file=sys.stderr)
        os.system("echo from a child")
        return {"a": 1}
        """
    )
    assert [line["message"] for line in done.logs] == ["zeile ü", "to stderr", "from a child"]
    assert done.json() == [{"a": 1}]


async def test_it_starts_in_the_run_s_directory_with_a_clean_environment(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SECRET", "hush")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    code = "import os, sys\nreturn {'cwd': os.getcwd(), 'env': dict(os.environ), 'path': sys.path}"
    [found] = (await run(code, work_dir=tmp_path, params={"env": {"MINE": "1"}})).json()
    assert found["cwd"] == str(tmp_path)
    assert found["env"]["MINE"] == "1"
    assert "SECRET" not in found["env"]
    assert "/nowhere" not in found["path"]


async def test_errors_show_the_line_of_the_code():
    error = await failure("x = 1\n\ny = x / 0")
    assert error.code == "node.code_failed"
    assert error.message == "ZeroDivisionError: division by zero (line 3)"
    assert error.details["line"] == 3
    assert error.details["trace"].startswith('Traceback (most recent call last):\n  File "<code>", line 3')


async def test_in_each_mode_errors_show_the_item_too():
    error = await failure("return {'a': 1 / (item['n'] - 2)}", params={"mode": "each"})
    assert error.message == "ZeroDivisionError: division by zero (line 1, item 1)"


async def test_an_error_inside_a_library_shows_the_line_that_called_it():
    error = await failure("import json\n\njson.loads('{')")
    assert error.details["line"] == 3


async def test_a_syntax_error_shows_its_line_and_no_frames_of_ours():
    error = await failure("a = 1\nb = (")
    assert error.message == "SyntaxError: '(' was never closed (line 2)"
    assert "_harness" not in error.details["trace"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return 5", "returned int where a JSON object goes"),
        ("return 'text'", "returned str"),
        ("return [{}, 5]", r"returned int where a JSON object goes \(item 1\)"),
        ("return {'a': {1, 2}}", "TypeError: Object of type set is not JSON serializable"),
        ("return {'a': float('nan')}", "ValueError: Out of range float"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("input()", "EOFError"),
    ],
)
async def test_what_is_no_result_is_an_error_that_says_why(code, message):
    with pytest.raises(NodeError, match=message):
        await run(code)


async def test_code_that_ends_its_process_is_reported():
    error = await failure("import os, sys\nprint('last words', flush=True)\nos._exit(3)")
    assert error.code == "node.code_died"
    assert "exit code 3" in error.message
    assert error.details["stderr"] == "last words\n"


async def test_endless_code_is_killed_at_its_timeout():
    with pytest.raises(NodeTimeout, match="longer than"):
        await run("import time\nwhile True: time.sleep(1)", params={"timeout": "300ms"})


async def test_code_that_computes_too_long_is_killed():
    error = await failure("while True: pass", params={"cpu": "1s"})
    assert error.code == "node.code_died"
    assert "`cpu`" in error.hint


async def test_code_that_wants_too_much_memory_fails_with_a_hint():
    error = await failure("x = bytearray(10**9)", params={"memory": "300 MiB"})
    assert error.details["type"] == "MemoryError"
    assert "`memory`" in error.hint


async def test_code_that_writes_too_much_fails():
    error = await failure("with open('f', 'wb') as f: f.write(bytes(10**6))", params={"file_size": "10 KB"})
    assert "File too large" in error.message


async def test_a_result_that_is_too_large_is_an_error():
    assert (await failure("return {'a': 'x' * 100_000}", params={"max_output": "10 KB"})).code == "node.code_output"


async def test_a_cancel_kills_the_code_and_what_it_started(tmp_path: Path):
    token = TestCancelToken()
    found: dict[int, int] = {}

    class Watching(TestContext):
        def log(self, message, **options):
            found.update(marked("600.0417"))
            token.trigger()

    code = """
    import subprocess
    child = subprocess.Popen(["sh", "-c", "echo up; exec sleep 600.0417"], start_new_session=True)
    child.wait()
    """
    with pytest.raises(NodeCancelled):
        await run(code, context=Watching, cancel=token, work_dir=tmp_path)
    assert len(found) == 1
    assert have_ended(found)


async def test_a_thread_left_running_does_not_hold_up_the_step():
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\nreturn {'a': 1}"
    async with asyncio.timeout(20):
        assert (await run(code)).json() == [{"a": 1}]


async def test_many_items_pass_in_both_directions():
    many = [{"n": number, "text": "ü" * 50} for number in range(20_000)]
    done = await run("return items", many)
    assert done.json() == many
    assert done.sources()[-1] == [19_999]


async def test_without_items_it_is_called_once_in_mode_all_and_never_in_mode_each():
    assert (await run("return {'count': len(items)}", [])).json() == [{"count": 0}]
    assert (await run("return {'a': 1}", [], params={"mode": "each"})).outputs == {}


async def test_an_interpreter_that_does_not_exist_is_named():
    error = await failure("pass", params={"python": "/no/python"})
    assert error.code == "node.process_not_found"


@pytest.mark.parametrize("params", [{"code": ""}, {"mode": "some"}, {"timeout": "soon"}, {"memory": "lots"}])
async def test_bad_parameters_are_refused(params):
    with pytest.raises(ValidationError):
        await run("pass", params=params)
