"""The supervisor that stands between the engine and a program it runs; `pyagent.sdk.process` starts it as a script.

It imports the standard library only and is started with `-I -S`, so that it is ready in a few milliseconds.
It is a child subreaper: whatever the program starts, however it detaches itself, stays its descendant. When the
program ends, the engine asks, or the engine dies (even by `kill -9`), every descendant is killed before it exits.

Control socket, one JSON object a line. From the engine: the specification, then perhaps `{"stop": grace}`; the end
of the stream means: kill at once. To the engine: `{"started": pid}` or `{"failed": errno, "message": text}`, and at
the end `{"ended": code, "cpu": seconds, "memory": bytes}`, sent when no descendant is left.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIMITS = {
    "memory": resource.RLIMIT_AS,
    "cpu_seconds": resource.RLIMIT_CPU,
    "processes": resource.RLIMIT_NPROC,
    "file_size": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
}


def prctl(option: int, value: int) -> None:
    """Linux's `prctl`; other systems go on with what process groups can do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def parents() -> dict[int, int]:
    """The parent of every process that can be seen; empty where there is no /proc."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH208, PTH112 - pathlib costs 5 ms
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The command's name is in parentheses and may itself hold spaces and parentheses.
                found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    return found


def descendants(root: int) -> set[int]:
    """Every process below `root`."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    front = [root]
    while front:
        for pid in children.get(front.pop(), ()):
            if pid not in found:
                found.add(pid)
                front.append(pid)
    return found


def threads_of_user() -> int:
    """Threads that this user runs now: the kernel counts RLIMIT_NPROC over all of them."""
    uid, total = os.getuid(), 0
    for pid in parents():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == uid:  # noqa: PTH116
                total += os.stat(f"/proc/{pid}/task").st_nlink - 2  # noqa: PTH116
    return total


def run_child(spec: dict[str, Any], supervisor: int, report: int) -> NoReturn:
    """In the forked child: take its place and limits, and become the program."""
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(127)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name, kind in LIMITS.items():
            value = spec["limits"].get(name)
            if value is None:
                continue
            if name == "processes":
                value += threads_of_user()
            hard = resource.getrlimit(kind)[1]
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            # One more second than the soft limit, so that a program may still say SIGXCPU's last words.
            resource.setrlimit(kind, (value, value + 1 if name == "cpu_seconds" and hard < 0 else value))
        if spec["cwd"]:
            os.chdir(spec["cwd"])
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - an argument list, no shell
    except OSError as error:
        os.write(report, json.dumps({"failed": error.errno, "message": str(error)}).encode())
    except ValueError as error:
        os.write(report, json.dumps({"failed": errno.EINVAL, "message": str(error)}).encode())
    os._exit(127)


class Supervisor:
    """Runs one program and ends with nothing of it left."""

    def __init__(self, control: socket.socket, parent: int) -> None:
        self.control = control
        self.parent = parent
        self.code: int | None = None
        self.usage: resource.struct_rusage | None = None
        self.pid = 0
        self.received = b""
        """What the engine has said and nobody has looked at: a stop may come together with the specification."""

    def say(self, **message: Any) -> None:
        """Tell the engine, which may be gone."""
        with contextlib.suppress(OSError):
            self.control.sendall(json.dumps(message).encode() + b"\n")

    def start(self, spec: dict[str, Any]) -> bool:
        """Fork the program; False if it could not be executed."""
        reader, writer = os.pipe()
        supervisor = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            run_child(spec, supervisor, writer)
        os.close(writer)
        failure = b""
        while chunk := os.read(reader, 65536):  # ends when the exec closes the pipe
            failure += chunk
        os.close(reader)
        # The pipes belong to the program alone: were they open here, their readers would never see the end.
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        if failure:
            self.say(**json.loads(failure))
            return False
        self.say(started=self.pid)
        return True

    def reap(self) -> None:
        """Collect every child that has ended, adopted ones too."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.code, self.usage = os.waitstatus_to_exitcode(status), usage

    def watch(self, wakeup: int) -> None:
        """Return when the program has ended or must not go on."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        with contextlib.suppress(OSError, AttributeError):  # old kernels: the control socket's end must do
            poll.register(os.pidfd_open(self.parent), select.POLLIN)
        deadline: float | None = None
        while True:
            self.reap()
            if self.code is not None or os.getppid() != self.parent:
                return
            if b"\n" in self.received:
                line, _, self.received = self.received.partition(b"\n")
                deadline = time.monotonic() + float(json.loads(line)["stop"])
                for pid in {self.pid, *descendants(os.getpid())}:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGTERM)
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            if timeout == 0.0:
                return
            ready = {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000 + 1)}
            if wakeup in ready:
                os.read(wakeup, 4096)
            if self.control.fileno() in ready:
                chunk = self.control.recv(4096)
                if not chunk:
                    return
                self.received += chunk

    def kill_all(self) -> None:
        """Kill every descendant and wait for it; gives up on those of another user."""
        own = os.getpid()
        while True:
            stopped: set[int] = set()
            # Stopped processes cannot fork, so this comes to an end even against a fork bomb.
            while fresh := descendants(own) - stopped:
                for pid in fresh:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGSTOP)
                stopped |= fresh
            killed = 0
            for pid in stopped:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            if self.pid:
                with contextlib.suppress(OSError):  # all there is without /proc
                    os.killpg(self.pid, signal.SIGKILL)
            self.reap()
            try:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | (0 if killed else os.WNOHANG))
            except ChildProcessError:
                return
            if not killed and not descendants(own) - stopped:
                return


def main() -> None:
    """Read the specification, run it, leave nothing behind."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    supervisor = Supervisor(control, int(sys.argv[2]))
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    received = b""
    while b"\n" not in received:
        chunk = control.recv(1 << 20)
        if not chunk:
            return
        received += chunk
    line, _, supervisor.received = received.partition(b"\n")
    spec = json.loads(line)
    try:
        if supervisor.start(spec):
            supervisor.watch(woken)
    finally:
        supervisor.kill_all()
    if supervisor.code is not None:
        used = supervisor.usage
        supervisor.say(
            ended=supervisor.code,
            cpu=used.ru_utime + used.ru_stime if used else 0.0,
            memory=used.ru_maxrss * 1024 if used else 0,
        )


if __name__ == "__main__":
    main()
    os._exit(0)
