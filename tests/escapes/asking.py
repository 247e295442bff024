"""What the attempts ask the kernel with, and how they say that they got something."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"


def call(name: str, *arguments: Any) -> int:
    """A system call by its number; raises for an error."""
    answer = LIBC.syscall(
        ctypes.c_long(NUMBERS[name]), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
    )
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer


NUMBERS = {
    "ptrace": 101, "keyctl": 250, "add_key": 248, "mount": 165, "unshare": 272, "setns": 308, "bpf": 321,
    "userfaultfd": 323, "perf_event_open": 298, "io_uring_setup": 425, "process_vm_readv": 310, "pidfd_open": 434,
    "pidfd_getfd": 438, "open_by_handle_at": 304, "name_to_handle_at": 303, "kexec_load": 246, "init_module": 175,
    "chroot": 161, "open_tree": 428, "fsopen": 430, "mount_setattr": 442, "swapon": 167, "syslog": 103, "kcmp": 312,
    "process_madvise": 440, "umount2": 166, "iopl": 172,
} if X86 else {}  # fmt: skip


def escaped(what: object) -> None:
    """Say it."""
    print("ESCAPED", what, flush=True)
