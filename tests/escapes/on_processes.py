"""Attempts on other processes, to outlive the program, and to use up the machine."""

from __future__ import annotations

import ctypes
import ctypes.util
import mmap
import os
import signal
import threading
import time
from pathlib import Path

from escapes.asking import call, escaped


def signal_outside(known):
    os.kill(known["pid"], 0)
    if b"0.0420" in Path(f"/proc/{known['pid']}/cmdline").read_bytes():
        escaped("it can be signalled")


def signal_everyone(known):
    os.kill(-1, 0)  # asks whether there is anybody to signal
    escaped("others can be signalled")


def kill_supervisor(known):
    if b"\0inside\0" in Path("/proc/1/cmdline").read_bytes():  # not where 1 is the system's own
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            os.kill(1, number)
        time.sleep(0.3)
        Path("still").write_text("here")


def trace(known):
    call("ptrace", 16, known["pid"], 0, 0)
    escaped("ptrace")


def trace_parent(known):
    call("ptrace", 0x4206, os.getppid(), 0, 0)
    escaped("ptrace")


def read_memory(known):
    buffer = ctypes.create_string_buffer(8)

    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    local = Vector(ctypes.addressof(buffer), 8)
    call("process_vm_readv", os.getpid(), ctypes.byref(local), 1, ctypes.byref(local), 1, 0)
    escaped("process_vm_readv")


def steal_descriptor(known):
    fd = call("pidfd_open", os.getppid(), 0)
    call("pidfd_getfd", fd, 0, 0)
    escaped("pidfd_getfd")


def survive_by_double_fork(known):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", known["marker"]])
        os._exit(0)
    os.wait()


def survive_ignoring_signals(known):
    if os.fork() == 0:
        for number in range(1, 32):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        os.setsid()
        os.execvp("sleep", ["sleep", known["marker"]])


def fork_bomb(known):
    made = 0
    while made < 400:  # each sleeps and ends: it burns out by itself
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        made += 1
    time.sleep(1)
    escaped(f"{made} processes")


def thread_bomb(known):
    made = 0
    try:
        while made < 400:
            threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
            made += 1
    except RuntimeError:
        return
    time.sleep(1)
    escaped(f"{made} threads")


def memory_bomb(known):
    held = []
    for _ in range(64):
        held.append(b"x" * (16 << 20))
    escaped("1 GiB")


def memory_by_children(known):
    for _ in range(12):
        if os.fork() == 0:
            held = bytearray(100 << 20)
            for at in range(0, len(held), 4096):
                held[at] = 1
            time.sleep(8)
            os._exit(0)
    time.sleep(6)
    escaped("1.2 GiB in twelve processes")


def shared_memory_bomb(known):
    with open("/dev/shm/x", "wb") as file:
        for _ in range(64):
            file.write(b"x" * (16 << 20))
    escaped("1 GiB of /dev/shm")


def anonymous_memory_file(known):
    held = os.memfd_create("x")
    os.ftruncate(held, 1 << 30)
    area = mmap.mmap(held, 1 << 30)
    for at in range(0, 1 << 30, 4096):
        area[at] = 1
    time.sleep(0.5)
    escaped("1 GiB of a memory file")


def fill_disk(known):
    for number in range(200):
        with open(f"fill{number}", "wb") as file:
            for _ in range(8):
                file.write(os.urandom(1 << 20))
        os.sync()
    time.sleep(1.5)
    escaped("1.6 GB on the disk")


def large_file(known):
    with open("large", "wb") as file:
        for _ in range(200):
            file.write(b"x" * (1 << 20))
    escaped("a file of 200 MiB")


def endless_computing(known):
    until = time.process_time() + 30
    while time.process_time() < until:
        pass
    escaped("30 seconds of processor time")


def many_descriptors(known):
    for _ in range(100_000):
        os.open("/dev/null", os.O_RDONLY)
    escaped("100,000 descriptors")
