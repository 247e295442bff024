"""A program sees what its sandbox allows; where the machine cannot hold it, it is not run unless the user says so."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

from pyagent.errors import NodeError
from pyagent.sdk.process import ProcessLimits, SandboxMissing, run_process
from pyagent.sdk.sandbox import Sandbox, interpreter_places, python_places

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")
EACH = ["mount", "pid", "ipc", "seccomp"]


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYAGENT_SANDBOX", raising=False)


async def test_a_program_sees_its_places_and_no_others(tmp_path: Path):
    for name in ("shown", "changed", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    script = f"cd {tmp_path}; ls; cat shown/file changed/file; echo new > changed/new; echo no > shown/new"
    result = await run_process(
        ["sh", "-c", script], sandbox=Sandbox(read=(tmp_path / "shown",), write=(tmp_path / "changed",))
    )
    assert result.text.split() == ["changed", "shown", "shownchanged"]
    assert (tmp_path / "changed" / "new").read_text() == "new\n"
    assert not (tmp_path / "shown" / "new").exists()
    assert "Read-only file system" in result.error_text
    assert result.unkept == ()


async def test_what_a_program_leaves_in_its_temporary_folder_is_removed_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
):
    removed: list[tuple[str, bool]] = []

    def remove(folder: Path, *, ignore_errors: bool) -> None:
        removed.append((str(folder), threading.current_thread() is threading.main_thread()))
        rmtree(folder, ignore_errors=ignore_errors)

    rmtree = shutil.rmtree
    monkeypatch.setattr("pyagent.sdk.sandbox.shutil.rmtree", remove)
    result = await run_process(["sh", "-c", 'touch "$TMPDIR/left"; echo "$TMPDIR"'], sandbox=Sandbox())
    assert removed == [(result.text.strip(), False)]
    assert not Path(result.text.strip()).exists()


async def test_a_place_behind_symbolic_links_is_seen_at_its_own_name(tmp_path: Path):
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "real" / "inner" / "file").write_text("found")
    (tmp_path / "alias").symlink_to("real")
    (tmp_path / "other").symlink_to(tmp_path / "alias" / "inner")
    for name in ("alias/inner", "other"):
        result = await run_process(["cat", str(tmp_path / name / "file")], sandbox=Sandbox(read=(tmp_path / name,)))
        assert result.text == "found"


async def test_a_writable_place_inside_a_readable_one_can_be_changed_and_the_rest_cannot(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    result = await run_process(
        ["sh", "-c", f"echo 1 > {tmp_path}/inner/a; echo 1 > {tmp_path}/b"],
        sandbox=Sandbox(read=(tmp_path,), write=(tmp_path / "inner",)),
    )
    assert not result.ok
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a"]


async def test_it_has_a_temporary_folder_and_a_home_of_its_own_that_vanish():
    script = 'echo "$TMPDIR $HOME"; echo x > "$TMPDIR/made here"; ls /tmp "$HOME"'
    result = await run_process(["sh", "-c", script], sandbox=Sandbox())
    assert result.ok, result.error_text
    first, second = result.text.splitlines()[0].split()
    assert first == second
    assert not Path(first).exists()
    assert result.text.count("made here\n") == 2


async def test_a_place_to_write_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(NodeError, match="gone"):
        await run_process(["true"], sandbox=Sandbox(write=(tmp_path / "gone",)))


async def test_a_folder_to_start_in_that_it_may_not_see_is_named(tmp_path: Path):
    with pytest.raises(NodeError, match="not among what it may see"):
        await run_process(["true"], cwd=tmp_path, sandbox=Sandbox())


async def test_it_is_process_1_of_nothing_and_sees_only_its_own():
    result = await run_process(["sh", "-c", "ls -d /proc/[0-9]* | wc -l"], sandbox=Sandbox())
    assert int(result.text) <= 4


@pytest.mark.parametrize(("network", "answer"), [("none", "PermissionError"), ("loopback", "reached")])
async def test_loopback_is_there_only_where_it_is_allowed(network, answer):
    code = """
