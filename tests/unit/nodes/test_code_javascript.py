"""JavaScript in the expression engine."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from textwrap import dedent

import pytest
from pydantic import ValidationError

from pyagent.runtime import expression_process, script
from pyagent.runtime.engine import Engine
from pyagent.sdk import BlobRef, Item, NodeCancelled, NodeError, Registry
from pyagent.testing import MemoryStore, TestCancelToken, TestContext, run_node
from pyagent_nodes.code.javascript import javascript


async def run(code: str, items=({"n": 1}, {"n": 2}), **options):
    params = {"code": dedent(code), **options.pop("params", {})}
    return await run_node(javascript, items, params, **options)


async def each(code: str, items=({"n": 1}, {"n": 2}), **options):
    return await run(code, items, params={"mode": "each"}, **options)


async def failure(code: str, **options) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await run(code, **options)
    assert caught.value.hint
    return caught.value


def test_it_is_found_by_its_name_and_has_no_effects():
    found = Registry({"code": "pyagent_nodes.code"}).get("code.javascript")
    assert found is not None
    assert found.effects_for(None) == "none"


async def test_all_items_go_in_and_new_ones_come_out():
    done = await run("return [{sum: items.reduce((sum, item) => sum + item.n, 0), 'ü': '😀'}]")
    assert done.json() == [{"sum": 3, "ü": "😀"}]


async def test_as_many_items_out_as_in_keep_their_lineage():
    done = await run("return items.map(({n}) => ({n: n + 1}))")
    assert done.json() == [{"n": 2}, {"n": 3}]
    assert done.sources() == [[0], [1]]


async def test_one_object_or_nothing_may_be_returned():
    assert (await run("return {a: 1, gone: undefined, nan: NaN}")).json() == [{"a": 1, "nan": None}]
    assert (await run("// only a comment")).outputs == {}
    assert (await run("return null")).outputs == {}


async def test_programs_written_for_n8n_run():
    code = """
        const items = $input.all();
        for (const item of items) {
          item.json.double = item.json.n * 2;
        }
        return items;
    """
    assert (await run(code)).json() == [{"n": 1, "double": 2}, {"n": 2, "double": 4}]
    code = "return [{json: {first: $input.first().json.n, last: $input.last().json.n}, pairedItem: 0}]"
    assert (await run(code)).json() == [{"first": 1, "last": 2}]
    assert (await each("$input.item.json.x = $itemIndex; return $input.item")).json() == [
        {"n": 1, "x": 0},
        {"n": 2, "x": 1},
    ]


async def test_an_object_with_more_than_n8n_s_fields_is_data():
    assert (await run("return {json: {a: 1}, other: 2}")).json() == [{"json": {"a": 1}, "other": 2}]
    assert (await run("return {json: 'text'}")).json() == [{"json": "text"}]


async def test_each_item_may_become_one_none_or_several_that_come_from_it_and_keep_binaries():
    file = BlobRef("0" * 64, 1)
    done = await each(
        "return item.n === 1 ? null : item.n === 2 ? [{a: 1}, {a: $binary.f.size}] : $json",
        [{"n": 1}, Item({"n": 2}, {"f": file}), {"n": 3}],
    )
    assert done.json() == [{"a": 1}, {"a": 1}, {"n": 3}]
    assert done.sources() == [[1], [1], [2]]
    assert done.outputs["out"][0].binary == {"f": file}


async def test_one_run_can_leave_nothing_behind_for_the_next():
    for code in ("globalThis.seen = 1", "Array.prototype.seen = 1", "console.seen = 1", "seen = 1"):
        assert (await failure(code)).code == "node.code_failed"


async def test_it_sees_what_expressions_see():
    done = await run(
        "return {i: $inputs.a, s: $state.b, j: $json.n, p: $input.all('in').length}", inputs={"a": 1}, state={"b": [2]}
    )
    assert done.json() == [{"i": 1, "s": [2], "j": 1, "p": 2}]


async def test_the_clock_and_chance_are_the_step_s_so_that_it_gives_the_same_again():
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    code = "return {t: Date.now(), d: new Date().toISOString(), l: $now.toISO(), r: Math.random()}"
    first, second = (await run(code, now=now)).json(), (await run(code, now=now)).json()
    assert first == second
    assert first[0]["t"] == now.timestamp() * 1000
    assert first[0]["d"] == first[0]["l"].replace("+00:00", "Z") == "2026-01-02T03:04:05.000Z"


async def test_what_it_logs_becomes_log_lines():
    done = await run("console.log('zeile ü', {a: [1]}, null, undefined, 1.5, new Error('x')); console.warn('w')")
    assert done.logs == [
        {"message": 'zeile ü {"a":[1]} null undefined 1.5 Error: x', "level": "info"},
        {"message": "w", "level": "warning"},
    ]


async def test_lines_are_limited_and_those_before_an_error_are_kept():
    done = await run("for (let i = 0; i < 5000; i++) console.log(i)")
    assert len(done.logs) == 1001
    assert "left out" in done.logs[-1]["message"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("const x = 1;\n\nthrow new Error('boom ü')", "boom ü (line 3)"),
        ("const x = {};\n  x.a.b", "cannot read property 'b' of undefined (line 2)"),
        ("null.x", "cannot read property 'x' of null (line 1)"),
        ("const a = (", "the code is not complete, or has a bracket too many (line 1)"),
        ("if (1) {\n  return 1", "the code is not complete, or has a bracket too many (line 2)"),
        ("return 1 }", "the code is not complete, or has a bracket too many (line 1)"),
        ("\nreturn require('fs')", "require is not defined (line 2)"),
        ("throw 'text'", 'the code threw "text"'),
    ],
)
async def test_errors_show_the_line_of_the_code(code, message):
    error = await failure(code)
    assert error.code == "node.code_failed"
    assert error.message == message


async def test_in_each_mode_errors_show_the_item_too():
    error = await failure("if (item.n === 2) throw new Error('no')", params={"mode": "each"})
    assert error.message == "no (line 1, item 1)"
    assert error.details == {"line": 1, "item": 1}


@pytest.mark.parametrize(
    "code", ["return eval('1')", "return Function('1')()", "return fetch('x')", "return import('fs')"]
)
async def test_it_can_only_compute(code):
    await failure(code)


async def test_waiting_for_promises_is_refused_with_a_hint():
    error = await failure("return await fetch('https://example.org')")
    assert "io.http" in error.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return 5", "returned a number where a JSON object goes"),
        ("return 'text'", "returned text"),
        ("return [{}, [1]]", r"returned a list where a JSON object goes \(item 1\)"),
        ("return {a: 10n}", "BigInt"),
        ("const a = {}; a.a = a; return a", "refers to itself"),
        ("return () => 1", "function"),
    ],
)
async def test_what_is_no_result_is_an_error_that_says_why(code, message):
    with pytest.raises(NodeError, match=message):
        await run(code)


async def test_endless_code_is_stopped_and_so_is_code_that_takes_all_memory():
    assert (await failure("while (true) {}", params={"timeout": "100ms"})).code == "node.timeout"
    code = "const a = []; while (true) a.push('x'.repeat(1000) + a.length)"
    error = await failure(code, params={"memory": "8 MiB"})
    assert error.code == "node.code_memory"
    assert "`memory`" in error.hint


LOOP = "while (true) {}"
# A comparison of texts of half a gigabyte, again and again: QuickJS would ask whether to go on after thousands of them.
NATIVE = "let s = 'x'.repeat(9000); for (let i = 0; i < 16; i++) s += s; while (true) s + 'a' === s + 'b'"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Those that are started for scripts from now on."""
    started: list[subprocess.Popen[bytes]] = []

    class Remembered(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    expression_process.end_processes()
    monkeypatch.setattr(expression_process.subprocess, "Popen", Remembered)
    return started


async def test_a_native_call_that_never_asks_is_stopped_in_time_and_the_next_code_runs():
    error = await failure(NATIVE, params={"timeout": "200ms"})
    assert error.code == "node.timeout"
    assert (await run("return {a: 1}")).json() == [{"a": 1}]


@pytest.mark.parametrize("mode", ["all", "each"])
@pytest.mark.parametrize("code", [LOOP, NATIVE], ids=["loop", "native"])
async def test_a_cancel_stops_the_code_and_leaves_no_process_computing(mode, code, processes):
    token = TestCancelToken()

    class Watching(TestContext):
        def log(self, message, **options):
            token.trigger()

    with pytest.raises(NodeCancelled):
        await run(
            f"console.log('here'); {code}",
            context=Watching,
            cancel=token,
            params={"timeout": "10m", "mode": mode},
        )
    assert [process.poll() for process in processes] == [-signal.SIGKILL]


@pytest.mark.parametrize("code", [LOOP, NATIVE], ids=["loop", "native"])
async def test_a_server_answers_while_code_runs_that_only_its_end_stops(code, processes):
    started = asyncio.Event()

    class Watching(TestContext):
        def log(self, message, **options):
            started.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    params = {"timeout": "10m"}
    task = asyncio.create_task(run(f"console.log('here'); {code}", context=Watching, params=params))
    await started.wait()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"there?\n")
        assert await reader.readline() == b"there?\n"
        writer.close()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [process.poll() for process in processes] == [-signal.SIGKILL]


