"""Attempts to get rights from the kernel, and by way of other programs."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

from escapes.asking import LIBC, call, escaped


def io_uring(known):
    call("io_uring_setup", 8, ctypes.create_string_buffer(256))
    escaped("io_uring")


def keys(known):
    call("keyctl", 0, -3, 0)
    escaped("keyctl")


def add_key(known):
    call("add_key", b"user", b"escape", b"y", 1, -1)  # the thread's own keyring: gone with it
    escaped("add_key")


def load_bpf(known):
    call("bpf", 0, ctypes.create_string_buffer(128), 128)
    escaped("bpf")


def faults(known):
    call("userfaultfd", 1)
    escaped("userfaultfd")


def perf(known):
    call("perf_event_open", ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + bytes(96)), 0, -1, -1, 0)
    escaped("perf")


def mount(known):
    os.mkdir("point")
    call("mount", b"none", b"point", b"tmpfs", 0, 0)
    call("umount2", b"point", 2)
    escaped("mount")


def new_mount_calls(known):
    os.mkdir("none")
    for name, arguments in (
        ("open_tree", (-100, b"none", 1)), ("fsopen", (b"tmpfs", 0)), ("umount2", (b"none", 2)),
        ("mount_setattr", (-100, b"none", 0, ctypes.create_string_buffer(32), 32)),
    ):  # fmt: skip
        try:
            call(name, *arguments)
        except OSError as error:
            if error.errno not in (1, 38):
                escaped(f"{name} is only refused with {error}")
            continue
        escaped(name)


def bind(known):
    os.mkdir("bound")
    call("mount", b"/usr", b"bound", 0, 4096, 0)
    call("umount2", b"bound", 2)
    escaped("bound")


def new_user_namespace(known):
    call("unshare", 0x10000000)
    escaped("unshare")


def clone_user_namespace(known):
    pid = LIBC.syscall(56, ctypes.c_long(0x10000000 | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        escaped("clone")


def clone3_namespace(known):
    arguments = struct.pack("11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    pid = LIBC.syscall(435, arguments, 88)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        escaped("clone3")


def join_namespace(known):
    with open("/proc/1/ns/mnt") as file:
        call("setns", file.fileno(), 0)
        escaped("setns")


def change_root(known):
    call("chroot", b".")
    escaped("chroot")


def open_by_handle(known):
    call("open_by_handle_at", -100, ctypes.create_string_buffer(128), 0)
    escaped("handle")


def kernel_calls(known):
    """With arguments that the kernel itself refuses: only its answer tells who refused."""
    for name in ("init_module", "swapon", "syslog", "iopl", "kcmp", "bpf", "perf_event_open", "process_madvise"):
        try:
            call(name, -1, -1, -1, -1, -1)
        except OSError as error:
            if error.errno not in (1, 38):
                escaped(f"{name} is only refused with {error}")
            continue
        escaped(name)


def other_call_tables(known):
    """System calls by x86's x32 numbers, which a list of the usual numbers does not hold."""
    for number in (0x40000000 + 101, 0x40000000 + 521, 0x40000000 + 165, 0x40000000 + 39):
        if LIBC.syscall(ctypes.c_long(number), 0, 0, 0, 0) >= 0:
            escaped(hex(number))


def terminal_typing(known):
    import fcntl

    _, slave = os.openpty()
    try:
        fcntl.ioctl(slave, 0x5412, b"x")
    except OSError:
        return
    escaped("TIOCSTI")


def become_root(known):
    for program in ("/usr/bin/su", "/usr/bin/sudo", "/usr/bin/newgrp", "/usr/bin/mount", "/usr/bin/passwd"):
        if os.path.exists(program) and os.stat(program).st_mode & 0o4000:
            got = subprocess.run([program, "--version"], capture_output=True, text=True).stdout  # must not gain rights
            status = subprocess.run([program, "-c", "id -u"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if os.getuid() != 0 and status.stdout.strip() == "0":
                escaped(f"{program} {got}")


def change_user(known):
    for user in (0, 1, 65534):
        if user != os.getuid():
            try:
                os.setuid(user)
            except OSError:
                continue
            escaped(f"user {user}")


def gain_rights(known):
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    effective = int(status["CapEff"], 16)
    if effective & ~0b11011:  # rights over its own files, in its own namespace, for root
        escaped(hex(effective))
    if status["NoNewPrivs"].strip() != "1":
        escaped("new privileges may be gained")


def loader_tricks(known):
    """LD_PRELOAD reaches only its own children: what they do is held as well."""
    done = subprocess.run(
        [sys.executable, "-c", f"print(open({known['secret']!r}).read())"],
        env={"LD_PRELOAD": "./evil.so", "LD_LIBRARY_PATH": "."}, capture_output=True, text=True,
    )  # fmt: skip
    if "treasure" in done.stdout:
        escaped(done.stdout)


def by_a_child(known):
    done = subprocess.run(["/bin/cat", known["secret"]], capture_output=True, text=True)
    if "treasure" in done.stdout:
        escaped(done.stdout)


def by_a_new_session(known):
    done = subprocess.run(["setsid", "sh", "-c", f"cat {known['secret']}"], capture_output=True, text=True)
    if "treasure" in done.stdout:
        escaped(done.stdout)


def mount_by_program(known):
    done = subprocess.run(["unshare", "-r", "-m", "sh", "-c", f"cat {known['secret']}"], capture_output=True, text=True)
    if done.returncode == 0 or "treasure" in done.stdout:
        escaped(done)


def leave_files_running(known):
    """A file that is made executable outside the sandbox's eye would need a place outside."""
    target = Path(known["outside"], "run.sh")
    os.symlink(target, "way")
    Path("way").write_text("#!/bin/sh\n")
    escaped("written through a link")


def swap_folder(known):
    """Race a folder against a link while writing: both names are inside, the target is not."""
    Path("place").mkdir()
    for _ in range(300):
        try:
            os.rename("place", "aside")
            os.symlink(known["outside"], "place")
            Path("place/planted").write_text("x")
            escaped("race")
        except OSError:
            pass
        os.remove("place")
        os.rename("aside", "place")
