"""Watches what Python does to the world while a block runs: files written, programs started, sockets used.

It sees what the interpreter's audit events tell (PEP 578), in every thread of the process; what a C library does by
itself it does not see.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CHANGES = frozenset(
    {
        "os.chmod", "os.chown", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.link", "os.mkdir",
        "os.posix_spawn", "os.putenv", "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system",
        "os.truncate", "os.unsetenv", "os.utime", "pty.spawn", "shutil.chown", "shutil.copyfile", "shutil.move",
        "shutil.rmtree", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname",
        "socket.sendmsg", "socket.sendto", "sqlite3.connect", "subprocess.Popen", "urllib.Request",
    }
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_listener: Callable[[str, tuple[Any, ...]], None] | None = None
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _listener is not None:
        _listener(event, arguments)


@contextmanager
def watched_effects(*, allowed: Sequence[Path] = ()) -> Generator[list[str]]:
    """What was done to the world inside the block, each as `event argument`; nothing beneath the `allowed` folders."""
    global _listener, _installed
    if not _installed:
        # It cannot be taken away again, so it is put in once and asks whether anybody listens.
        sys.addaudithook(_hook)
        _installed = True
    seen: list[str] = []
    inside = tuple(str(folder) for folder in allowed)

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & _WRITES) or isinstance(path, int):
                return
        elif event not in _CHANGES:
            return
        about = os.fsdecode(arguments[0]) if arguments and isinstance(arguments[0], str | bytes) else ""
        if about == os.devnull or "__pycache__" in about or (inside and about.startswith(inside)):
            return
        told = about or " ".join(str(part) for part in arguments)
        seen.append(f"{event} {told}"[:200])

    outer, _listener = _listener, listen
    try:
        yield seen
    finally:
        _listener = outer