async def test_code_that_waits_for_its_turn_does_not_begin_once_it_is_cancelled(monkeypatch, processes):
    monkeypatch.setattr(script, "_threads", cache(lambda: ThreadPoolExecutor(max_workers=1)))
    begun = asyncio.Event()

    class Watching(TestContext):
        def log(self, message, **options):
            begun.set()

    first = asyncio.create_task(run(f"console.log('here'); {LOOP}", context=Watching, params={"timeout": "10m"}))
    await begun.wait()
    token = TestCancelToken()
    token.trigger()
    with pytest.raises(NodeCancelled):
        await run(LOOP, cancel=token, params={"timeout": "10m"})
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(processes) == 1


async def test_each_item_reads_for_itself_and_an_error_names_its_item_however_many_went_together():
    many = [{"n": number, "text": "x" * (900_000 if 200 <= number < 206 else 10)} for number in range(420)]
    assert [item["n"] for item in (await each("return {n: $input.item.json.n}", many)).json()] == list(range(420))
    for wrong in (0, 199, 205, 206, 419):
        code = f"if (item.n === {wrong}) throw new Error('no'); return {{}}"
        error = await failure(code, items=many, params={"mode": "each"})
        assert error.details == {"line": 1, "item": wrong}


async def test_huge_numbers_are_as_in_javascript_and_unicode_survives():
    done = await run("return {text: items[0].text, n: items[0].n}", [{"text": "a\u2028😀\ud83d", "n": 2**53 + 1}])
    assert done.json() == [{"text": "a\u2028😀\ud83d", "n": 2**53}]


