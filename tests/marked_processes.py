"""Processes that a test knows by a word in their arguments: inside a sandbox their numbers are others."""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path


def marked(word: str) -> dict[int, int]:
    """A pidfd of every process that has `word` in its arguments, by its number; the caller closes them."""
    found: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if word.encode() in (folder / "cmdline").read_bytes():
                    found[int(folder.name)] = os.pidfd_open(int(folder.name))
    return found


def have_ended(descriptors: dict[int, int], within: float = 0.0) -> bool:
    """Whether all these have ended, or do within so many seconds; closes the descriptors."""
    poll = select.poll()
    left = set(descriptors.values())
    for descriptor in left:
        poll.register(descriptor, select.POLLIN)
    while left:
        ready = poll.poll(within * 1000)
        if not ready:
            break
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            left.discard(descriptor)
    for descriptor in descriptors.values():
        os.close(descriptor)
    return not left