import socket
try:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        print("reached")
except OSError as error:
    print(type(error).__name__)
"""
    result = await run_process([sys.executable, "-c", code], sandbox=Sandbox(read=python_places(), network=network))
    assert result.text.strip() == answer


@pytest.mark.parametrize("absent", EACH)
async def test_a_machine_without_one_of_the_means_runs_nothing(absent, tmp_path: Path):
    sandbox = Sandbox(write=(tmp_path,), without=frozenset({absent}))
    with pytest.raises(SandboxMissing, match=absent) as caught:
        await run_process(["touch", str(tmp_path / "made")], sandbox=sandbox)
    assert caught.value.code == "node.sandbox_missing"
    assert "PYAGENT_SANDBOX" in caught.value.hint
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("absent", [["landlock"], ["net"], *([["user"]] if os.getuid() == 0 else [])])
async def test_means_that_others_replace_are_not_needed(absent):
    result = await run_process(["true"], sandbox=Sandbox(without=frozenset(absent)))
    assert result.ok
    assert result.unkept == ()


async def test_without_a_network_of_its_own_loopback_alone_cannot_be_given():
    with pytest.raises(SandboxMissing, match="the network: net"):
        await run_process(["true"], sandbox=Sandbox(network="loopback", without=frozenset({"net"})))


@pytest.mark.parametrize(
    "absent", [*([name] for name in EACH), ["user", "mount", "pid", "net", "ipc"], ["user", *EACH]]
)
async def test_the_best_there_is_runs_the_program_and_says_what_is_missing(absent, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PYAGENT_SANDBOX", "best")
    (tmp_path / "hidden").write_text("hidden")
    (tmp_path / "own").mkdir()
    result = await run_process(
        ["sh", "-c", f"echo made > {tmp_path}/own/made; cat {tmp_path}/hidden"],
        sandbox=Sandbox(write=(tmp_path / "own",), without=frozenset(absent)),
    )
    assert (tmp_path / "own" / "made").read_text() == "made\n", result.error_text
    assert "hidden" not in result.text  # Landlock or the tree: one of them is left
    for name in set(absent) & set(EACH):
        assert any(f"{name} (" in each for each in result.unkept), result.unkept


async def test_off_runs_it_free_but_with_its_limits(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PYAGENT_SANDBOX", "off")
    (tmp_path / "file").write_text("seen")
    result = await run_process(
        ["sh", "-c", f"cat {tmp_path}/file; ulimit -n"], sandbox=Sandbox(), limits=ProcessLimits(open_files=77)
    )
    assert result.text == "seen77\n"


async def test_all_processes_together_may_use_so_much_memory():
    code = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(60 << 20)
        time.sleep(60)
time.sleep(60)
"""
    result = await run_process(
        [sys.executable, "-c", code], limits=ProcessLimits(memory=256 << 20), sandbox=Sandbox(read=python_places())
    )
    assert result.exceeded == "memory"
    assert "memory" in result.outcome


async def test_what_it_adds_to_the_disk_is_limited(tmp_path: Path):
    script = "for n in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/urandom > $n; done; sleep 60"
    result = await run_process(
        ["sh", "-c", script], cwd=tmp_path, limits=ProcessLimits(disk=16 << 20), sandbox=Sandbox(write=(tmp_path,))
    )
    assert result.exceeded == "disk"


def test_the_places_of_a_virtual_environment_are_its_own_and_its_pythons(tmp_path: Path):
    environment, base = tmp_path / "environment", tmp_path / "base"
    for folder in (environment, base):
        (folder / "bin").mkdir(parents=True)
    (base / "bin" / "python3").touch()
    (environment / "bin" / "python").symlink_to(base / "bin" / "python3")
    (environment / "pyvenv.cfg").write_text(f"home = {base}/bin\n")
    assert set(interpreter_places(environment / "bin" / "python")) == {environment, base / "bin"}


def test_no_interpreter_opens_a_whole_home(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert interpreter_places(tmp_path / "bin" / "python") == ()
