"""Run a program with limits, so that nothing of it outlives the step, not even when the engine is killed.

Each program runs under a small supervisor, the compiled `pyagent-sandbox`, that adopts whatever the program leaves
behind and kills all of it when the program ends, the step is cancelled, or the engine's process is gone. With a
`Sandbox` the program also sees and reaches nothing but what that allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from pyagent.errors import NodeCancelled, NodeError
from pyagent.sdk.context import CancelToken, Context
from pyagent.sdk.environment import clean_environment
from pyagent.sdk.sandbox import Sandbox, entries, is_wanted, program, scratch

Stream: TypeAlias = Literal["stdout", "stderr"]
OnLine: TypeAlias = Callable[[Stream, str], None]

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


class SandboxMissing(ProcessError):
    """This machine cannot keep the program inside its sandbox, so it was not run."""

    code = "node.sandbox_missing"
    hint = "`pyagent doctor` tells what this machine has; PYAGENT_SANDBOX=best runs programs with what there is."


@dataclass(frozen=True, kw_only=True)
class ProcessLimits:
    """What a program may use; None: no limit of ours. The first five hold for each of its processes."""

    memory: int | None = None
    """Bytes of address space (RLIMIT_AS), and of the memory that all its processes really use together. Programs that
    reserve much and use little (Node, Java) need it off."""
    cpu_seconds: int | None = None
    """Seconds of processor time (RLIMIT_CPU)."""
    processes: int | None = None
    """Processes and threads at a time, together."""
    file_size: int | None = None
    """Bytes of the largest file it may write (RLIMIT_FSIZE)."""
    open_files: int | None = None
    """Open file descriptors (RLIMIT_NOFILE)."""
    disk: int | None = None
    """Bytes by which the folders that its sandbox lets it change may grow, together."""
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
    exceeded: str = ""
    """The limit that it was killed for, where all its processes together used too much: `memory`, `processes`, `disk`.
    """
    held: tuple[str, ...] = ()
    """The kernel's means that kept it in its sandbox: `landlock`, `mount`, `net`, `pid`, `seccomp`, `user`, `ipc`."""
    unkept: tuple[str, ...] = ()
    """What the machine could not keep of the sandbox, for people; empty unless PYAGENT_SANDBOX is `best`."""

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
        if self.exceeded:
            return f"killed for using too much: {self.exceeded}"
        if self.exit_code >= 0:
            return f"exit code {self.exit_code}"
        try:
            return f"killed by {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"killed by signal {-self.exit_code}"


def log_unkept(result: ProcessResult, ctx: Context) -> None:
    """Say in the run's log what this machine did not keep of the sandbox, where the user chose to go on without."""
    if result.unkept:
        ctx.log(f"the sandbox does not keep: {'; '.join(result.unkept)}", level="warning")


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
    sandbox: Sandbox | None = None,
    cancel: CancelToken | None = None,
    on_line: OnLine | None = None,
    grace: float = 5.0,
) -> ProcessResult:
    """Run `argv` (no shell) to its end and return its outcome, whatever its exit code.

    It gets `env` (without it: `clean_environment()`), `stdin` (without it: nothing), a session and process group of
    its own, and `limits`. After `timeout` seconds, or when `cancel` asks for it, it and all its descendants get
    SIGTERM and, `grace` seconds later, SIGKILL; cancelling the calling task kills them at once. Descendants that the
    program leaves behind are killed when it ends. `on_line` is called with each line of output as it comes. With a
    `sandbox` it sees and reaches what that allows; without one, all that this user does.

    Raises `ProcessNotFound` if it cannot be executed, `SandboxMissing` if this machine cannot keep it in its sandbox,
    `NodeCancelled` (after its end) if `cancel` asked for it, and `ProcessError` if its supervisor was killed.
    """
    arguments = [str(part) for part in argv]
    if not arguments or any("\0" in part for part in arguments):
        raise ProcessError("the command is empty or holds a NUL character")
    limits = limits or ProcessLimits()
    if cancel is not None:
        cancel.check()
    environment = dict(clean_environment() if env is None else env)
    if not is_wanted():
        sandbox = None
    async with scratch(sandbox) as temporary:
        if sandbox is not None and temporary is not None:
            environment |= {"TMPDIR": str(temporary)} | ({"HOME": str(temporary)} if sandbox.own_home else {})
        specification = [
            *(("argv", each) for each in arguments),
            *(("env", f"{name}={value}") for name, value in environment.items()),
            *((name, str(value)) for name in _LIMITS if (value := getattr(limits, name)) is not None),
            *entries(sandbox, temporary),
        ]
        if cwd is not None:
            specification.append(("cwd", str(cwd.absolute())))
        running = _Running(_start(stdin is not None), limits, on_line)
        try:
            return await running.run(_encoded(specification), stdin, timeout, cancel, grace, arguments[0], cwd)
        finally:
            await running.end()