async def test_many_items_pass_in_both_directions():
    many = [{"n": number, "text": "ü" * 50} for number in range(10_000)]
    assert (await run("return items", many)).json() == many
    assert (await each("return item", many)).sources()[-1] == [9_999]


async def test_without_items_it_is_called_once_in_mode_all_and_never_in_mode_each():
    assert (await run("return {count: items.length}", [])).json() == [{"count": 0}]
    assert (await each("return {a: 1}", [])).outputs == {}
    with pytest.raises(NodeError):
        await each("return (", [])


@pytest.mark.parametrize("params", [{"code": ""}, {"mode": "some"}, {"timeout": "soon"}, {"memory": "1 KiB"}])
async def test_bad_parameters_are_refused(params):
    with pytest.raises(ValidationError):
        await run("return {}", params=params)


async def test_in_a_graph_it_reads_other_nodes_in_the_graph_s_time_zone():
    graph = """
pyagent: 1
id: script
outputs: {made: "{{ $('code').all().map(item => item.json) }}"}
settings: {timezone: Europe/Berlin}
nodes:
  - id: split
    use: data.split@1
    with: {field: l}
  - id: code
    use: code.javascript@1
    with:
      mode: each
      code: |
        const hour = new Date(0).getHours();
        return { x: item.x, own: $('split').item.json.x, all: $('split').all().length, hour, open: '{{' };
edges:
  - split -> code
"""
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    done = await engine.run(graph, {"l": [{"x": 1}, {"x": 2}]})
    assert done.status == "completed", done.error
    assert await engine.outputs(done.id) == {
        "made": [{"x": x, "own": x, "all": 2, "hour": 1, "open": "{{"} for x in (1, 2)]
    }
