"""Programs run with limits, and nothing of them outlives the step or the engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import pyagent.sdk.process as process_module
from pyagent.errors import NodeCancelled
from pyagent.sdk.process import ProcessError, ProcessLimits, ProcessNotFound, clean_environment, run_process

PYTHON = sys.executable

# Starts a child, a grandchild in a session of its own and an orphan that ignores SIGTERM; says all their pids.
FAMILY = """
import os, signal, subprocess, sys, time
ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
sleeper = ignore + "print('up', flush=True); time.sleep(600)"
def start(**options):
    child = subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE, **options)
    child.stdout.readline()
    return child.pid
plain, session = start(), start(start_new_session=True)
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, str(start(start_new_session=True)).encode())
    os._exit(0)
orphan = int(os.read(reader, 100))
os.wait()
print(os.getpid(), plain, session, orphan, flush=True)
time.sleep(float(sys.argv[1]))
"""


class Token:
    """A cancel token that a test triggers."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.reason = ""

    @property
    def cancelled(self) -> bool:
        return self.event.is_set()

    async def wait(self) -> None:
        await self.event.wait()

    def check(self) -> None:
        if self.cancelled:
            raise NodeCancelled("stopped")

    def trigger(self, reason: str) -> None:
        self.reason = reason
        self.event.set()


class Watched:
    """Processes whose end is awaited through pidfds, so that a reused pid cannot deceive."""

    def __init__(self, pids: list[int]) -> None:
        self.fds: dict[int, int] = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it has ended already
                self.fds[pid] = os.pidfd_open(pid)

    def alive_after(self, seconds: float) -> set[int]:
        poll = select.poll()
        waiting = {fd: pid for pid, fd in self.fds.items()}
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        while waiting:
            ready = poll.poll(seconds * 1000)
            if not ready:
                break
            for fd, _ in ready:
                poll.unregister(fd)
                del waiting[fd]
        for fd in self.fds.values():
            os.close(fd)
        return set(waiting.values())


async def run_family(**options) -> tuple[asyncio.Task, Watched]:
    said: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        run_process(
            [PYTHON, "-c", FAMILY, options.pop("seconds", "600")],
            on_line=lambda stream, line: said.set_result([int(pid) for pid in line.split()]),
            **options,
        )
    )
    await asyncio.wait({task, said}, return_when=asyncio.FIRST_COMPLETED)
    return task, Watched(said.result())


async def test_the_outcome_holds_exit_code_and_both_streams():
    result = await run_process(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.exit_code, result.stdout, result.stderr, result.timed_out) == (3, b"out\n", b"err\n", False)
    assert not result.ok
    assert result.outcome == "exit code 3"
    assert result.duration > 0
    assert result.peak_memory > 0


async def test_stdin_is_given_whole_and_output_comes_back_whole():
    data = os.urandom(3_000_000)
    result = await run_process(["cat"], stdin=data)
    assert result.stdout == data


async def test_a_program_that_does_not_read_its_stdin_is_no_error():
    assert (await run_process(["true"], stdin=b"x" * 3_000_000)).ok


async def test_without_stdin_the_program_reads_nothing():
    assert (await run_process(["cat"])).stdout == b""


async def test_output_beyond_the_limit_keeps_its_beginning_and_its_end():
    program = "import sys; sys.stdout.write('<' + 'x' * 5_000_000 + '>')"
    result = await run_process([PYTHON, "-c", program], limits=ProcessLimits(output=1000))
    assert len(result.stdout) == 1000
    assert result.stdout.startswith(b"<x")
    assert result.stdout.endswith(b"x>")
    assert result.stdout_dropped == 5_000_002 - 1000


async def test_a_program_can_be_ended_when_its_output_is_more_than_is_kept():
    limits = ProcessLimits(output=1000, stop_at_output=True)
    result = await run_process(["yes"], limits=limits)
    assert (result.exit_code, result.timed_out) == (-signal.SIGTERM, False)
    assert result.stdout_dropped > 0
    assert (await run_process(["head", "-c", "1000", "/dev/zero"], limits=limits)).ok