_LIMITS = ("memory", "cpu_seconds", "processes", "file_size", "open_files", "disk")


def _encoded(specification: Sequence[tuple[str, str]]) -> bytes:
    """The profile as `pyagent-sandbox` reads it: entries, each ended by a NUL."""
    for name, value in specification:
        if "\0" in value:
            raise ProcessError(f"the {name} of the command holds a NUL character")
    return b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in specification)


@dataclass(kw_only=True)
class _Started:
    """A supervisor that waits for its profile, and our ends of the program's streams."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    streams: list[int]
    """The program's own ends; they are closed once they have been handed over."""
    stdin: BinaryIO | None
    outputs: tuple[BinaryIO, BinaryIO]


def _start(with_stdin: bool) -> _Started:
    executable = program()
    if executable is None:
        raise ProcessError(
            "the program pyagent-sandbox is missing, and nothing is run without it",
            hint="Run `make setup`; it needs cargo, and Linux. PYAGENT_SANDBOX_PROGRAM may name another build of it.",
        )
    with contextlib.ExitStack() as undo:
        pipes = [os.pipe() for _ in range(3 if with_stdin else 2)]
        for each in pipes:
            undo.callback(os.close, each[0])
            undo.callback(os.close, each[1])
        ours, theirs = socket.socketpair()
        undo.enter_context(ours)
        with theirs:
            process = subprocess.Popen(
                [str(executable), "serve"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={},
            )
        null = None if with_stdin else os.open(os.devnull, os.O_RDONLY)
        undo.pop_all()
    (out, out_end), (error, error_end), *given = pipes
    read_end = given[0][0] if null is None else null
    return _Started(
        process=process,
        control=ours,
        streams=[read_end, out_end, error_end],
        stdin=os.fdopen(given[0][1], "wb", 0) if given else None,
        outputs=(os.fdopen(out, "rb", 0), os.fdopen(error, "rb", 0)),
    )


class _Running:
    """One supervised program."""

    def __init__(self, started: _Started, limits: ProcessLimits, on_line: OnLine | None) -> None:
        self._started = started
        self._process = started.process
        self._control = started.control
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
        specification: bytes,
        stdin: bytes | None,
        timeout: float | None,
        cancel: CancelToken | None,
        grace: float,
        program: str,
        cwd: Path | None,
    ) -> ProcessResult:
        loop = asyncio.get_running_loop()
        started = time.monotonic()
        self._control.setblocking(False)
        self._watch = asyncio.create_task(self._listen())
        drains = [
            asyncio.create_task(self._drain(pipe, capture))
            for pipe, capture in zip(self._started.outputs, self._captures, strict=True)
        ]
        self._tasks += drains
        with contextlib.suppress(ConnectionError):  # its supervisor is gone: `_listen` finds out
            socket.send_fds(self._control, [struct.pack("<I", len(specification))], self._started.streams)
            self._hand_over()
            await loop.sock_sendall(self._control, specification)
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
                await loop.sock_sendall(self._control, f"stop {grace}\n".encode())
            await self._supervisor_ended(self._watch, grace + _PATIENCE)
        duration = time.monotonic() - started
        # All writers are dead, so the ends come at once; a process of another user may still hold them open.
        await asyncio.wait(drains, timeout=2.0)
        if "refused" in self._messages:
            raise SandboxMissing(
                f"{program} was not run: this machine cannot keep it from {'; '.join(self._messages['refused'])}",
                details={"missing": self._messages["refused"]},
            )
        if "failed" in self._messages:
            self._raise_failed(program, cwd)
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
            exceeded=self._messages["exceeded"],
            held=tuple(self._messages["held"]),
            unkept=tuple(self._messages["missing"]),
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
        self._hand_over()
        for pipe in (self._started.stdin, *self._started.outputs):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._control.close()
        self._process.wait()  # its socket is closed: it is already ending

    def _hand_over(self) -> None:
        """Close the program's own ends: were they open here, we would never see the end of its output."""
        while self._started.streams:
            os.close(self._started.streams.pop())

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
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, self._started.stdin)
        self._transports.append(transport)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        with contextlib.suppress(ConnectionError):  # a program need not read all it is given
            for start in range(0, len(data), 1 << 18):
                writer.write(data[start : start + (1 << 18)])
                await writer.drain()
        transport.close()

    def _raise_failed(self, program: str, cwd: Path | None) -> None:
        number, message = self._messages["failed"], self._messages["message"]
        if cwd is not None and not cwd.is_dir():
            raise ProcessError(f"the working directory {cwd} does not exist", hint="Create it first.")
        if number in (errno.ENOENT, errno.EACCES, errno.ENOTDIR):
            raise ProcessNotFound(f"{program} cannot be run: {message}", details={"errno": number})
        raise ProcessError(f"{program} cannot be run: {message}", details={"errno": number})
