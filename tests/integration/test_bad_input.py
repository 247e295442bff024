"""Whatever goes in, a command ends with a code, a hint and a documented exit code, keeps its run, and leaves nothing.

Bad graphs, inputs, stores, disks, terminals and programs, and signals at any moment.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from programs.attacked import ESCAPE, Ended, User
from pyagent.cli.commands import run as pyagent

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PIPELINE = str(ROOT / "graphs" / "code_test_audit_docs.yaml")
GOOD = """\
pyagent: 1
id: good
nodes:
  - id: a
    use: data.set@1
    with: {fields: {x: 1}}
outputs: {x: "{{ $('a').first().json.x }}"}
"""
DECLARED = GOOD + "inputs: {n: {type: integer, minimum: 1, default: 1}, big: {type: object, default: {}}}\n"
ASKS = """\
pyagent: 1
id: asks
nodes:
  - {id: ask, use: flow.approve@1, with: {title: Go on?}}
  - {id: then, use: flow.noop@1}
edges: [ask.approved -> then]
"""
# Children that detach themselves, ignore SIGTERM, and would stay for ten minutes.
BUSY = """\
pyagent: 1
id: busy
nodes:
  - id: one
    use: code.python@1
    effects: idempotent
    with: &work
      code: |
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
        open("mark", "w").write(inputs.get("marks", ""))
        time.sleep(0.25)
        return [{"ok": True}]
  - {id: two, use: code.python@1, effects: idempotent, with: *work}
  - {id: three, use: code.python@1, effects: idempotent, with: *work}
edges: [one -> two, one -> three]
outputs: {ok: "{{ $('two').first().json.ok && $('three').first().json.ok }}"}
"""


def python(code: str, **parameters: object) -> str:
    """A graph of one `code.python` node."""
    given = {"code": code, **parameters}
    node = {"id": "a", "use": "code.python@1", "effects": "idempotent", "with": given}
    return json.dumps({"pyagent": 1, "id": "py", "nodes": [node]})


def aliases() -> str:
    """Nine references to nine references to …: 3 billion values in a few lines."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]" for last, name in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    return "\n".join(lines)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """A user; at the end nothing of theirs runs and no work tree is there, whatever happened."""
    made = User(tmp_path / "home")
    yield made
    try:
        made.nothing_left()
    finally:
        for process in made.processes():
            process.kill()


Command = Callable[..., Ended]


