"""Attempts on files outside, and on what /proc tells of others."""

from __future__ import annotations

import os
from pathlib import Path

from escapes.asking import escaped


def read_file(known):
    escaped(Path(known["secret"]).read_text())


def list_folder(known):
    escaped(os.listdir(known["outside"]))


def see_file(known):
    escaped(os.stat(known["secret"]))


def hidden_read(known):
    escaped(Path(known["hidden"], "key").read_text())


def hidden_list(known):
    if names := os.listdir(known["hidden"]):
        escaped(names)


def hidden_by_other_ways(known):
    shown = Path(known["hidden"]).parent
    for way in (f"{shown}/./state/../state/key", f"{shown}/alias/key", f"/proc/self/root{shown}/state/key"):
        try:
            escaped(Path(way).read_text())
        except OSError:
            pass
    for folder, _, files in os.walk(shown):
        for name in files:
            if "treasure" in Path(folder, name).read_text():
                escaped(f"{folder}/{name}")


def hidden_file(known):
    if content := Path(known["hidden"]).with_name("token").read_text():
        escaped(content)


def hidden_write(known):
    for path in (Path(known["hidden"], "planted"), Path(known["hidden"]).with_name("token")):
        try:
            path.write_text("x")
        except OSError:
            continue
        escaped(path)


def hidden_uncover(known):
    place = Path(known["hidden"])
    for change in (
        lambda: os.rename(place, place.with_name("moved")), lambda: os.rmdir(place),
        lambda: os.remove(place.with_name("token")), lambda: os.rename(place.parent, "moved"),
        lambda: os.link(place.with_name("token"), "token"),
    ):  # fmt: skip
        try:
            change()
        except OSError:
            continue
        escaped("it could be taken away")


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


def leave_set_user_id(known):
    for name, make in {
        "by_chmod": lambda path: (path.touch(), os.chmod(path, 0o4755)),
        "by_fchmod": lambda path: os.fchmod(os.open(path, os.O_CREAT | os.O_WRONLY), 0o6755),
        "by_open": lambda path: os.open(path, os.O_CREAT | os.O_WRONLY, 0o4755),
        "by_mknod": lambda path: os.mknod(path, 0o104755),
        "by_group": lambda path: (path.touch(), os.chmod(path, 0o2755)),
    }.items():
        try:
            make(Path(name))
        except OSError:
            pass
        if Path(name).exists() and Path(name).stat().st_mode & 0o6000:
            Path(name).chmod(0o600)
            escaped(f"a file that makes others its owner, {name}")


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
