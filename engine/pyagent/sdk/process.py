"""Run a program with limits, so that nothing of it outlives the step, not even when the engine is killed.

Each program runs under a small supervisor (`_launch.py`) that adopts whatever the program leaves behind and kills
all of it when the program ends, the step is cancelled, or the engine's process is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pyagent.errors import NodeCancelled, NodeError
from pyagent.sdk.context import CancelToken

Stream: TypeAlias = Literal["stdout", "stderr"]
OnLine: TypeAlias = Callable[[Stream, str], None]

_LAUNCHER = Path(__file__).with_name("_launch.py")
_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_LONGEST_LINE = 65536
_PATIENCE = 10.0
"""Seconds after the grace time in which the supervisor must have ended; a stopped one is killed."""


class ProcessError(NodeError):
    """A program could not be run, or ended badly."""

    code = "node.process"
    hint = "Try the same command by hand, in the step's work directory."


class ProcessNotFound(ProcessError):
    """The program does not exist or may not be executed."""

    code = "node.process_not_found"
    hint = "Install the program, or give its full path."


@dataclass(frozen=True, kw_only=True)
class ProcessLimits:
    """What a program may use; None: no limit of ours. All but the last two hold for each of its processes."""

    memory: int | None = None
    """Bytes of address space (RLIMIT_AS). Programs that reserve much and use little (Node, Java) need it off."""
    cpu_seconds: int | None = None
    """Seconds of processor time (RLIMIT_CPU)."""
    processes: int | None = None
    """Processes and threads beyond those the user has already (RLIMIT_NPROC; the kernel exempts root)."""
    file_size: int | None = None
    """Bytes of the largest file it may write (RLIMIT_FSIZE)."""
    open_files: int | None = None
    """Open file descriptors (RLIMIT_NOFILE)."""
    output: int = 10 * 1024 * 1024
    """Bytes kept of stdout and of stderr, each; beyond it the first and the last half are kept."""
    stop_at_output: bool = False
    """End the program when its stdout is larger than `output`: whoever needs it whole has no use for the rest."""


@dataclass(frozen=True, kw_only=True)
class ProcessResult:
    """How a program ended. It and all it started are gone."""

    exit_code: int
    """Its exit status; minus the signal's number if a signal ended it."""
    stdout: bytes
    stderr: bytes
    timed_out: bool
    """Whether it was ended because it outlived `timeout`."""
    duration: float
    """Seconds from its start to its end."""
    stdout_dropped: int = 0
    """Bytes left out of the middle of `stdout`, for size. With `stop_at_output` the program was ended then."""
    stderr_dropped: int = 0
    """Bytes left out of the middle of `stderr`, for size."""
    cpu_seconds: float = 0.0
    """Processor time it and the children it waited for used."""
    peak_memory: int = 0
    """Bytes, the largest resident set of one of them."""

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.exit_code == 0 and not self.timed_out

    @property
    def text(self) -> str:
        """`stdout` as UTF-8, bad bytes replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def error_text(self) -> str:
        """`stderr` as UTF-8, bad bytes replaced."""
        return self.stderr.decode(errors="replace")

    @property
    def outcome(self) -> str:
        """How it ended, for people: `exit code 2`, `timed out`, `killed by SIGSEGV`."""
        if self.timed_out:
            return "timed out"
        if self.exit_code >= 0:
            return f"exit code {self.exit_code}"
        try:
            return f"killed by {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"killed by signal {-self.exit_code}"


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment without secrets: path, home, locale, time zone and certificates, plus `extra`."""
    found = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **found, **(extra or {})}