async def test_lines_are_handed_out_as_they_come_the_last_one_without_newline_too():
    lines: list[tuple[str, str]] = []
    await run_process(["printf", "grün\r\nzwei\nrest"], on_line=lambda stream, line: lines.append((stream, line)))
    assert lines == [("stdout", "grün"), ("stdout", "zwei"), ("stdout", "rest")]


async def test_a_program_that_does_not_exist_is_named():
    with pytest.raises(ProcessNotFound, match="no-such-program") as caught:
        await run_process(["no-such-program"])
    assert caught.value.code == "node.process_not_found"
    assert caught.value.hint


async def test_a_missing_working_directory_is_named(tmp_path: Path):
    with pytest.raises(ProcessError, match=r"working directory .*gone does not exist"):
        await run_process(["true"], cwd=tmp_path / "gone")


@pytest.mark.parametrize("argv", [[], ["echo", "a\0b"]])
async def test_a_command_that_cannot_be_passed_on_is_refused(argv):
    with pytest.raises(ProcessError, match="empty or holds a NUL"):
        await run_process(argv)


async def test_the_environment_is_clean_and_the_directory_is_the_one_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    result = await run_process(["sh", "-c", "pwd; env"], cwd=tmp_path, env=clean_environment({"EXTRA": "1"}))
    assert result.text.splitlines()[0] == str(tmp_path)
    assert "EXTRA=1" in result.text
    assert "hush" not in result.text


async def test_each_limit_reaches_the_program():
    program = """
import resource
for kind in ("AS", "CPU", "FSIZE", "NOFILE", "CORE", "NPROC"):
    print(resource.getrlimit(getattr(resource, "RLIMIT_" + kind))[0])
"""
    limits = ProcessLimits(memory=1 << 30, cpu_seconds=7, file_size=1234, open_files=50, processes=20)
    numbers = [int(line) for line in (await run_process([PYTHON, "-c", program], limits=limits)).text.split()]
    assert numbers[:5] == [1 << 30, 7, 1234, 50, 0]
    assert numbers[5] > 20  # those that the user has already come on top


async def test_a_program_that_wants_too_much_memory_gets_an_error():
    result = await run_process([PYTHON, "-c", "bytearray(1 << 30)"], limits=ProcessLimits(memory=256 << 20))
    assert result.exit_code == 1
    assert "MemoryError" in result.error_text


async def test_a_program_that_computes_too_long_is_killed():
    result = await run_process([PYTHON, "-c", "while True: pass"], limits=ProcessLimits(cpu_seconds=1))
    assert result.outcome == "killed by SIGXCPU"


async def test_a_program_that_outlives_its_timeout_is_ended_with_all_it_started():
    program = "trap '' TERM; sleep 600 & echo $$ $!; wait; wait; wait"
    result = await run_process(["sh", "-c", program], timeout=0.5, grace=0.1)
    assert result.timed_out
    assert result.outcome == "timed out"
    for pid in result.text.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


async def test_a_program_may_end_by_itself_within_the_grace_time():
    program = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit('bye')); time.sleep(600)"
    result = await run_process([PYTHON, "-c", program], timeout=0.5, grace=30)
    assert result.timed_out
    assert result.exit_code == 1
    assert result.error_text == "bye\n"


async def test_what_a_program_leaves_behind_is_killed_when_it_ends():
    task, watched = await run_family(seconds="0")
    assert (await task).ok
    assert watched.alive_after(0) == set()


async def test_a_cancel_ends_all_processes_and_then_raises():
    token = Token()
    task, watched = await run_family(cancel=token, grace=0.1)
    token.trigger("loser")
    with pytest.raises(NodeCancelled, match="loser"):
        await task
    assert watched.alive_after(0) == set()


async def test_a_cancel_that_came_before_starts_nothing(tmp_path):
    token = Token()
    token.trigger("cancel")
    with pytest.raises(NodeCancelled):
        await run_process(["touch", str(tmp_path / "made")], cancel=token)
    assert not (tmp_path / "made").exists()


