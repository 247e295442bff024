"""The attempts: programs that start as a user's code does, and know where the secrets are.

Each runs as a script inside the sandbox with one argument, a JSON object of what it may know (`outside`: a folder that
it may not see; `secret`: a file in it; `pid`: a process outside; `port`, `abstract`, `socket`: where somebody listens).
It prints `ESCAPED` and what it got if it succeeds. An exception, an error number or a kill is the sandbox's success.

An attempt that succeeds must do no harm: a sandbox may one day have a hole, and the test runs on somebody's machine, as
root even. It asks for the right and does not use it (opens without writing, signals with 0), or undoes what it did, and
what takes resources stops by itself. None mounts, stops, sets or writes anything outside the test's own folder.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import mmap
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
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


# Files


def read_file(known):
    escaped(Path(known["secret"]).read_text())


def list_folder(known):
    escaped(os.listdir(known["outside"]))


def see_file(known):
    escaped(os.stat(known["secret"]))


def read_by_link(known):
    os.symlink(known["secret"], "link")
    escaped(Path("link").read_text())


def read_by_folder_link(known):
    os.symlink(known["outside"], "linked")
    escaped(os.listdir("linked"))


def read_by_dots(known):
    escaped(Path("../" * 30 + known["secret"].lstrip("/")).read_text())


def hard_link(known):
    os.link(known["secret"], "hard")
    escaped(Path("hard").read_text())


def rename_out(known):
    Path("mine").write_text("x")
    os.rename("mine", known["outside"] + "/planted")
    escaped("renamed")


def write_outside(known):
    Path(known["outside"], "planted").write_text("x")
    escaped("written")


def append_to_secret(known):
    with open(known["secret"], "a") as file:
        file.write("x")
    escaped("appended")


def cut_secret(known):
    os.truncate(known["secret"], 0)
    escaped("cut")


def change_mode(known):
    os.chmod(known["secret"], 0o777)
    escaped("mode")


def change_times(known):
    os.utime(known["secret"], (1, 1))
    escaped("times")


def change_owner(known):
    os.chown(known["secret"], os.getuid(), os.getgid())
    escaped("owner")


def set_attribute(known):
    os.setxattr(known["secret"], "user.x", b"1")
    escaped("attribute")


def remove_secret(known):
    os.remove(known["secret"])
    escaped("removed")


def write_home(known):
    planted = Path(known["home"], f".escape-{os.getpid()}")
    planted.touch(exist_ok=False)
    planted.unlink()
    escaped("home")


def read_home(known):
    escaped(os.listdir(Path(known["home"], ".ssh")))


def read_shadow(known):
    escaped(Path("/etc/shadow").read_text()[:20])


def write_system(known):
    name = f"escape-{os.getpid()}"
    for folder in ("/usr/bin", "/etc", "/opt", "/", "/dev", "/var/lib"):
        try:
            Path(folder, name).touch(exist_ok=False)
        except OSError:
            continue
        Path(folder, name).unlink()
        escaped(folder)


def change_python(known):
    os.close(os.open(os.__file__, os.O_WRONLY))
    escaped("the interpreter's library")


def device(known):
    for kind, number in ((0o060000, os.makedev(8, 0)), (0o020000, os.makedev(1, 1))):
        try:
            os.mknod("device", kind | 0o600, number)
        except OSError:
            continue
        os.remove("device")
        escaped("device made")
    for path in ("/dev/mem", "/dev/kmem", "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse", "/dev/net/tun"):
        if os.path.exists(path):
            escaped(path)


def system_settings(known):
    for path in (
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper", "/sys/power/state", "/proc/sys/kernel/modprobe",
    ):  # fmt: skip
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError:
            continue
        escaped(path)


# /proc


def proc_root(known):
    for pid in ("self", "1", str(os.getppid()), str(known["pid"]), "thread-self"):
        path = f"/proc/{pid}/root{known['secret']}"
        if os.path.exists(path):
            escaped(path)


def proc_cwd(known):
    for pid in ("1", str(os.getppid()), str(known["pid"])):
        try:
            escaped(os.listdir(f"/proc/{pid}/cwd/{known['outside']}"))
        except OSError:
            pass


def proc_memory(known):
    for pid in (1, known["pid"]):
        try:
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
        except OSError:
            continue
        escaped(pid)


def proc_environment(known):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                content = Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if b"HIDDEN_SECRET" in content:
                escaped(f"environment of {entry}")


def proc_descriptors(known):
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                for name in os.listdir(f"/proc/{entry}/fd"):
                    target = os.readlink(f"/proc/{entry}/fd/{name}")
                    if known["outside"] in target:
                        escaped(target)
            except OSError:
                pass


def other_processes(known):
    if (
        Path(f"/proc/{known['pid']}/cmdline").exists()
        and b"0.0420" in Path(f"/proc/{known['pid']}/cmdline").read_bytes()
    ):
        escaped("another process is seen")


def inherited_descriptors(known):
    found = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
    for name in found:
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if not target.startswith("/proc/"):
            escaped(target)


def environment(known):
    if "HIDDEN_SECRET" in os.environ:
        escaped(os.environ["HIDDEN_SECRET"])


# Processes


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


# The network


def tcp(known):
    with socket.create_connection(("127.0.0.1", known["port"]), 2) as connection:
        escaped(connection.recv(10))


def tcp6(known):
    with socket.socket(socket.AF_INET6) as connection:
        connection.settimeout(2)
        connection.connect(("::1", known["port"]))
        escaped("tcp6")


def tcp_by_other_addresses(known):
    for host in known["addresses"]:
        try:
            with socket.create_connection((host, known["port"]), 1):
                escaped(host)
        except OSError:
            pass


def udp(known):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"ESCAPED by udp", ("127.0.0.1", known["udp"]))


def raw_socket(known):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    escaped("raw")


def packet_socket(known):
    socket.socket(17, socket.SOCK_RAW)
    escaped("packet")


def netlink(known):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as opened:  # netfilter
        opened.bind((0, 0))
        escaped("netlink")


def vsock(known):
    socket.socket(socket.AF_VSOCK)
    escaped("vsock")


def crypto_socket(known):
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
    escaped("alg")


def abstract_socket(known):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + known["abstract"])
        escaped("abstract")


def path_socket(known):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(known["socket"])
        escaped("path")


def resolve_names(known):
    escaped(socket.getaddrinfo("localhost.localdomain.invalid", 80))


# The kernel


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


ATTEMPTS = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", None) == __name__ and not isinstance(value, type)
    and name not in ("call", "escaped")
}  # fmt: skip


if __name__ == "__main__":
    try:
        ATTEMPTS[sys.argv[1]](json.loads(sys.argv[2]))
    except (OSError, MemoryError, subprocess.SubprocessError) as error:
        print("held:", type(error).__name__, error)