class _Capture:
    """Keeps a bounded part of a stream and hands out its lines."""

    def __init__(self, stream: Stream, limit: int, on_line: OnLine | None) -> None:
        self._stream: Stream = stream
        self._limit = limit
        self._on_line = on_line
        self._head = bytearray()
        self._tail = bytearray()
        self._line = b""
        self.dropped = 0
        self.seen = 0
        self.full = asyncio.Event()
        """Set when more than the limit has come."""

    def feed(self, chunk: bytes) -> None:
        self.seen += len(chunk)
        if self.seen > self._limit:
            self.full.set()
        if self._on_line is not None:
            *lines, self._line = (self._line + chunk).split(b"\n")
            for line in lines:
                self._say(line)
            while len(self._line) > _LONGEST_LINE:
                self._say(self._line[:_LONGEST_LINE])
                self._line = self._line[_LONGEST_LINE:]
        room = self._limit // 2 - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        if len(self._tail) > self._limit:  # cut rarely: each cut moves half the bytes
            self._cut()

    def end(self) -> bytes:
        if self._line:
            self._say(self._line)
            self._line = b""
        self._cut()
        return bytes(self._head + self._tail)

    def _cut(self) -> None:
        surplus = len(self._tail) - (self._limit - self._limit // 2)
        if surplus > 0:
            del self._tail[:surplus]
            self.dropped += surplus

    def _say(self, line: bytes) -> None:
        if self._on_line is not None:
            self._on_line(self._stream, line.rstrip(b"\r").decode(errors="replace"))


async def run_process(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    limits: ProcessLimits | None = None,
    cancel: CancelToken | None = None,
    on_line: OnLine | None = None,
    grace: float = 5.0,
) -> ProcessResult:
    """Run `argv` (no shell) to its end and return its outcome, whatever its exit code.

    It gets `env` (without it: `clean_environment()`), `stdin` (without it: nothing), a session and process group of
    its own, and `limits`. After `timeout` seconds, or when `cancel` asks for it, it and all its descendants get
    SIGTERM and, `grace` seconds later, SIGKILL; cancelling the calling task kills them at once. Descendants that the
    program leaves behind are killed when it ends. `on_line` is called with each line of output as it comes.

    Raises `ProcessNotFound` if it cannot be executed, `NodeCancelled` (after its end) if `cancel` asked for it, and
    `ProcessError` if its supervisor was killed.
    """
    arguments = [str(part) for part in argv]
    if not arguments or any("\0" in part for part in arguments):
        raise ProcessError("the command is empty or holds a NUL character")
    limits = limits or ProcessLimits()
    if cancel is not None:
        cancel.check()
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns at the exec, within a millisecond or two
                [sys.executable, "-I", "-S", str(_LAUNCHER), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=clean_environment(),
            )
        except BaseException:
            ours.close()
            raise
    specification = {
        "argv": arguments,
        "cwd": str(cwd) if cwd else None,
        "env": dict(clean_environment() if env is None else env),
        "limits": {name: value for name, value in asdict(limits).items() if name not in ("output", "stop_at_output")},
    }
    running = _Running(process, ours, limits, on_line)
    try:
        return await running.run(specification, stdin, timeout, cancel, grace, arguments[0])
    finally:
        await running.end()


class _Running:
    """One supervised program."""

    def __init__(
        self, process: subprocess.Popen[bytes], control: socket.socket, limits: ProcessLimits, on_line: OnLine | None
    ) -> None:
        self._process = process
        self._control = control
        self._stop_at_output = limits.stop_at_output
        self._captures = (
            _Capture("stdout", limits.output, on_line),
            _Capture("stderr", limits.output, on_line),
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._transports: list[asyncio.BaseTransport] = []
        self._messages: dict[str, Any] = {}
        self._watch: asyncio.Task[None] | None = None

    async def run(
        self,
        specification: Mapping[str, Any],
        stdin: bytes | None,
        timeout: float | None,
        cancel: CancelToken | None,
        grace: float,
        program: str,
    ) -> ProcessResult:
        loop = asyncio.get_running_loop()
        started = time.monotonic()
        self._control.setblocking(False)
        self._watch = asyncio.create_task(self._listen())
        outputs = (self._process.stdout, self._process.stderr)
        drains = [
            asyncio.create_task(self._drain(pipe, capture))
            for pipe, capture in zip(outputs, self._captures, strict=True)
        ]
        self._tasks += drains
        with contextlib.suppress(ConnectionError):  # its supervisor is gone: `_listen` finds out
            await loop.sock_sendall(self._control, json.dumps(specification).encode() + b"\n")
        if stdin is not None:
            self._tasks.append(asyncio.create_task(self._feed(stdin)))
        asked = asyncio.create_task(cancel.wait()) if cancel is not None else None
        if asked is not None:
            self._tasks.append(asked)
        full = asyncio.create_task(self._captures[0].full.wait()) if self._stop_at_output else None
        if full is not None:
            self._tasks.append(full)
        awaited: set[asyncio.Task[Any]] = {task for task in (self._watch, asked, full) if task is not None}
        await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        cancelled = asked is not None and asked.done() and not self._watch.done()
        wrote_too_much = full is not None and full.done()
        timed_out = not self._watch.done() and not cancelled and not wrote_too_much
        if not self._watch.done():
            with contextlib.suppress(ConnectionError):
                await loop.sock_sendall(self._control, json.dumps({"stop": grace}).encode() + b"\n")
            await self._supervisor_ended(self._watch, grace + _PATIENCE)
        duration = time.monotonic() - started
        # All writers are dead, so the ends come at once; a process of another user may still hold them open.
        await asyncio.wait(drains, timeout=2.0)
        if "failed" in self._messages:
            self._raise_failed(program, specification["cwd"])
        if cancelled and cancel is not None:
            raise NodeCancelled(f"{program} was stopped ({cancel.reason or 'cancel'})")
        if "ended" not in self._messages:
            raise ProcessError(
                f"the supervisor of {program} was killed",
                hint="Something on this machine, or the program itself, killed its parent process.",
            )
        stdout, stderr = (capture.end() for capture in self._captures)
        return ProcessResult(
            exit_code=self._messages["ended"],
            stdout=stdout,
            stderr=stderr,
            timed_out=timed_out,
            duration=duration,
            stdout_dropped=self._captures[0].dropped,
            stderr_dropped=self._captures[1].dropped,
            cpu_seconds=self._messages["cpu"],
            peak_memory=self._messages["memory"],
        )

    async def end(self) -> None:
        """Leave nothing behind; also when the caller's task is being cancelled."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)  # the supervisor now kills what is left
        if self._watch is not None and not self._watch.done():
            while not self._watch.done():
                # A second cancel must not leave the program running: go on waiting for its end.
                with contextlib.suppress(asyncio.CancelledError):
                    await self._supervisor_ended(self._watch, _PATIENCE)
        if "ended" not in self._messages and (session := self._messages.get("started")):
            # Its supervisor was killed: what is left of the program's own group is all that can be found.
            with contextlib.suppress(OSError):
                os.killpg(session, signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
        for transport in self._transports:
            transport.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._control.close()
        self._process.wait()  # its socket is closed: it is already ending

    async def _supervisor_ended(self, watch: asyncio.Task[None], patience: float) -> None:
        await asyncio.wait({watch}, timeout=patience)
        if not watch.done():  # the program stopped its supervisor (SIGSTOP)
            self._process.kill()
            await asyncio.wait({watch})

    async def _listen(self) -> None:
        """Collect what the supervisor says, until its end."""
        loop = asyncio.get_running_loop()
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await loop.sock_recv(self._control, 65536):
                *lines, received = (received + chunk).split(b"\n")
                for line in lines:
                    self._messages.update(json.loads(line))

    async def _drain(self, pipe: Any, capture: _Capture) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 18)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._transports.append(transport)
        while chunk := await reader.read(1 << 16):
            capture.feed(chunk)

    async def _feed(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, self._process.stdin)
        self._transports.append(transport)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        with contextlib.suppress(ConnectionError):  # a program need not read all it is given
            for start in range(0, len(data), 1 << 18):
                writer.write(data[start : start + (1 << 18)])
                await writer.drain()
        transport.close()

    def _raise_failed(self, program: str, cwd: str | None) -> None:
        number, message = self._messages["failed"], self._messages["message"]
        if cwd and not Path(cwd).is_dir():
            raise ProcessError(f"the working directory {cwd} does not exist", hint="Create it first.")
        if number in (errno.ENOENT, errno.EACCES, errno.ENOTDIR):
            raise ProcessNotFound(f"{program} cannot be run: {message}", details={"errno": number})
        raise ProcessError(f"{program} cannot be run: {message}", details={"errno": number})