async def test_a_cancel_that_comes_before_the_supervisor_is_up_is_understood():
    token = Token()
    said: list[str] = []
    asyncio.get_running_loop().call_soon(token.trigger, "cancel")
    with pytest.raises(NodeCancelled):
        await run_process(["sleep", "600"], cancel=token, grace=0.1, on_line=lambda _, line: said.append(line))
    assert said == []


async def test_cancelling_the_task_kills_all_processes_before_it_ends():
    task, watched = await run_family()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watched.alive_after(0) == set()


async def test_a_killed_supervisor_is_reported_and_takes_the_program_along():
    program = "import os, signal; print(os.getpid(), flush=True); input(); os.kill(os.getppid(), 9); signal.pause()"
    watched: list[Watched] = []
    with pytest.raises(ProcessError, match=r"supervisor of .* was killed"):
        await run_process(
            [PYTHON, "-c", program], stdin=b"go\n", on_line=lambda _, line: watched.append(Watched([int(line)]))
        )
    assert watched[0].alive_after(10) == set()


async def test_a_supervisor_that_its_program_stopped_does_not_hold_up_a_cancel(monkeypatch):
    monkeypatch.setattr(process_module, "_PATIENCE", 0.1)
    program = "import os, signal; os.kill(os.getppid(), signal.SIGSTOP); print(os.getpid(), flush=True); signal.pause()"
    watched: list[Watched] = []
    token = Token()

    def stopped(stream: str, line: str) -> None:
        watched.append(Watched([int(line)]))
        token.trigger("cancel")

    with pytest.raises(NodeCancelled):
        await run_process([PYTHON, "-c", program], cancel=token, grace=0.1, on_line=stopped)
    assert watched[0].alive_after(10) == set()


def test_no_descendant_survives_a_kill_9_of_the_engine():
    engine = f"""
import asyncio, sys
from pyagent.sdk.process import run_process
asyncio.run(run_process([sys.executable, "-c", {FAMILY!r}, "600"], on_line=lambda _, line: print(line, flush=True)))
"""
    with subprocess.Popen([PYTHON, "-c", engine], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 4
        supervisor = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
        assert supervisor != process.pid
        watched = Watched([supervisor, *pids])
        process.send_signal(signal.SIGKILL)
        assert watched.alive_after(20) == set()


async def test_many_programs_run_at_once():
    results = await asyncio.gather(*(run_process(["echo", str(number)]) for number in range(20)))
    assert [int(result.text) for result in results] == list(range(20))


async def test_no_descriptor_is_left_open():
    await run_process(["cat"], stdin=b"x")
    before = list(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        await run_process(["cat"], stdin=b"x")
        with pytest.raises(ProcessNotFound):
            await run_process(["no-such-program"])
    assert len(list(Path("/proc/self/fd").iterdir())) <= len(before)


@pytest.mark.integration
def test_kills_at_random_moments_leave_no_process(tmp_path: Path):
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    # Every process of the tree holds the pipe open for writing: its end is read when the last one is gone.
    tree = f"exec 3>{fifo}; echo begun >&3; (setsid sleep 600 &) ; setsid sh -c 'trap \"\" TERM; sleep 600' & sleep 600"
    engine = f"""
import asyncio
from pyagent.sdk.process import run_process
async def main():
    await asyncio.gather(*(run_process(["sh", "-c", {tree!r}]) for _ in range(3)))
asyncio.run(main())
"""
    random = Random(7)
    begun = 0
    for _ in range(30):
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        holder = os.open(fifo, os.O_WRONLY)  # until the kill, so that the end means: after it
        process = subprocess.Popen([PYTHON, "-c", engine])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0.1, 0.5))
        process.kill()
        process.wait()
        os.close(holder)
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        said = b""
        while True:
            assert poll.poll(20_000), "a process still holds the pipe"
            if not (chunk := os.read(reader, 4096)):
                break
            said += chunk
        begun += bool(said)
        os.close(reader)
    assert begun > 0
