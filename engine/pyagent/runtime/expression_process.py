"""Runs of expressions and scripts that may take long, in processes of their own that can be killed.

QuickJS asks whether to go on only now and then, and its native functions never do, so code that means harm outlasts
every limit that is asked for politely. A process ends when its alarm rings. One takes 20 ms to start and about 12 MB;
the few that were used last are kept.
"""

from __future__ import annotations

import atexit
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyagent.errors import PyAgentError
from pyagent.native import NATIVE_PATH, ScriptError
from pyagent.runtime import _luxon

Answer = Callable[[int, str, str, str, str], bytes | None]
"""Answers reads of items by the run of this number, as JSON; None is undefined. What it raises ends the task."""

_CHILD = Path(__file__).with_name("_expression_child.py")
_MOST = 4
"""Processes at work on expressions at once; who comes later waits."""
_KEPT = 2
"""Processes kept when they have nothing to do."""
_GRACE = 0.25
"""Seconds after the limit at which the alarm rings: the engine, asked politely, mostly ends before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a program is run on."""

    arguments: tuple[Any, ...]
    """As `Engine.run` takes them."""
    as_text: bool = False
    now: float
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Runs of one program, one after the other until one fails."""

    domain: str
    """Runs of one domain may find the engine of the run before; others never."""
    timezone: str
    time_limit: float
    """Seconds, for each run."""
    memory_limit: int
    """Bytes."""
    code: str
    parameters: tuple[str, ...]
    runs: tuple[Run, ...]
    """Without any, the program is only compiled."""


class Leash:
    """Ends a task that another thread waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self.pulled = False

    def pull(self) -> None:
        """End the task's process at once; a task that has not begun does not begin."""
        with self._lock:
            self.pulled = True
            if self._child is not None:
                self._child.kill()

    def hold(self, child: _Child) -> bool:
        """Whether the process may begin, or has to end."""
        with self._lock:
            self._child = child
            return not self.pulled

    def let_go(self) -> None:
        """The process works for another task from now on."""
        with self._lock:
            self._child = None


class _Child:
    """A process; for one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _CHILD, NATIVE_PATH],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, cwd="/",
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def run(self, task: Task, answer: Answer | None, found: list[Any]) -> None:
        """Add to `found` what `Engine.run` gives for each run. Raises what that raises, and what `answer` raises."""
        blobs = [given for run in task.runs for given in run.arguments if isinstance(given, bytes)]
        message: dict[str, Any] = {
            "domain": task.domain,
            "timezone": task.timezone,
            "time_limit": task.time_limit,
            "memory_limit": task.memory_limit,
            "alarm": task.time_limit + _GRACE,
            "code": task.code,
            "parameters": task.parameters,
            "runs": [
                {
                    "arguments": [None if isinstance(one, bytes) else one for one in run.arguments],
                    "blobs": [len(one) if isinstance(one, bytes) else None for one in run.arguments],
                    "as_text": run.as_text,
                    "now": run.now,
                    "seed": run.seed,
                }
                for run in task.runs
            ],
            "host": answer is not None,
        }
        self._write(message, *blobs)
        raised: BaseException | None = None
        while True:
            said = self._read()
            if "ask" in said and answer is not None:
                try:
                    self._give(answer(len(found), *said["ask"]))
                except BaseException as error:
                    raised = error
                    self._write({"refused": True})
            elif "need" in said:
                try:
                    self._give(_luxon.source().encode())
                except BaseException as error:
                    raised = error
                    self._write({"bytes": None})
            elif "bytes" in said:
                blob = self._out.read(said["bytes"])
                if len(blob) < said["bytes"]:
                    raise self._died()
                found.append(blob)
            elif "value" in said:
                found.append(said["value"])
            elif raised is not None:
                raise raised
            elif "error" in said:
                raise ScriptError(*said["error"])
            else:
                return

    def _give(self, blob: bytes | None) -> None:
        self._write({"bytes": None if blob is None else len(blob)}, blob or b"")

    def _write(self, message: dict[str, Any], *blobs: bytes) -> None:
        with suppress(BrokenPipeError):  # the read that follows tells why
            self._in.write(json.dumps(message).encode() + b"\n")
            for blob in blobs:
                self._in.write(blob)
            self._in.flush()

    def _read(self) -> dict[str, Any]:
        line = self._out.readline()
        if line.endswith(b"\n"):
            return json.loads(line)
        raise self._died()

    def _died(self) -> ScriptError:
        if self._process.wait() == -signal.SIGALRM:
            return ScriptError("timeout", "the time limit was reached", 0, 0)
        return ScriptError("memory", "the expression's process ended, most likely for want of memory", 0, 0)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process; whoever reads from it is told."""
        self._process.kill()

    def end(self) -> None:
        self.kill()
        self._process.wait()
        self._in.close()
        self._out.close()


_turns = threading.BoundedSemaphore(_MOST)
_lock = threading.Lock()
_idle: list[_Child] = []


def run_apart(task: Task, answer: Answer | None) -> list[Any]:
    """Run expressions in a process and wait for them; for any thread.

    Gives what `Engine.run` gives for each run. Raises ScriptError, what `answer` raises, and SetupError
    `setup.luxon_missing`.
    """
    found: list[Any] = []
    with _turns:
        run_leashed(task, answer, found, Leash())
    return found


def run_leashed(task: Task, answer: Answer | None, found: list[Any], leash: Leash) -> None:
    """As `run_apart`, for a task that may be ended from outside: its end is a ScriptError too. `found` gets what the
    runs give. It waits for no turn: how many tasks are at work is the caller's to bound."""
    child = _take()
    whole = False
    try:
        if not leash.hold(child):
            raise ScriptError("timeout", "the task was stopped", 0, 0)
        child.run(task, answer, found)
        whole = True
    except (ScriptError, PyAgentError):
        whole = child.alive
        raise
    finally:
        leash.let_go()
        _put_back(child, whole=whole and not leash.pulled)


def _take() -> _Child:
    while True:
        with _lock:
            child = _idle.pop() if _idle else None
        if child is None:
            try:
                return _Child()
            except OSError as error:
                raise ScriptError("memory", f"no process for the expression can be started: {error}", 0, 0) from error
        if child.alive:
            return child
        child.end()


def _put_back(child: _Child, *, whole: bool) -> None:
    with _lock:
        if whole and len(_idle) < _KEPT:
            _idle.append(child)
            return
    child.end()


@atexit.register
def end_processes() -> None:
    """End the processes that have nothing to do."""
    with _lock:
        idle, _idle[:] = list(_idle), []
    for child in idle:
        child.end()
