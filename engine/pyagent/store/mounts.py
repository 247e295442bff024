"""Which file system a path lies on, and whether it is one over the network, where SQLite's files may be damaged."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger("pyagent.store")

MOUNTS = Path("/proc/self/mountinfo")
"""What is mounted for this process; Linux alone has it."""
NETWORK_HINT = "Set PYAGENT_STORE to a file on a local disk, or to a Neo4j server if several machines share the store."
# fmt: off
_NETWORK_TYPES = frozenset({
    "9p", "afs", "beegfs", "ceph", "ceph-fuse", "cifs", "coda", "davfs", "drvfs", "gcsfuse", "glusterfs",
    "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "prl_fs", "rclone", "s3fs", "smb2", "smb3", "smbfs", "sshfs", "vboxsf",
    "vmhgfs", "vmhgfs-fuse",
})
# fmt: on
"""Of file systems where other machines, or a virtual machine's host, write the same files."""
_ESCAPED = re.compile(r"\\([0-7]{3})")
_warned: set[Path] = set()


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A file system, and where it is mounted."""

    point: str
    type: str
    """As the system names it: `ext4`, `nfs4`, `fuse.sshfs`."""
    source: str
    """A device, or the server's folder."""

    @property
    def is_network(self) -> bool:
        """Whether other machines may write its files, which SQLite's locks and shared memory do not reach."""
        return self.type.removeprefix("fuse.") in _NETWORK_TYPES


def mount_of(path: str, mounts: str) -> Mount | None:
    """The file system of an absolute path without links, by the text of a mountinfo (`man 5 proc_pid_mountinfo`): the
    one with the longest mount point that leads to it, of several at one point the last."""
    found: Mount | None = None
    for line in mounts.splitlines():
        # 36 35 98:0 /top /point rw,noatime shared:1 - type source options; there may be no or many `shared:1`
        place, parted, kind = line.partition(" - ")
        before, after = place.split(" "), kind.split(" ")
        if not parted or len(before) < 5 or len(after) < 2:
            continue
        point = _plain(before[4])
        leads = path == point or path.startswith(point.rstrip("/") + "/")
        if leads and (found is None or len(point) >= len(found.point)):
            found = Mount(point=point, type=after[0], source=_plain(after[1]))
    return found


def mount_here(path: Path) -> Mount | None:
    """As `mount_of`, of what is mounted now; None where the system does not tell."""
    try:
        # Names of files are bytes; those that are no text must not hide the other lines.
        return mount_of(str(path.resolve()), MOUNTS.read_text(errors="surrogateescape"))
    except OSError:
        return None


def warn_of_network(path: Path) -> None:
    """Log once in a process that a store's file lies on a network file system, and what to do."""
    mount = mount_here(path)
    if mount is None or not mount.is_network or path in _warned:
        return
    _warned.add(path)
    logger.warning(
        "The store %s is on a network file system (%s at %s): processes of several machines would damage it, and after"
        " a crash so may one. %s",
        path,
        mount.type,
        mount.point,
        NETWORK_HINT,
    )


def _plain(text: str) -> str:
    """Spaces, tabs, line ends and backslashes are octal in mountinfo."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 8)), text)


__all__ = ["MOUNTS", "NETWORK_HINT", "Mount", "mount_here", "mount_of", "warn_of_network"]