@pytest.fixture
def command(user: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command in this process, for what is refused at once: much faster than a process each."""
    for name, value in user.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(user.home)

    def run(*arguments: str, **more: str) -> Ended:
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        code = pyagent(arguments)
        found = capsys.readouterr()
        return Ended(code=code, out=found.out, err=found.err)

    return run


# -- graph files --------------------------------------------------------------------------------------------------

BAD_GRAPHS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "graph.yaml"),
    "not YAML": ("a: [1, 2\nb: }", "graph.yaml"),
    "binary": (bytes(range(256)) * 10, "graph.yaml"),
    "Latin-1": (GOOD.replace("id: good", "id: good\nname: caf\xe9").encode("latin-1"), "graph.yaml"),
    "UTF-16": (GOOD.encode("utf-16"), "graph.yaml"),
    "a list": ("- 1\n- 2\n", "graph.yaml"),
    "two documents": (GOOD + "---\n" + GOOD, "graph.yaml"),
    "a Python object": (GOOD.replace("{x: 1}", "!!python/object/apply:os.system ['true']"), "graph.yaml"),
    "a bomb of aliases": (aliases(), "graph.yaml more than 1,000,000 values"),
    "an alias of itself": ("pyagent: 1\nid: x\nnodes: []\nlayout: &a {x: *a}\n", "graph.yaml"),
    "20,000 levels": ("pyagent: 1\nid: x\nnodes: " + "[" * 20000 + "]" * 20000, "graph.yaml nested"),
    "a key twice": (GOOD + "id: other\n", "graph.yaml"),
    "a later format": (GOOD.replace("pyagent: 1", "pyagent: 2"), "graph.version.unsupported"),
    "an unknown node": (GOOD.replace("data.set@1", "data.sett@1"), "graph.node.unknown_type"),
    "an unknown version": (GOOD.replace("data.set@1", "data.set@7"), "graph.node.unknown_type"),
    "an unknown parameter": (GOOD.replace("fields:", "field:"), "graph.param.unknown"),
    "an expression that does not parse": (GOOD.replace("x: 1", "x: '{{ 1 + }}'"), "graph.expr.syntax"),
    "no id": (GOOD.replace("id: a", "id: \u00c4 b"), "graph.id.invalid"),
}


@pytest.mark.parametrize("name", BAD_GRAPHS)
def test_a_graph_that_cannot_run_is_refused_with_its_place_before_anything_starts(
    name: str, user: User, command: Command
) -> None:
    content, code = BAD_GRAPHS[name]
    file = user.file("bad.yaml", content)
    done = command("run", file).said(code, 2)
    assert "bad.yaml:" in done.text
    assert user.statuses() == {}


@pytest.mark.parametrize(
    ("path", "code"),
    [("none.yaml", "graph.file"), ("folder.yaml", "graph.file"), ("./", "graph.file"), ("none", "graph.not_found"),
     ("", "graph.not_found"), ("\udcff.yaml", "graph.file"), ("closed.yaml", "graph.file")],
)  # fmt: skip
def test_a_path_that_is_no_graph_file_is_told_with_the_reason(
    path: str, code: str, user: User, command: Command
) -> None:
    (user.home / "folder.yaml").mkdir()
    user.file("closed.yaml", GOOD)
    (user.home / "closed.yaml").chmod(0)
    if path == "closed.yaml" and os.getuid() == 0:
        # Root may read anything unless that right is taken away.
        rights = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
        user.pyagent("run", path, before=rights).said(code, 2)
    elif path.isascii():
        command("run", path).said(code, 2)
    else:  # not the test's own streams can show it
        user.pyagent("run", path).said(code, 2)


FAILING_EXPRESSIONS = {
    "reads what is not there": ("x: '{{ $json.a.b.c }}'", "expr.failed"),
    "never ends": ("x: '{{ (() => { while (true) {} })() }}'", "expr.timeout"),
    "eats memory": (
        "x: '{{ (() => { let a = []; while (true) a.push(\"y\".repeat(1e6) + a.length) })() }}'",
        "expr.memory",
    ),
}


@pytest.mark.parametrize("name", FAILING_EXPRESSIONS)
def test_an_expression_that_fails_fails_its_run_with_node_field_and_column(
    name: str, user: User, command: Command
) -> None:
    text, code = FAILING_EXPRESSIONS[name]
    done = command("run", user.file("g.yaml", GOOD.replace("x: 1", text))).said(code, 1)
    assert "line 1:" in done.text
    assert "node a, field with.fields.x" in done.text
    assert command("show", done.run[:12]).said(code, 1).run == done.run


def test_outputs_that_cannot_be_evaluated_fail_the_run_and_a_resume_fails_again(user: User) -> None:
    file = user.file("g.yaml", GOOD.replace(".json.x", ".json.x.y.z"))
    done = user.pyagent("run", file).said("expr.failed", 1)
    assert [run["status"] for run in user.runs()] == ["failed"]
    user.pyagent("resume", done.run).said("expr.failed", 1)


LARGE: dict[str, Callable[[], str]] = {
    "a chain of 2,000 nodes": lambda: "".join(f"  - {{id: n{i}, use: flow.noop@1}}\n" for i in range(2000))
    + "edges:\n" + "".join(f"  - n{i} -> n{i + 1}\n" for i in range(1999)),
    "2,000 branches": lambda: "".join(f"  - {{id: n{i}, use: flow.noop@1}}\n" for i in range(2000))
    + "edges:\n" + "".join(f"  - n0 -> n{i}\n  - n{i} -> n1999\n" for i in range(1, 1999)),
    "100,000 edges": lambda: "".join(f"  - {{id: n{i}, use: flow.noop@1}}\n" for i in range(2))
    + "edges:\n" + "  - n0 -> n1\n" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_a_large_graph_runs_in_seconds(name: str, user: User, command: Command) -> None:
    done = command("run", user.file("g.yaml", "pyagent: 1\nid: large\nnodes:\n" + LARGE[name]()))
    assert done.without_defects().code == 0, done.text
    assert "completed" in done.out


def test_names_in_any_script_run_and_show_in_any_locale(user: User) -> None:
    file = user.file(
        "\u00fcn\u00ef \u56fe.yaml", GOOD.replace("id: good", "id: good\nname: \u56fe \U0001f680 [bold] \u202e")
    )
    plain = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for more in (plain, {"PYTHONIOENCODING": "latin-1"}, {"COLUMNS": "40"}, {"COLUMNS": "0", "TERM": "dumb"}):
        done = user.pyagent("run", file, **more).without_defects()
        assert done.code == 0, done.text
        assert "\u56fe \U0001f680 [bold]" in done.out
        shown = user.pyagent("show", done.run, **more).without_defects()
        assert "completed" in shown.out


# -- inputs and arguments -------------------------------------------------------------------------------------------

BAD_INPUTS: dict[str, tuple[tuple[str, ...], str]] = {
    "no equals sign": (("--input", "n"), "input.syntax"),
    "not what the schema says": (("--input", "n=abc"), "input.invalid"),
    "below the minimum": (("--input", "n=0"), "input.invalid"),
    "not declared": (("--input", "m=1"), "input.invalid"),
    "no JSON": (("--input-json", "{"), "input.syntax"),
    "no object": (("--input-json", "[1]"), "input.syntax"),
    "no such file": (("--input-json", "@none"), "input.syntax"),
    "NaN": (("--input-json", '{"n": NaN}'), "input.syntax"),
    "half a character": (("--input-json", '{"big": {"x": "\\ud800"}}'), "input.invalid"),
    "an integer of 80 bits": (("--input-json", f'{{"big": {{"x": {2**80}}}}}'), "input.invalid"),
    "5,000 digits": (("--input-json", '{"n": ' + "9" * 5000 + "}"), "input.syntax"),
    "5,000 levels": (("--input-json", '{"big": ' + '{"a":' * 5000 + "1" + "}" * 5001), "input.syntax"),
    "a trigger there is not": (("--trigger", "none"), "graph.trigger.unknown"),
    "an unknown option": (("--frob",), "input.usage"),
    "a port there is not": (("--serve", "--port", "99999"), "server.address"),
    "no host": (("--serve", "--host", "999.1.1.1"), "server.address"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_inputs_and_options_that_do_not_fit_are_refused_before_a_run_starts(
    name: str, user: User, command: Command
) -> None:
    arguments, code = BAD_INPUTS[name]
    file = user.file("g.yaml", DECLARED)
    command("run", file, *arguments).said(code, 5 if code.startswith("server.") else 2)
    assert user.statuses() == {}


def test_an_input_of_ten_megabytes_goes_in_by_file_and_by_standard_input(user: User) -> None:
    file = user.file("g.yaml", DECLARED)
    big = json.dumps({"big": {"k": ["x" * 100] * 100_000}})
    user.file("big.json", big)
    for arguments, stdin in ((("--input-json", "@big.json"), None), (("--input-json", "-"), big)):
        done = user.pyagent("run", file, *arguments, stdin=stdin).without_defects()
        assert done.code == 0, done.text


REQUESTS: dict[str, tuple[tuple[str, ...], str, int]] = {
    "show an unknown run": (("show", "zzzzzz"), "run.not_found", 2),
    "show by two letters": (("show", "1a"), "run.not_found", 2),
    "show by nothing": (("show", ""), "run.not_found", 2),
    "show a pattern": (("show", "%%%%%%"), "run.not_found", 2),
    "resume an unknown run": (("resume", "zzzzzz"), "run.not_found", 2),
    "resume a completed run": (("resume", "RUN"), "run.completed", 1),
    "cancel an unknown run": (("cancel", "zzzzzz"), "run.not_found", 2),
    "fork at a node there is not": (("fork", "RUN", "zzz"), "run.no_step", 2),
    "fork at a scope there is not": (("fork", "RUN", "a@9.9.9"), "run.no_step", 2),
    "fork with bad items": (("fork", "RUN", "a", "--items", "[1, 2]"), "run.given_items", 2),
    "fork with no JSON": (("fork", "RUN", "a", "--items", "{"), "input.syntax", 2),
    "fork onto no graph": (("fork", "RUN", "a", "--graph", "none.yaml"), "graph.file", 2),
    "approve what does not wait": (("approve", "RUN", "a"), "run.not_waiting", 2),
    "resolve what does not wait": (("resolve", "RUN", "a", "done"), "run.not_waiting", 2),
    "resolve in no known way": (("resolve", "RUN", "a", "maybe"), "input.usage", 2),
    "signal with no JSON": (("signal", "go", "--value", "{"), "input.syntax", 2),
    "signal deeper than any stack": (("signal", "go", "--value", "[" * 5000 + "]" * 5000), "input.syntax", 2),
    "signal a completed run": (("signal", "go", "--run", "RUN"), "run.completed", 1),
    "signal without a name": (("signal", ""), "run.signal_name", 2),
    "list a status there is not": (("runs", "--status", "lost"), "input.status", 2),
    "list before no run": (("runs", "--before", "zzzzzz"), "run.not_found", 2),
    "a command there is not": (("frob",), "input.usage", 2),
}


def test_a_request_that_makes_no_sense_is_refused_and_changes_nothing(user: User, command: Command) -> None:
    run = command("run", user.file("g.yaml", GOOD)).run
    command("run", "g.yaml")
    before = user.runs()
    for arguments, code, exit_code in REQUESTS.values():
        command(*(run if part == "RUN" else part for part in arguments)).said(code, exit_code)
    assert user.runs() == before
    first, second = (found["id"] for found in before)
    assert first[:6] == second[:6]
    command("show", first[:6]).said("run.ambiguous", 2)


def test_two_runs_of_one_key_at_once_are_one_run(user: User) -> None:
    user.file("g.yaml", ASKS)
    both = [user.background("run", "g.yaml", "--key", "one") for _ in range(2)]
    ended = [Ended(code=0, out=out, err=err) for out, err in (process.communicate(timeout=30) for process in both)]
    codes = sorted(process.returncode for process in both)
    assert codes == [2, 3], [done.text for done in ended]
    refused = next(done for done, process in zip(ended, both, strict=True) if process.returncode == 2)
    Ended(code=2, out=refused.out, err=refused.err).said("store.key_taken", 2)
    (run,) = user.runs()
    assert user.pyagent("cancel", run["id"]).code == 0


def test_a_waiting_run_goes_on_though_its_graph_file_is_gone(user: User) -> None:
    done = user.pyagent("run", user.file("g.yaml", ASKS)).without_defects()
    assert done.code == 3, done.text
    (user.home / "g.yaml").unlink()
    assert user.pyagent("approve", done.run).without_defects().code == 0
    assert user.pyagent("resume", done.run).without_defects().code == 0
    assert user.pyagent("show", done.run).without_defects().code == 0


def test_a_living_run_cannot_be_taken_from_its_process(user: User) -> None:
    code = "import os, time\nwhile not os.path.exists(inputs['go']): time.sleep(0.02)\nreturn []"
    user.file("g.yaml", python(code, read=[str(user.home)]))
    go = str(user.home / "go")
    owner = user.background("run", "g.yaml", "--json", "--input", f"go={go}")
    assert owner.stdout is not None
    run = json.loads(owner.stdout.readline())["run_id"]
    next(line for line in owner.stdout if '"step.started"' in line)
    user.pyagent("resume", run).said("store.lease_held", 1)
    Path(go).touch()
    owner.communicate(timeout=30)
    assert owner.returncode == 0


# -- the machine ----------------------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_used_is_told_with_what_to_do(user: User, command: Command) -> None:
    file = user.file("g.yaml", GOOD)
    (user.home / "folder").mkdir()
    user.file("junk.db", "no database " * 1000)
    with contextlib.closing(sqlite3.connect(user.home / "other.db")) as other:
        other.execute("CREATE TABLE runs (x)")
    assert user.pyagent("run", file, PYAGENT_STORE="newer.db").code == 0
    with contextlib.closing(sqlite3.connect(user.home / "newer.db")) as newer:
        newer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        user.file("torn.db", (user.home / "newer.db").read_bytes()[:20_000])
        newer.execute("PRAGMA user_version = 9999")
    for store, code in {
        "folder": "store.unavailable", "junk.db": "store.foreign", "other.db": "store.foreign",
        "newer.db": "store.schema_newer", "torn.db": "store.damaged", "postgres://x": "store.unknown_scheme",
        "g.yaml/x.db": "store.unavailable", "/proc/none/x.db": "store.unavailable", "/dev/full": "store.full",
    }.items():  # fmt: skip
        command("run", file, PYAGENT_STORE=store).said(code, 5)
        command("runs", PYAGENT_STORE=store).said(code, 5)


@pytest.mark.parametrize("home", ["/proc/none", "", None])
def test_a_home_that_cannot_be_written_is_told_or_not_needed(home: str | None, user: User) -> None:
    file = user.file("g.yaml", python("return [{}]"))
    elsewhere: dict[str, Any] = {"HOME": home, "XDG_DATA_HOME": None, "PYAGENT_WORK": None}
    store = str(user.home / "s.db")
    if home == "/proc/none":
        user.pyagent("run", file, **elsewhere).said("store.unavailable", 5)
        user.pyagent("run", file, **elsewhere, PYAGENT_STORE=store).said("setup.work_folder", 1)
    else:
        done = user.pyagent("run", file, **elsewhere, PYAGENT_STORE=store).without_defects()
        assert done.code == 0, done.text


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A small disk; what it gives changes its mount options. Skips where nobody may mount."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small disk here")
    try:
        yield lambda option: subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True) and None
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


RANDOM = "import os\nreturn [{'x': os.urandom(1_500_000).hex()}]"
LONG = json.dumps(
    {
        "pyagent": 1, "id": "long",
        "nodes": [
            {"id": f"n{i}", "use": "code.python@1", "effects": "idempotent", "with": {"code": RANDOM}} for i in range(3)
        ],
        "edges": ["n0 -> n1", "n1 -> n2"],
    }
)  # fmt: skip


def test_a_run_that_fills_the_disk_of_its_store_goes_on_when_there_is_room(user: User) -> None:
    file = user.file("g.yaml", LONG)
    with disk(user.home / "disk", "4m") as remount:
        more = {"PYAGENT_STORE": str(user.home / "disk" / "s.db")}
        done = user.pyagent("run", file, **more).said("store.full", 5)
        assert f"pyagent resume {done.run}" in done.text
        assert user.processes() == []
        assert [run["status"] for run in user.runs(**more)] == ["running"]
        user.pyagent("show", done.run, **more).without_defects()
        remount("size=64m")
        resumed = user.pyagent("resume", done.run, **more).without_defects()
        assert resumed.code == 0, resumed.text
        user.nothing_left()
        remount("ro")
        user.pyagent("run", file, **more).said("store.read_only", 5)
    with disk(user.home / "tiny", "40k"):
        user.pyagent("run", file, PYAGENT_STORE=str(user.home / "tiny" / "s.db")).said("store.full", 5)


def test_a_store_that_may_not_grow_keeps_its_run(user: User) -> None:
    file = user.file("g.yaml", LONG)
    done = user.pyagent("run", file, before=("prlimit", "--fsize=1000000")).said("store.full", 5)
    resumed = user.pyagent("resume", done.run).without_defects()
    assert resumed.code == 0, resumed.text


def test_a_full_disk_below_the_work_trees_fails_the_step(user: User) -> None:
    file = user.file("g.yaml", python("open('f', 'wb').write(b'x' * 10**7)\nreturn []"))
    with disk(user.home / "work", "1m"):
        user.pyagent("run", file).said("No space left", 1)
        user.nothing_left()


def test_a_port_in_use_is_told_and_no_run_starts(user: User) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        user.pyagent("serve", "--port", port).said("server.port_in_use", 5)
        user.pyagent("run", user.file("g.yaml", GOOD), "--serve", "--port", port).said("server.port_in_use", 5)
    assert user.runs() == []


OUTPUTS = {
    "show RUN | head -1": 0,
    "runs --json | head -c 1": 0,
    "node list | head -1": 0,
    "graph schema | head -1": 0,
    "--help | head -1": 0,
    "run g.yaml >&-": 0,
    "run g.yaml <&- >&- 2>&-": 0,
    "run g.yaml 2>&-": 0,
    "runs >&-": 0,
    "run none.yaml 2>&-": 2,
    "run g.yaml --input-json - <&-": 2,
    "runs --json >/dev/full": 5,
    "--version >/dev/full": 5,
    "run g.yaml >/dev/full": 5,
    "run none.yaml --json >/dev/full": 2,
}


def test_output_that_is_closed_full_or_unread_is_no_defect(user: User) -> None:
    run = user.pyagent("run", user.file("g.yaml", GOOD)).run
    for line, code in OUTPUTS.items():
        done = user.shell(f"pyagent {line.replace('RUN', run)}").without_defects()
        assert done.code == code, (line, done.text)
        assert not done.err or "hint:" in done.err, (line, done.err)


def test_a_run_that_nobody_reads_any_more_stops_and_can_be_resumed(user: User) -> None:
    user.file("g.yaml", BUSY)
    done = user.shell("pyagent run g.yaml | head -1").without_defects()
    assert done.code == 130, done.text
    assert "can be resumed" in done.err
    assert user.processes() == []
    resumed = user.pyagent("resume", done.run).without_defects()
    assert resumed.code == 0, resumed.text


def test_without_a_network_graphs_run_and_fetching_says_that_there_is_none(user: User) -> None:
    without = (str(ROOT / "scripts" / "without-network"),)
    if subprocess.run([*without, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no network namespaces here")
    done = user.pyagent("run", user.file("g.yaml", python("return [{}]")), before=without).without_defects()
    assert done.code == 0, done.text
    user.pyagent("run", PIPELINE, before=without).said("pipeline.fetch.no_network", 1)


# -- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["INT", "INT INT", "TERM", "HUP"])
def test_a_signal_at_any_moment_leaves_a_run_that_can_be_resumed(how: str, user: User) -> None:
    user.file("g.yaml", BUSY)
    numbers = [getattr(signal, f"SIG{name}") for name in how.split()]
    chance = random.Random(how)
    for moment in (chance.uniform(0.1, 1.8) for _ in range({"INT": 10, "INT INT": 3}.get(how, 4))):
        before = user.statuses()
        process = user.background("run", "g.yaml")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        for number in numbers:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        out, err = process.communicate(timeout=30)
        done = Ended(code=process.returncode, out=out, err=err).without_defects()
        # Before the program has its handlers a signal ends it as it ends any program.
        assert done.code in (0, 130, -numbers[0]), done.text
        new = {run: status for run, status in user.statuses().items() if run not in before}
        assert done.code != 0 or list(new.values()) == ["completed"]
        for run, status in new.items():
            if status != "completed":
                resumed = user.pyagent("resume", run).without_defects()
                assert resumed.code == 0, resumed.text
                assert user.statuses()[run] == "completed"
        user.nothing_left()


def test_ctrl_c_twice_at_once_while_a_step_runs_leaves_no_process(user: User) -> None:
    user.file("g.yaml", BUSY)
    process = user.background("run", "g.yaml", "--json")
    assert process.stdout is not None
    run = json.loads(process.stdout.readline())["run_id"]
    next(line for line in process.stdout if '"step.started"' in line)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    cancelled = user.pyagent("cancel", run).without_defects()
    assert cancelled.code == 0
    user.nothing_left()
    assert user.pyagent("show", run).without_defects().code == 4


# -- programs that nodes run ----------------------------------------------------------------------------------------

HOSTILE: dict[str, tuple[str, dict[str, object], str, int]] = {
    "prints": ("import os\nprint('{}')\nos.write(1, b'junk\\n')\nreturn [{}]", {}, "completed", 0),
    "leaves a daemon that ignores signals": (
        "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + ESCAPE + "return [{}]", {}, "completed", 0,
    ),
    "forks a hundred times": (
        "import os, time\nfor _ in range(100):\n if os.fork() == 0: time.sleep(600)\nreturn [{}]", {}, "completed", 0,
    ),
    "outlives its time": (
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\n" + ESCAPE + "time.sleep(600)", {"timeout": "300ms"},
        "node.timeout", 1,
    ),
    "eats memory": ("x = []\nwhile True: x.append(bytearray(10**7))", {"memory": "256 MiB"}, "MemoryError", 1),
    "eats processor time": ("while True: pass", {"cpu": "1s"}, "SIGXCPU", 1),
    "writes a gigabyte": (
        "f = open('f', 'wb')\nfor _ in range(1000): f.write(b'x' * 10**6)", {"file_size": "20 MiB"}, "file_size", 1,
    ),
    "returns too much": ("return [{'x': 'y' * 10**7}]", {"max_output": "1 MiB"}, "node.code_output", 1),
    "returns no JSON": ("return [{'x': object()}]", {}, "node.code_failed", 1),
    "returns half a character": ("return [{'x': '\\ud800'}]", {}, "node.returned", 1),
    "returns 80 bits": ("return [{'x': 2**80}]", {}, "node.returned", 1),
    "returns a deep value": (
        "import sys\nsys.setrecursionlimit(10**6)\nx = {}\nfor _ in range(9000): x = {'a': x}\nreturn [x]", {},
        "node.code_", 1,
    ),
    "ends its process": ("import os\nos._exit(3)", {}, "node.code_died", 1),
    "kills its supervisor": (  # in a sandbox it is out of reach
        "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(600)", {"timeout": "1s"}, "node.timeout", 1,
    ),
    "does not parse": ("return [", {}, "node.code_failed", 1),
    "removes its folder": ("import os, shutil\nshutil.rmtree(os.getcwd())\nreturn [{}]", {}, "node.code_failed", 1),
    "leaves odd files": (
        "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w')\nos.chmod('a/b', 0)\nos.chmod('a', 0)\n"
        "open('x\\ny', 'w')\nopen(b'\\xff', 'w')\nos.mkfifo('p')\nos.symlink('/etc', 'l')\nreturn [{}]",
        {}, "completed", 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_program_that_behaves_badly_ends_with_its_step(name: str, user: User, command: Command) -> None:
    code, parameters, said, exit_code = HOSTILE[name]
    done = command("run", user.file("g.yaml", python(code, **parameters)))
    if exit_code == 0:
        assert done.without_defects().code == 0, done.text
        assert said in done.text
    else:
        done.said(said, exit_code)


def test_what_programs_print_cannot_act_on_the_terminal(user: User) -> None:
    code = "print('\\x1b[31mred\\x1b]0;title\\x07 \\x9b2J')\nraise ValueError('\\x1b[2J[bold]')"
    done = user.pyagent("run", user.file("g.yaml", python(code))).said("node.code_failed", 1)
    assert "a: red \ufffd2J" in done.out
    assert "ValueError: [bold]" in done.out
    shown = user.pyagent("show", done.run)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.text + shown.text)
