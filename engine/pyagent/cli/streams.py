"""Standard streams that a command can rely on: open, in UTF-8 whatever the locale, and quiet once nobody reads them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Generator
from typing import TextIO, cast

_listeners: list[Callable[[], object]] = []


class _Output(io.TextIOWrapper):
    """Standard output or error; when its reader has gone, as `head` does, what is written is dropped."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._reader_gone()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._reader_gone()

    def _reader_gone(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        for listener in list(_listeners):
            listener()


@contextlib.contextmanager
def when_unread(listener: Callable[[], object]) -> Generator[None]:
    """Inside the block, call `listener` once nobody reads what is written."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def prepare_streams() -> None:
    """Make the streams of this process what the module promises. For the program's start."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Left closed, its number would go to the next file that is opened, and output into that file.
            os.open(os.devnull, os.O_RDWR)
    if cast("TextIO | None", sys.stdin) is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the descriptor above
    sys.stdout, sys.stderr = _output(sys.stdout, 1), _output(sys.stderr, 2)
    cast("io.TextIOWrapper[io.BufferedReader]", sys.stdin).reconfigure(encoding="utf-8", errors="strict")
    for name in ("COLUMNS", "LINES"):
        # Some containers set 0, which means that nobody knows.
        if os.environ.get(name) == "0":
            del os.environ[name]


def _output(stream: TextIO | None, number: int) -> TextIO:
    buffer = io.BufferedWriter(io.FileIO(number, "w", closefd=False)) if stream is None else stream.buffer
    terminal = buffer.isatty()
    return _Output(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=terminal or number == 2)


def flush_streams() -> OSError | None:
    """Write out what is buffered; returns why that cannot be done, a full disk for one, and drops it then."""
    failure: OSError | None = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            failure = error
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
    return failure
